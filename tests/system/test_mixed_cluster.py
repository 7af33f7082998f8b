"""Brokers of Kafka and ours in one cluster: either kind obeys the other's controller."""
import json
import socket
import struct

import pytest

from cluster import run, wait_for
from kafka import KafkaBroker

admin = pytest.importorskip("confluent_kafka.admin")


def metadata(bootstrap):
    """What a client sees: (brokers, {topic: {partition: (leader, replicas, isrs)}}). None: it does not answer (yet)."""
    asked = run(["kcat", "-L", "-J", "-b", bootstrap], seconds=20, check=False)
    if asked.status != 0:
        return None
    seen = asked.json()
    topics = {t["topic"]: {p["partition"]: (p["leader"], [r["id"] for r in p["replicas"]], [r["id"] for r in p["isrs"]])
                           for p in t["partitions"]}
              for t in seen["topics"] if not t["topic"].startswith("__")}
    return sorted(b["id"] for b in seen["brokers"]), topics


def produce(bootstrap, topic, partition, lines):
    run(["kcat", "-P", "-b", bootstrap, "-t", topic, "-p", partition, "-X", "acks=all"], stdin="".join(x + "\n" for x in lines))


def consume(bootstrap, topic, partition):
    return run(["kcat", "-C", "-b", bootstrap, "-t", topic, "-p", partition, "-e", "-q"], seconds=30).out.splitlines()


def producer_id(port):
    """InitProducerId of this broker; an id, once it has some."""
    def ask():
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            frame = struct.pack(">hhih2shi", 22, 0, 7, 2, b"me", -1, 1000)
            s.sendall(struct.pack(">i", len(frame)) + frame)
            answer = s.makefile("rb").read(4 + 4 + 4 + 2 + 8 + 2)
        correlation_id, _, error, found, epoch = struct.unpack(">iihqh", answer[4:])
        assert correlation_id == 7 and (error != 0 or epoch == 0)
        return None if error != 0 else (found,)
    return wait_for("a producer id", ask, 20, step=0.1)[0]


class Admin:
    """librdkafka's administrator at one address."""

    def __init__(self, bootstrap):
        self.client = admin.AdminClient({"bootstrap.servers": bootstrap})

    def done(self, futures):
        for future in futures.values():
            future.result(timeout=30)

    def create(self, topic, replicas, config=None):
        self.done(self.client.create_topics([admin.NewTopic(topic, len(replicas), replica_assignment=[[r] for r in replicas],
                                                            config=config or {})]))

    def add_partitions(self, topic, count, replicas):
        self.done(self.client.create_partitions([admin.NewPartitions(topic, count, replica_assignment=[[r] for r in replicas])]))

    def delete(self, topic):
        self.done(self.client.delete_topics([topic]))

    def set_overrides(self, topic, config):
        self.done(self.client.alter_configs([admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic, set_config=config)]))

    def overrides(self, topic):
        futures = self.client.describe_configs([admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic)])
        (found,) = [f.result(timeout=30) for f in futures.values()]
        dynamic_topic_config = 1
        return {name: e.value for name, e in found.items() if e.source == dynamic_topic_config}


class Both:
    """A broker of Kafka's and one of ours, the first of which is the controller."""

    def __init__(self, cluster, tmp_path, kafka_first):
        self.kafka = KafkaBroker(cluster.zk_connect, 1, tmp_path / "kafka", {
            "zookeeper.session.timeout.ms": 6000, "controlled.shutdown.enable": "false"})
        self.cluster = cluster
        if kafka_first:
            self.kafka.start()
            self.wait_controller(1)
        self.ours = cluster.start_broker(2, {"process.roles": "broker" if kafka_first else "broker,controller"})
        if not kafka_first:
            self.wait_controller(2)
            self.kafka.start()
        self.agree(lambda brokers, topics: brokers == [1, 2])

    def wait_controller(self, broker_id):
        client = self.cluster.zookeeper.client()
        try:
            path = self.cluster.chroot + "/controller"
            wait_for(f"controller {broker_id}", lambda: client.exists(path)
                     and json.loads(client.get(path)[0])["brokerid"] == broker_id, 60)
        finally:
            client.stop()
            client.close()

    def wait_gone(self, path):
        client = self.cluster.zookeeper.client()
        try:
            wait_for(f"{path} gone", lambda: not client.exists(self.cluster.chroot + path), 30)
        finally:
            client.stop()
            client.close()

    def agree(self, condition):
        """Both show the same, and it is this."""
        def same():
            seen = metadata(self.kafka.bootstrap), metadata(self.ours.bootstrap)
            return seen[0] is not None and seen[0] == seen[1] and condition(*seen[0])
        wait_for("the same picture on both", same, 30, step=0.1)

    def use(self, topic, partition):
        """A record by either broker's address reaches the leader, whoever that is, and is read by the other's."""
        lines = [f"{topic}-{partition}-{i}" for i in range(3)]
        produce(self.kafka.bootstrap, topic, partition, lines[:2])
        produce(self.ours.bootstrap, topic, partition, lines[2:])
        assert consume(self.ours.bootstrap, topic, partition)[-3:] == lines
        assert consume(self.kafka.bootstrap, topic, partition)[-3:] == lines

    def overrides(self, topic):
        """As Kafka shows them, and as we do."""
        return tuple(Admin(b).overrides(topic) for b in (self.kafka.bootstrap, self.ours.bootstrap))

    def stop(self):
        self.kafka.kill()


@pytest.fixture(params=["kafka", "correio"])
def both(cluster, tmp_path, request):
    """By who is the controller."""
    pair = Both(cluster, tmp_path, request.param == "kafka")
    yield pair
    pair.stop()


def topics_live_on_either(both):
    """Made by either's address, on either."""
    theirs, mine = Admin(both.kafka.bootstrap), Admin(both.ours.bootstrap)
    theirs.create("theirs", [1, 2, 2], {"retention.ms": "7200000"})
    mine.create("mine", [1, 2, 2], {"retention.ms": "7200000"})
    layout = {0: (1, [1], [1]), 1: (2, [2], [2]), 2: (2, [2], [2])}
    both.agree(lambda brokers, topics: topics == {"theirs": layout, "mine": layout})
    for name in ("theirs", "mine"):
        for partition in layout:
            both.use(name, partition)
        assert (both.ours.dir / "data" / f"{name}-1").is_dir()
        assert not (both.ours.dir / "data" / f"{name}-0").exists()
        assert both.overrides(name) == ({"retention.ms": "7200000"},) * 2


def changes_are_known_to_both(both):
    theirs, mine = Admin(both.kafka.bootstrap), Admin(both.ours.bootstrap)
    theirs.set_overrides("mine", {"segment.bytes": "1048576"})
    mine.set_overrides("theirs", {})
    wait_for("configurations", lambda: both.overrides("mine") == ({"segment.bytes": "1048576"},) * 2
             and both.overrides("theirs") == ({}, {}), 20, step=0.1)
    theirs.add_partitions("theirs", 4, [2])
    both.agree(lambda brokers, topics: topics["theirs"].get(3) == (2, [2], [2]))
    mine.add_partitions("mine", 4, [2])
    both.agree(lambda brokers, topics: topics["mine"].get(3) == (2, [2], [2]))
    both.use("theirs", 3)


def one_goes_and_comes_back(both):
    before = metadata(both.ours.bootstrap)[1]
    assert both.ours.terminate() == 0
    wait_for("the other alone", lambda: (metadata(both.kafka.bootstrap) or ([], {"mine": {1: [0]}}))[1]["mine"][1][0] == -1, 30, step=0.1)
    both.ours.restart()
    both.agree(lambda brokers, topics: brokers == [1, 2] and topics == before)
    both.use("mine", 1)

    both.kafka.kill()
    both.wait_gone("/brokers/ids/1")
    produce(both.ours.bootstrap, "mine", 1, ["without the other"])
    assert consume(both.ours.bootstrap, "mine", 1)[-1] == "without the other"
    both.kafka.start()
    both.agree(lambda brokers, topics: brokers == [1, 2] and topics == before)
    both.use("mine", 0)
    both.use("mine", 1)


def producers_get_ids(both):
    """Of ranges that the controller, or ZooKeeper, gives out once."""
    found = [producer_id(port) for _ in range(3) for port in (both.kafka.port, both.ours.port)]
    assert len(set(found)) == len(found), found


def topics_go(both):
    """From both pictures, and from the disks."""
    Admin(both.ours.bootstrap).delete("theirs")
    Admin(both.kafka.bootstrap).delete("mine")
    both.agree(lambda brokers, topics: topics == {})
    wait_for("logs deleted", lambda: not any((both.ours.dir / "data" / f"{n}-{p}").exists()
             for n in ("theirs", "mine") for p in range(4)), 20)


def test_a_cluster_of_both(both):
    topics_live_on_either(both)
    producers_get_ids(both)
    changes_are_known_to_both(both)
    one_goes_and_comes_back(both)
    topics_go(both)
