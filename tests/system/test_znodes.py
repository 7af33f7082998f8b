"""What we write into ZooKeeper is what Kafka 3.9.1 writes for the same commands, field for field."""
import json

import pytest

from cluster import wait_for
from kafka import KafkaBroker, tool

COMMAND = ["--create", "--topic", "user_activity", "--partitions", "3", "--replication-factor", "1",
           "--config", "retention.ms=86400000", "--config", "cleanup.policy=delete"]


@pytest.fixture(scope="module")
def trees(zookeeper, tmp_path_factory):
    """Two chroots of one ensemble, one written by Kafka and one by us, from the same commands."""
    from cluster import Cluster
    directory = tmp_path_factory.mktemp("znodes")
    kafka = KafkaBroker(zookeeper.address + "/theirs", 7, directory / "kafka")
    kafka.start()
    tool("org.apache.kafka.tools.TopicCommand", *COMMAND, "--bootstrap-server", kafka.bootstrap)
    cluster = Cluster(zookeeper, directory, "/ours")
    broker = cluster.start_broker(7)
    broker.topics(*COMMAND)
    client = zookeeper.client()
    state = "/brokers/topics/user_activity/partitions/2/state"
    wait_for("the last partition's state in both", lambda: client.exists("/ours" + state) and client.exists("/theirs" + state))
    yield client
    client.stop()
    cluster.stop_all()
    kafka.kill()


def shape(value, path=""):
    """The JSON with what must differ (times, ids, ports) replaced by its type."""
    if isinstance(value, dict):
        return {k: shape(v, k) for k, v in value.items()}
    if path in ("timestamp", "topic_id", "port", "id"):
        return type(value).__name__
    if path == "endpoints":
        return [endpoint.rsplit(":", 1)[0] for endpoint in value]
    return value


def both(client, path):
    return [client.get(root + path) for root in ("/theirs", "/ours")]


@pytest.mark.parametrize("path", [
    "/brokers/ids/7", "/controller", "/controller_epoch", "/brokers/topics/user_activity",
    "/brokers/topics/user_activity/partitions/0/state", "/brokers/topics/user_activity/partitions/1/state",
    "/brokers/topics/user_activity/partitions/2/state", "/config/topics/user_activity", "/cluster/id", "/feature"])
def test_content_is_kafkas(trees, path):
    theirs, ours = both(trees, path)
    assert shape(json.loads(ours[0])) == shape(json.loads(theirs[0]))
    assert bool(ours[1].ephemeralOwner) == bool(theirs[1].ephemeralOwner)
    assert ours[1].version == theirs[1].version


@pytest.mark.parametrize("path", ["/brokers/topics/user_activity/partitions", "/brokers/topics/user_activity/partitions/0"])
def test_directories_hold_what_kafkas_hold(trees, path):
    theirs, ours = both(trees, path)
    assert ours[0] == theirs[0]


def test_top_level_paths_are_kafkas(trees):
    def tree(root, path=""):
        found = set()
        for child in trees.get_children(root + path or "/"):
            found.add(f"{path}/{child}")
            if path.count("/") < 1:
                found |= tree(root, f"{path}/{child}")
        return found
    theirs, ours = tree("/theirs"), tree("/ours")
    assert theirs - ours == set()
    assert {p for p in ours - theirs if not p.startswith("/correio")} == set()
