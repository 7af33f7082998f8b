"""The programs as people and scripts meet them: exit statuses, help, JSON, suggestions, configuration errors."""
import json
import signal

import pytest

from cluster import BROKER, CONTROLLER, CORREIO, TOPICS, free_port, run, wait_for


@pytest.mark.parametrize("program", [BROKER, CONTROLLER, CORREIO, TOPICS], ids=lambda p: p.name)
def test_help_and_version(program):
    assert len(run([program, "--help"]).out.splitlines()) > 5
    assert len(run([program, "--version"]).out.splitlines()) == 1


@pytest.mark.parametrize("argv,hint", [
    ([CORREIO, "topik", "list"], "topic"),
    ([CORREIO, "topic", "lst"], "list"),
    ([CORREIO, "topic", "list", "--bootstrap-sever", "x:1"], "--bootstrap-server"),
    ([CORREIO, "produce"], "TOPIC"),
    ([BROKER], "properties"),
    ([BROKER, "--chek-config", "x"], "--check-config"),
    ([TOPICS, "--list"], "bootstrap-server"),
])
def test_usage_errors_are_64_and_say_what_was_meant(argv, hint):
    result = run(argv, check=False)
    assert result.status == 64 or (argv[0] == TOPICS and result.status == 1), result
    assert hint in result.err + result.out


def test_no_broker_is_told_with_the_address():
    port = free_port()
    result = run([CORREIO, "topic", "list", "--bootstrap-server", f"127.0.0.1:{port}"], check=False, seconds=40)
    assert result.status == 1 and str(port) in result.err


def test_json_everywhere(broker):
    broker.create_topic("orders", 2)
    broker.produce_lines("orders", ["a", "b"])
    assert "orders" in broker.correio("topic", "list", "--json").out
    described = broker.correio("topic", "describe", "orders", "--json").json()
    text = json.dumps(described)
    assert '"partition"' in text and '"leader"' in text
    cluster = broker.correio("cluster", "describe", "--json").json()
    assert cluster["controller_id"] == 1 and [b["id"] for b in cluster["brokers"]] == [1]
    assert "num.partitions" in broker.correio("config", "describe", "broker", "1", "--json").out


@pytest.mark.parametrize("line,words", [
    ("num.partitions=0", ["num.partitions", "0", "1"]),
    ("num.partitions=many", ["num.partitions", "many"]),
    ("listeners=PLAINTEXT://127.0.0.1", ["listeners", "PLAINTEXT://127.0.0.1"]),
    ("log.flush.policy=sometimes", ["log.flush.policy", "sometimes", "commit", "background"]),
    ("broker.id=-7", ["broker.id", "-7"]),
])
def test_configuration_errors_name_key_value_and_what_is_allowed(tmp_path, line, words):
    path = tmp_path / "server.properties"
    path.write_text(f"broker.id=1\nzookeeper.connect=127.0.0.1:1\nlog.dirs={tmp_path}/data\n{line}\n")
    result = run([BROKER, path, "--check-config"], check=False)
    assert result.status == 78, result
    for word in words:
        assert word in result.err, result
    assert not (tmp_path / "data").exists()


def test_unknown_keys_are_warned_about_with_the_nearest(tmp_path):
    path = tmp_path / "server.properties"
    path.write_text(f"broker.id=1\nzookeeper.connect=127.0.0.1:1\nlog.dirs={tmp_path}/data\nnum.partition=3\n"
                    "log.cleaner.io.buffer.size=2\n")
    result = run([BROKER, path, "--check-config"])
    assert "num.partition" in result.err and "num.partitions" in result.err
    assert "log.cleaner.io.buffer.size" in result.err


def test_pages_for_machines(broker):
    assert broker.http("/healthz")[0] == 200
    assert broker.http("/readyz")[0] == 200
    assert "correio_partitions_hosted" in broker.http("/metrics")[1]
    assert json.loads(broker.http("/status")[1])["broker_id"] == 1


def test_sighup_keeps_serving(broker):
    broker.create_topic("t", 1)
    broker.signal(signal.SIGHUP)
    broker.produce_lines("t", ["x"])
    assert broker.consume_lines("t", 1) == ["x"]


def test_standalone_needs_no_zookeeper(tmp_path):
    from cluster import Process
    port = free_port()
    argv = [BROKER, "--standalone", tmp_path / "one", "--override", f"listeners=PLAINTEXT://127.0.0.1:{port}"]
    where = ["--bootstrap-server", f"127.0.0.1:{port}"]
    broker = Process("standalone", argv, tmp_path / "log").start()
    broker.wait_output("broker ready")
    run([TOPICS, "--create", "--topic", "t", "--partitions", 2, "--replication-factor", 1, *where])
    run([CORREIO, "produce", "t", *where], stdin="a\nb\n")
    broker.kill()
    broker.start()
    broker.wait_output("broker ready")
    wait_for("leaders", lambda: run([CORREIO, "cluster", "describe", "--json", *where]).json()["offline_partition_count"] == 0)
    out = run([CORREIO, "consume", "t", "--from-beginning", "--max-messages", 2, "--timeout-ms", 10000, *where]).out
    assert sorted(out.split()) == ["a", "b"]
    assert broker.terminate() == 0
