"""Topics through the topic tool: by a broker, and straight on ZooKeeper with every broker down."""
import json

import pytest

from cluster import CORREIO, run, wait_for


def describe_json(cluster, topic, *where):
    return run([CORREIO, "topic", "describe", topic, "--json", *where]).json()


@pytest.fixture(params=["bootstrap", "zookeeper"])
def way(request, cluster):
    """The tool with a broker, and with ZooKeeper alone."""
    broker = cluster.start_broker(1)

    class Way:
        where = ["--bootstrap-server", broker.bootstrap] if request.param == "bootstrap" else ["--zookeeper", cluster.zk_connect]

        def __call__(self, *args, **kwargs):
            from cluster import TOPICS
            return run([TOPICS, *args, *self.where], **kwargs)
    Way.broker = broker
    return Way()


def test_life_of_a_topic(way):
    assert "Created topic user_activity." in way("--create", "--topic", "user_activity", "--partitions", 3,
                                                 "--replication-factor", 1, "--config", "retention.ms=1000000").out
    assert way("--list").out.split() == ["user_activity"]
    described = way("--describe", "--topic", "user_activity").out
    assert "Topic: user_activity\tTopicId: " in described
    assert "PartitionCount: 3\tReplicationFactor: 1\tConfigs: " in described and "retention.ms=1000000" in described
    assert described.count("\tLeader: 1\t") == 3 or wait_for(
        "three leaders", lambda: way("--describe", "--topic", "user_activity").out.count("\tLeader: 1\t") == 3)
    way("--alter", "--topic", "user_activity", "--partitions", 5)
    wait_for("five partitions served", lambda: way.broker.correio("topic", "describe", "user_activity", "--json").out.count(
        '"leader"') == 5)
    way.broker.produce_lines("user_activity", [f"r{i}" for i in range(50)])
    assert sorted(way.broker.consume_lines("user_activity", 50)) == sorted(f"r{i}" for i in range(50))
    way("--delete", "--topic", "user_activity")
    wait_for("the topic to go", lambda: way("--list").out.split() == [])
    data = way.broker.dir / "data"
    wait_for("its directories to go", lambda: not [p for p in data.iterdir() if p.is_dir() and not p.name.endswith("-delete")])
    # The name is free again, and nothing of the old topic shines through.
    way("--create", "--topic", "user_activity", "--partitions", 1, "--replication-factor", 1)
    way.broker.produce_lines("user_activity", ["new"])
    assert way.broker.consume_lines("user_activity", 1) == ["new"]


def test_errors_name_the_entity(way):
    way("--create", "--topic", "orders", "--partitions", 1, "--replication-factor", 1)
    for args, words in [
        (["--create", "--topic", "orders", "--partitions", 1, "--replication-factor", 1], ["orders", "exists"]),
        (["--create", "--topic", "bad/name", "--partitions", 1, "--replication-factor", 1], ["bad/name"]),
        (["--create", "--topic", "x", "--partitions", 0, "--replication-factor", 1], ["partitions"]),
        (["--create", "--topic", "x", "--partitions", 1, "--replication-factor", 1, "--config", "retention.mss=1"],
         ["retention.mss", "retention.ms"]),
        (["--create", "--topic", "x", "--partitions", 1, "--replication-factor", 1, "--config", "retention.ms=soon"],
         ["retention.ms", "soon"]),
        (["--alter", "--topic", "orders", "--partitions", 1], ["partitions"]),
        (["--delete", "--topic", "ordres"], ["ordres"]),
        (["--describe", "--topic", "ordres"], ["ordres"]),
    ]:
        result = way(*args, check=False)
        assert result.status == 1, (args, result)
        for word in words:
            assert word in result.out + result.err, (args, result)


def test_created_with_every_broker_down_is_served_when_one_starts(cluster):
    broker = cluster.start_broker(1)
    assert broker.terminate() == 0
    out = cluster.zk_topics("--create", "--topic", "user_activity", "--partitions", 3, "--replication-factor", 1).out
    assert "pending" in out.lower()
    assert "user_activity" in cluster.zk_topics("--list").out
    assert "pending" in cluster.zk_topics("--describe", "--topic", "user_activity").out.lower()
    broker.restart()
    wait_for("three leaders", lambda: cluster.zk_topics("--describe", "--topic", "user_activity").out.count("\tLeader: 1\t") == 3)
    broker.produce_lines("user_activity", ["a", "b", "c"])
    assert sorted(broker.consume_lines("user_activity", 3)) == ["a", "b", "c"]


def test_pending_topic_waits_for_enough_brokers_and_can_be_cancelled(cluster):
    cluster.start_broker(1)
    for topic in ("wide", "unwanted"):
        cluster.zk_topics("--create", "--topic", topic, "--partitions", 2, "--replication-factor", 2)
        assert "pending" in cluster.brokers[1].topics("--describe", "--topic", topic).out.lower()
    cluster.zk_topics("--delete", "--topic", "unwanted")
    cluster.start_broker(2)
    wait_for("the topic to be placed", lambda: "Replicas: 1,2" in cluster.zk_topics("--describe", "--topic", "wide").out
             or "Replicas: 2,1" in cluster.zk_topics("--describe", "--topic", "wide").out)
    assert cluster.brokers[2].topics("--list").out.split() == ["wide"]


def test_replica_assignment_is_written_at_once(cluster):
    cluster.start_broker(1).terminate()
    cluster.zk_topics("--create", "--topic", "placed", "--replica-assignment", "1,1,2")
    client = cluster.zookeeper.client(cluster.chroot)
    node = json.loads(client.get("/brokers/topics/placed")[0])
    client.stop()
    assert node["partitions"] == {"0": [1], "1": [1], "2": [2]}
    cluster.brokers[1].restart()
    wait_for("two leaders", lambda: cluster.zk_topics("--describe", "--topic", "placed").out.count("\tLeader: 1\t") == 2)
    assert "Partition: 2\tLeader: none" in cluster.zk_topics("--describe", "--topic", "placed").out


def test_config_change_reaches_the_log(way):
    way("--create", "--topic", "small", "--partitions", 1, "--replication-factor", 1)
    run([CORREIO, "config", "alter", "topic", "small", "--set", "max.message.bytes=200", *way.where])
    def refused():
        result = way.broker.produce_lines("small", ["x" * 1000], check=False)
        return result.status == 1 and "max.message.bytes" in result.err
    wait_for("the smaller limit", refused)
    run([CORREIO, "config", "alter", "topic", "small", "--remove", "max.message.bytes", *way.where])
    wait_for("the default again", lambda: way.broker.produce_lines("small", ["x" * 1000], check=False).status == 0)
    shown = run([CORREIO, "config", "describe", "topic", "small", "--json", *way.where]).out
    assert "max.message.bytes" in shown


def test_deletion_waits_for_a_dead_broker(cluster):
    one, two = cluster.start_broker(1), cluster.start_broker(2)
    one.topics("--create", "--topic", "gone", "--replica-assignment", "1,2")
    wait_for("two leaders", lambda: "Leader: none" not in one.topics("--describe", "--topic", "gone").out)
    two.kill()
    wait_for("broker 2's registration to go", lambda: '"id":2' not in one.correio("cluster", "describe", "--json").out.replace(" ", ""),
             30)
    one.topics("--delete", "--topic", "gone")
    client = cluster.zookeeper.client(cluster.chroot)
    assert client.exists("/brokers/topics/gone")
    two.restart()
    wait_for("the deletion to finish", lambda: not client.exists("/brokers/topics/gone") and not client.exists(
        "/admin/delete_topics/gone"), 20)
    client.stop()
