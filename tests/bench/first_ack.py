#!/usr/bin/env python3
"""From exec to the first acknowledged record, and what an idle broker costs: tests/bench/first_ack.py [RUNS].

Each run: an empty data folder and an empty chroot in a running ZooKeeper; the clock starts at exec. A native client tries to
connect, creates a topic of one partition, and produces with acks=all until it is acknowledged. Prints medians."""
import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import native  # noqa: E402
from cluster import Cluster, ZooKeeper  # noqa: E402

BATCH = native.batch(native.record(b"first"), 1)


def create_topic(name):
    topic = native.field(1, name) + native.sfield(2, 1) + native.sfield(3, 1)
    return native.frame(native.field(1, 1) + native.field(20, native.field(1, topic) + native.field(2, 5000)))


def connect(port, deadline):
    while True:
        try:
            return native.Connection(port)
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "the broker does not listen"
            time.sleep(0.0005)


def created(answer):
    header = answer[0]
    if header.get(2, [0])[0]:
        return False
    return native.parse(native.parse(header[20][0])[1][0]).get(2, [0])[0] == 0


def acknowledged(answer):
    header = answer[0]
    if header.get(2, [0])[0]:
        return False
    partition = native.parse(native.parse(native.parse(header[12][0])[1][0])[2][0])
    return partition.get(2, [0])[0] == 0


def one(zookeeper, directory, number):
    cluster = Cluster(zookeeper, directory, f"/run{number}")
    started = time.monotonic()
    broker = cluster.start_broker(1, ready=False)
    connection = connect(broker.port, started + 20)
    connected = time.monotonic()
    while True:  # refused until registered: the same request again
        connection.send(create_topic("first"))
        answer = connection.read()
        if created(answer):
            break
        assert time.monotonic() < started + 20, answer
        time.sleep(0.001)
    made = time.monotonic()
    while True:
        connection.send(native.produce("first", 0, BATCH))
        if acknowledged(connection.read()):
            break
        assert time.monotonic() < started + 20
    acked = time.monotonic()
    time.sleep(2)  # idle: let what the start left behind settle
    cpu = broker.cpu_seconds()
    time.sleep(3)
    figures = {
        "listening_ms": (connected - started) * 1e3, "created_ms": (made - started) * 1e3,
        "first_ack_ms": (acked - started) * 1e3, "idle_rss_mib": broker.rss_kib() / 1024,
        "threads": len(os.listdir(f"/proc/{broker.pid}/task")), "idle_cpu_pct": (broker.cpu_seconds() - cpu) / 3 * 100}
    connection.close()
    begun = time.monotonic()
    cluster.stop_all()
    figures["stop_ms"] = (time.monotonic() - begun) * 1e3
    return figures


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    directory = pathlib.Path(tempfile.mkdtemp())
    zookeeper = ZooKeeper(directory / "zookeeper")
    zookeeper.start()
    try:
        rows = []
        for number in range(runs):
            (directory / str(number)).mkdir()
            rows.append(one(zookeeper, directory / str(number), number))
        for key in rows[0]:
            values = sorted(row[key] for row in rows)
            print(f"{key}: {statistics.median(values):.1f} ({values[0]:.1f}-{values[-1]:.1f}, n={runs})")
    finally:
        zookeeper.stop()
        shutil.rmtree(directory)


main()
