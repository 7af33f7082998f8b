"""Idempotent producers: whatever happens to broker and connection, each record is there once, and in order."""
import json
import random
import struct
import subprocess
import threading
import time

import pytest

from cluster import CORREIO, LONG, wait_for

confluent = pytest.importorskip("confluent_kafka", reason="python3-confluent-kafka is not installed")

KILLS = 12 if LONG else 3
PARTITIONS = 3


def values_of(broker, topic, partition):
    consumer = confluent.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.auto.commit": False,
                                   "enable.partition.eof": True})
    consumer.assign([confluent.TopicPartition(topic, partition, 0)])
    values, at_end = [], False
    deadline = time.monotonic() + 60
    while not at_end and time.monotonic() < deadline:
        for message in consumer.consume(10000, timeout=1):
            at_end = message.error() is not None
            assert not at_end or message.error().code() == confluent.KafkaError._PARTITION_EOF, message.error()
            if not at_end:
                values.append(int(message.value()))
    consumer.close()
    assert at_end
    return values


class Load:
    """Numbers 0, 1, 2, ... to each partition until told to stop."""

    def __init__(self, bootstrap):
        self.producer = confluent.Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 5, "retry.backoff.ms": 50,
            "reconnect.backoff.max.ms": 200, "message.timeout.ms": 60000, "queue.buffering.max.messages": 20000})
        self.sent = [0] * PARTITIONS
        self.acknowledged, self.errors = 0, []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def delivered(self, error, _message):
        if error is None:
            self.acknowledged += 1
        else:
            self.errors.append(error)

    def run(self):
        while not self.stop.is_set():
            for partition in range(PARTITIONS):
                try:
                    self.producer.produce("t", value=str(self.sent[partition]), partition=partition, on_delivery=self.delivered)
                except BufferError:
                    self.producer.poll(0.05)
                    continue
                self.sent[partition] += 1
            self.producer.poll(0)


def test_kill_nine_neither_loses_nor_doubles_nor_reorders(cluster):
    broker = cluster.start_broker(1, {"num.network.threads": 2, "log.segment.bytes": 1 << 20})
    broker.create_topic("t", PARTITIONS)
    dice = random.Random(11)
    load = Load(broker.bootstrap)
    load.thread.start()
    try:
        for _ in range(KILLS):
            goal = load.acknowledged + dice.randrange(5000, 40000)
            wait_for("some more records", lambda: load.errors or load.acknowledged >= goal, 60)
            broker.kill()
            broker.restart()
        goal = load.acknowledged + 5000
        wait_for("records after the last start", lambda: load.errors or load.acknowledged >= goal, 60)
    finally:
        load.stop.set()
        load.thread.join()
    assert load.producer.flush(60) == 0 and load.errors == []
    assert load.acknowledged == sum(load.sent)
    for partition in range(PARTITIONS):
        assert values_of(broker, "t", partition) == list(range(load.sent[partition]))


def test_our_own_producer_writes_once(cluster):
    broker = cluster.start_broker(1, {"num.network.threads": 2})
    broker.create_topic("t", PARTITIONS)
    records = 120000 * KILLS
    load = subprocess.Popen(
        [str(a) for a in (CORREIO, "bench", "produce", "--topic", "t", "--num-records", records, "--record-size", 100,
                          "--rate", 60000, "--verify-ids", "--json", "--bootstrap-server", broker.bootstrap)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(KILLS):
            goal = broker.metric("correio_records_in_total") + 20000
            wait_for("some more records", lambda: load.poll() is not None or broker.metric("correio_records_in_total") >= goal, 30)
            assert load.poll() is None, load.stderr.read()
            broker.kill()
            broker.restart()
        _, err = load.communicate(timeout=300)
    finally:
        load.kill()
    assert load.returncode == 0, err
    out = broker.correio("bench", "consume", "--topic", "t", "--num-records", records, "--verify", "--timeout-ms", 60000,
                         "--json", seconds=180).json()
    assert (out["lost"], out["out_of_order"], out["duplicates"]) == (0, 0, 0), out


# --- frames of our own --------------------------------------------------------------------------------------------------

def ids_of(broker, count):
    from test_kafka_clients import ask, connect, header
    ids = []
    with connect(broker) as sock:
        while len(ids) < count:
            answer = ask(sock, header(22, 1) + struct.pack(">hi", -1, 0))
            _throttle, error, producer_id, epoch = struct.unpack(">ihqh", answer[4:20])
            if error == 14:  # COORDINATOR_LOAD_IN_PROGRESS: we are faster than ZooKeeper
                assert producer_id == -1
                continue
            assert (error, epoch) == (0, 0)
            ids.append(producer_id)
    return ids


def test_ids_are_given_once_in_a_cluster(cluster):
    first, second = cluster.start_broker(1), cluster.start_broker(2)
    ids = ids_of(first, 3000) + ids_of(second, 1500)
    assert len(set(ids)) == len(ids)
    first.kill()
    first.restart()
    again = ids_of(first, 10)
    assert not set(again) & set(ids)
    zk = cluster.zookeeper.client(cluster.chroot)
    try:
        block = json.loads(zk.get("/latest_producer_id_block")[0])
    finally:
        zk.stop()
        zk.close()
    assert block["version"] == 1 and int(block["block_end"]) - int(block["block_start"]) == 999
    assert int(block["block_end"]) >= max(ids + again)


def test_transactional_id_is_refused(broker):
    from test_kafka_clients import ask, connect, header
    with connect(broker) as sock:
        answer = ask(sock, header(22, 1) + struct.pack(">h2si", 2, b"tx", 1000))
    assert struct.unpack(">h", answer[8:10]) == (15,)  # COORDINATOR_NOT_AVAILABLE


# --- Kafka's own tools --------------------------------------------------------------------------------------------------

def test_kafka_reads_our_snapshots_and_lists_our_producers(broker):
    from kafka import tool
    broker.create_topic("t", 1)
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap, "enable.idempotence": True})
    for i in range(100):
        producer.produce("t", value=str(i), partition=0)
    assert producer.flush(20) == 0
    listed = tool("org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", broker.bootstrap, "describe-producers",
                  "--topic", "t", "--partition", 0).out
    row = [line.split() for line in listed.splitlines()][-1]
    assert (row[1], row[3]) == ("0", "99"), listed  # epoch, last sequence
    assert broker.terminate() == 0
    snapshot = broker.dir / "data" / "t-0" / f"{100:020}.snapshot"
    dumped = tool("kafka.tools.DumpLogSegments", "--files", snapshot).out
    assert f"producerId: {row[0]} producerEpoch: 0" in dumped and "lastSequence: 99" in dumped, dumped
    broker.restart()
    assert values_of(broker, "t", 0) == list(range(100))
