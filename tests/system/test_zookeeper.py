"""ZooKeeper away, sessions expired, the wrong ensemble."""
import json
import subprocess

from cluster import CORREIO, LONG, Cluster, wait_for

OUTAGE_SECONDS = 60 if LONG else 8
EXPIRATIONS = 20 if LONG else 3


def test_outage_under_load_is_not_noticed_by_clients(own_zookeeper, tmp_path):
    cluster = Cluster(own_zookeeper, tmp_path, "/outage")
    broker = cluster.start_broker(1, {"zookeeper.session.timeout.ms": 4000})
    broker.create_topic("t", 3)
    records = 5000 * (OUTAGE_SECONDS + 10)
    load = subprocess.Popen(
        [str(a) for a in (CORREIO, "bench", "produce", "--topic", "t", "--num-records", records, "--record-size", 100,
                          "--acks", "all", "--rate", 5000, "--verify-ids", "--json", "--bootstrap-server", broker.bootstrap)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for("load", lambda: broker.metric("correio_records_in_total") > 1000)
    own_zookeeper.stop()
    stopped = broker.metric("correio_records_in_total")
    wait_for("records during the outage", lambda: broker.metric("correio_records_in_total") >
             stopped + 5000 * (OUTAGE_SECONDS - 2), OUTAGE_SECONDS + 20)
    own_zookeeper.start()
    out, err = load.communicate(timeout=OUTAGE_SECONDS + 120)
    assert load.returncode == 0, err
    summary = json.loads(out)
    assert summary.get("errors", 0) == 0 and summary["records"] == records, summary
    client = own_zookeeper.client("/outage")
    wait_for("the broker to be registered again", lambda: client.exists("/brokers/ids/1"), 20)
    wait_for("a controller", lambda: client.exists("/controller"), 20)
    client.stop()
    broker.create_topic("after", 1)
    broker.produce_lines("after", ["x"])
    assert broker.pid and broker.alive()
    cluster.stop_all()


def test_expired_session_is_replaced_without_a_restart(cluster):
    broker = cluster.start_broker(1)
    broker.create_topic("t", 1)
    client = cluster.zookeeper.client(cluster.chroot)
    for _ in range(EXPIRATIONS):
        owner = client.get("/brokers/ids/1")[1].ephemeralOwner
        expire(cluster.zookeeper, owner)
        wait_for("a new registration", lambda: client.exists("/brokers/ids/1") and client.get("/brokers/ids/1")[
            1].ephemeralOwner not in (0, owner), 10)
        wait_for("a controller again", lambda: client.exists("/controller"), 10)
        broker.produce_lines("t", ["still here"])
    client.stop()
    assert len(broker.consume_lines("t", EXPIRATIONS)) == EXPIRATIONS


def expire(zookeeper, session_id):
    """Ends a session from outside, as the server does when a client has been silent for too long."""
    from session import close_session
    close_session(zookeeper.port, session_id)


def test_wiped_ensemble_is_refused(own_zookeeper, tmp_path):
    cluster = Cluster(own_zookeeper, tmp_path, "/first")
    broker = cluster.start_broker(1)
    broker.create_topic("t", 1)
    broker.produce_lines("t", ["precious"])
    assert broker.terminate() == 0
    for connect in (own_zookeeper.address + "/other",):
        broker.properties["zookeeper.connect"] = connect
        broker.start(ready=False)
        assert broker.popen.wait(timeout=20) == 78, broker.output()
        assert "cluster.id" in broker.output() or "cluster id" in broker.output()
    assert (broker.dir / "data" / "t-0").is_dir()
    client = own_zookeeper.client()
    assert not client.exists("/other/brokers/ids/1") and not client.exists("/other/cluster/id")
    client.stop()
    broker.properties["zookeeper.connect"] = cluster.zk_connect
    broker.restart()
    assert broker.consume_lines("t", 1) == ["precious"]
    cluster.stop_all()


def test_second_broker_with_the_same_id_is_refused_and_a_dead_one_is_replaced(cluster):
    one = cluster.start_broker(1, {"zookeeper.session.timeout.ms": 30000})
    twin = Cluster(cluster.zookeeper, cluster.dir / "twin", cluster.chroot)
    twin.dir.mkdir()
    other = twin.start_broker(1, ready=False)
    assert other.popen.wait(timeout=20) != 0
    assert "1" in other.output() and "already" in other.output(), other.output()
    one.kill()
    one.restart(seconds=5)  # well before the old session's 30 s
    one.create_topic("t", 1)
    one.produce_lines("t", ["x"])


def test_controller_alone_manages_brokers_that_are_only_brokers(cluster):
    from cluster import CONTROLLER, Process
    config = cluster.dir / "controller.properties"
    config.write_text(f"broker.id=100\nprocess.roles=controller\nzookeeper.connect={cluster.zk_connect}\n")
    controller = Process("controller", [CONTROLLER, config], cluster.dir / "controller.log").start()
    try:
        broker = cluster.start_broker(1, {"process.roles": "broker"})
        broker.create_topic("t", 2)
        broker.produce_lines("t", ["x", "y"])
        client = cluster.zookeeper.client(cluster.chroot)
        assert json.loads(client.get("/controller")[0])["brokerid"] == 100
        assert not client.exists("/brokers/ids/100")
        client.stop()
    finally:
        assert controller.terminate() == 0, controller.output()
