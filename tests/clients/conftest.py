"""Fixtures of the tests with foreign clients: one broker for all of them, one driver process per client.

CORREIO_CLIENTS_AGAINST=kafka runs everything against Apache Kafka 3.9.1 in place of our broker: what fails there is the test's fault.
"""
import contextlib
import itertools
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from clients import BY_NAME, Driver  # noqa: E402
from cluster import Cluster, ZooKeeper  # noqa: E402
from kafka import KafkaBroker  # noqa: E402

AGAINST_KAFKA = os.environ.get("CORREIO_CLIENTS_AGAINST") == "kafka"
# The same on both: small and quick.
PROPERTIES = {"group.initial.rebalance.delay.ms": 0, "offsets.topic.num.partitions": 4, "auto.create.topics.enable": "false",
              "group.min.session.timeout.ms": 1000}

NUMBERS = itertools.count()


def pytest_configure(config):
    config.addinivalue_line("markers", "correio_only: needs what Kafka 3.9 in ZooKeeper mode has not")


def pytest_collection_modifyitems(items):
    for item in items:
        if AGAINST_KAFKA and item.get_closest_marker("correio_only"):
            item.add_marker(pytest.mark.skip(reason="Kafka 3.9 in ZooKeeper mode has it not"))


@pytest.fixture(scope="session")
def zookeeper(tmp_path_factory):
    server = ZooKeeper(tmp_path_factory.mktemp("zookeeper"))
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def running(zookeeper, directory, name):
    """Our broker, or Kafka's, with a cluster to itself."""
    if AGAINST_KAFKA:
        zk = zookeeper.client()
        zk.ensure_path(f"/kafka-{name}")
        zk.stop()
        broker = KafkaBroker(f"{zookeeper.address}/kafka-{name}", 1, directory, PROPERTIES)
        broker.start()
        yield broker
        broker.terminate(60)
    else:
        cluster = Cluster(zookeeper, directory, chroot=f"/{name}")
        yield cluster.start_broker(1, {**PROPERTIES, "num.network.threads": 2})
        cluster.stop_all()


@pytest.fixture(scope="session")
def server(zookeeper, tmp_path_factory):
    """The broker that all share."""
    with running(zookeeper, tmp_path_factory.mktemp("shared"), "shared") as broker:
        yield broker


@pytest.fixture(scope="module")
def fresh_server(zookeeper, tmp_path_factory):
    """A broker of the module's own: nothing was done to it before."""
    with running(zookeeper, tmp_path_factory.mktemp("fresh"), f"fresh-{next(NUMBERS)}") as broker:
        yield broker


@pytest.fixture(scope="session")
def drivers(server, tmp_path_factory):
    """drivers(name): the driver process of a client, started once."""
    running, logs = {}, tmp_path_factory.mktemp("drivers")

    def driver(name):
        if name not in running or running[name].popen.poll() is not None:
            running[name] = Driver(BY_NAME[name], server.bootstrap, logs / f"{name}.log")
        return running[name]
    yield driver
    for d in running.values():
        d.close()


@pytest.fixture
def driver(drivers, client):
    return drivers(client.name)


@pytest.fixture(scope="session")
def admin(drivers):
    """Who makes topics for clients that cannot."""
    return drivers("confluent-1.7")


@pytest.fixture
def unique(request):
    """A name for this test's topics and groups."""
    return "".join(c if c.isalnum() or c in "._-" else "-" for c in request.node.name)[:200]
