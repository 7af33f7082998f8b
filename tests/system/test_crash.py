"""What was acknowledged is there after any crash, in order."""
import random
import subprocess
import threading
import time

from cluster import CORREIO, LONG, wait_for

ROUNDS = 20 if LONG else 4


def verify(broker, topic, records):
    """The consumer's own check: every sequence number of every partition, in order."""
    out = broker.correio("bench", "consume", "--topic", topic, "--num-records", records, "--verify", "--timeout-ms", 60000,
                         "--json", seconds=180).json()
    assert out["lost"] == 0 and out["out_of_order"] == 0, out
    return out


def test_kill_nine_under_load_loses_nothing_acknowledged(cluster):
    broker = cluster.start_broker(1, {"num.network.threads": 2})
    broker.create_topic("t", 6)
    dice = random.Random(5)
    records = 60000 * ROUNDS
    load = subprocess.Popen(
        [str(a) for a in (CORREIO, "bench", "produce", "--topic", "t", "--num-records", records, "--record-size", 200,
                          "--acks", "all", "--rate", 30000, "--verify-ids", "--json", "--bootstrap-server", broker.bootstrap)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(ROUNDS):
            before = broker.metric("correio_records_in_total")
            goal = before + dice.randrange(2000, 40000)
            wait_for("some more records", lambda: load.poll() is not None or broker.metric("correio_records_in_total") >= goal, 30)
            assert load.poll() is None, load.stderr.read()
            broker.kill()
            broker.restart()
        out, err = load.communicate(timeout=300)
    finally:
        load.kill()
    assert load.returncode == 0, err
    verify(broker, "t", records)


def test_many_partitions_open_quickly_after_a_crash(cluster):
    broker = cluster.start_broker(1)
    broker.create_topic("many", 1000)
    size_mb = 2048 if LONG else 256
    broker.correio("bench", "produce", "--topic", "many", "--num-records", size_mb * 1000, "--record-size", 1024,
                   "--acks", "1", "--verify-ids", seconds=300)
    broker.kill()
    started = time.monotonic()
    broker.restart()
    print(f"1,000 partitions, {size_mb} MiB: ready after {time.monotonic() - started:.2f} s")
    wait_for("all leaders", lambda: broker.correio("cluster", "describe", "--json").json()["offline_partition_count"] == 0)
    verify(broker, "many", size_mb * 1000)


def test_two_loads_at_once_keep_apart(broker):
    """Two producers on two topics; one topic is deleted meanwhile: the other notices nothing."""
    broker.create_topic("stays", 3)
    broker.create_topic("goes", 3)
    results = {}

    def load(topic):
        results[topic] = broker.correio("bench", "produce", "--topic", topic, "--num-records", 200000, "--record-size", 100,
                                        "--acks", "all", "--verify-ids", "--json", "--delivery-timeout-ms", 8000,
                                        check=topic == "stays", seconds=120)
    threads = [threading.Thread(target=load, args=(t,)) for t in ("stays", "goes")]
    for thread in threads:
        thread.start()
    wait_for("both under way", lambda: broker.metric("correio_records_in_total") > 20000)
    broker.topics("--delete", "--topic", "goes")
    for thread in threads:
        thread.join()
    verify(broker, "stays", 200000)
