"""Fixtures of the system tests: a real ZooKeeper, real broker processes, the real command line. Every wait has a deadline."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from cluster import Cluster, ZooKeeper  # noqa: E402


@pytest.fixture(scope="module")
def zookeeper(tmp_path_factory):
    """One ZooKeeper for the module; tests keep apart by chroot."""
    server = ZooKeeper(tmp_path_factory.mktemp("zookeeper"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_zookeeper(tmp_path):
    """A ZooKeeper that the test may stop and break."""
    server = ZooKeeper(tmp_path / "zookeeper")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cluster(zookeeper, tmp_path, request):
    """No broker yet: cluster.start_broker() adds them. All are stopped, and must have stopped cleanly, at the end."""
    c = Cluster(zookeeper, tmp_path, chroot="/" + request.node.name.replace("[", "-").replace("]", ""))
    yield c
    c.stop_all()


@pytest.fixture(params=[1, 4], ids=["1loop", "4loops"])
def broker(cluster, request):
    """One broker, on one loop and on four."""
    return cluster.start_broker(1, {"num.network.threads": request.param})
