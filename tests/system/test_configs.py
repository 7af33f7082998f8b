"""Settings changed while everything runs: by Kafka's own tool, by librdkafka, by correio; seen by the znodes Kafka uses."""
import contextlib
import json
import time

import pytest

import kafka
from cluster import wait_for

admin_api = pytest.importorskip("confluent_kafka.admin", reason="python3-confluent-kafka is not installed")


@contextlib.contextmanager
def znodes(cluster):
    zk = cluster.zookeeper.client(cluster.chroot)
    yield zk
    zk.stop()
    zk.close()


def configs_tool(broker, *args, check=True):
    return kafka.tool("kafka.admin.ConfigCommand", "--bootstrap-server", broker.bootstrap, *args, check=check)


def dynamic(broker, kind, name):
    """The lines of the tool's describe that are not of the title."""
    out = configs_tool(broker, "--describe", "--entity-type", kind, *(["--entity-name", name] if name else ["--entity-default"])).out
    return {line.split("=", 1)[0].strip(): line.split("=", 1)[1].strip() for line in out.splitlines()[1:] if "=" in line}


def test_topic_configs_by_kafkas_tool(cluster):
    broker = cluster.start_broker(1)
    broker.create_topic("t", 2, segment_bytes=100000)
    configs_tool(broker, "--alter", "--entity-type", "topics", "--entity-name", "t",
                 "--add-config", "retention.ms=1234,cleanup.policy=[compact,delete]")
    now = dynamic(broker, "topics", "t")
    assert set(now) == {"retention.ms", "cleanup.policy", "segment.bytes"}
    assert now["retention.ms"].startswith("1234 sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:retention.ms=1234")
    configs_tool(broker, "--alter", "--entity-type", "topics", "--entity-name", "t", "--delete-config", "cleanup.policy")
    assert set(dynamic(broker, "topics", "t")) == {"retention.ms", "segment.bytes"}
    bad = configs_tool(broker, "--alter", "--entity-type", "topics", "--entity-name", "t", "--add-config", "retention.ms=soon", check=False)
    assert bad.status != 0 and "retention.ms" in bad.err + bad.out and "InvalidConfig" in bad.err + bad.out
    unknown = configs_tool(broker, "--alter", "--entity-type", "topics", "--entity-name", "nope", "--add-config", "retention.ms=1", check=False)
    assert unknown.status != 0 and "UnknownTopicOrPartition" in unknown.err + unknown.out
    with znodes(cluster) as zk:
        assert json.loads(zk.get("/config/topics/t")[0])["config"] == {"retention.ms": "1234", "segment.bytes": "100000"}
        changes = [json.loads(zk.get(f"/config/changes/{c}")[0])["entity_path"] for c in zk.get_children("/config/changes")]
        assert "topics/t" in changes


def resource(kind, name, **configs):
    return admin_api.ConfigResource(kind, name, set_config=configs or None)


def describe(client, kind, name):
    r = resource(kind, name)
    return client.describe_configs([r])[r].result(timeout=10)


def test_alter_configs_replaces(cluster):
    """The older call: what is not named goes back to its default."""
    broker = cluster.start_broker(1)
    broker.create_topic("t", 1, segment_bytes=100000)
    client = admin_api.AdminClient({"bootstrap.servers": broker.bootstrap})
    r = resource(admin_api.RESOURCE_TOPIC, "t", **{"retention.ms": "99"})
    client.alter_configs([r])[r].result(timeout=10)
    now = describe(client, admin_api.RESOURCE_TOPIC, "t")
    assert now["retention.ms"].value == "99" and now["segment.bytes"].is_default
    r = resource(admin_api.RESOURCE_TOPIC, "t", **{"no.such.key": "1"})
    with pytest.raises(Exception, match="no.such.key"):
        client.alter_configs([r])[r].result(timeout=10)


def test_broker_configs_at_run_time(cluster):
    """Defaults of topics change without a restart, for all brokers or one; they hold after a restart."""
    broker = cluster.start_broker(1)
    broker.create_topic("t", 1)
    configs_tool(broker, "--alter", "--entity-type", "brokers", "--entity-default", "--add-config", "log.retention.ms=5000,message.max.bytes=2000")
    configs_tool(broker, "--alter", "--entity-type", "brokers", "--entity-name", str(broker.id), "--add-config", "message.max.bytes=1000")
    assert set(dynamic(broker, "brokers", None)) == {"log.retention.ms", "message.max.bytes"}
    assert "DYNAMIC_BROKER_CONFIG:message.max.bytes=1000, DYNAMIC_DEFAULT_BROKER_CONFIG:message.max.bytes=2000" in \
        dynamic(broker, "brokers", str(broker.id))["message.max.bytes"]
    refused = broker.produce_lines("t", ["x" * 1500], "--property", "delivery.timeout.ms=3000", check=False)
    assert refused.status == 1 and "max.message.bytes" in refused.err, refused
    described = {c["key"]: c for c in broker.correio("config", "describe", "topic", "t", "--json").json()}
    assert described["retention.ms"]["value"] == "5000" and described["retention.ms"]["source"] == "dynamic-default"
    broker.terminate()
    broker.restart()
    described = {c["key"]: c for c in broker.correio("config", "describe", "broker", broker.id, "--json").json()}
    assert described["message.max.bytes"]["value"] == "1000" and described["log.retention.ms"]["source"] == "dynamic-default"
    broker.correio("config", "alter", "broker", str(broker.id), "--remove", "message.max.bytes")
    broker.correio("config", "alter", "broker", "default", "--remove", "message.max.bytes")
    wait_for("the larger record", lambda: broker.produce_lines("t", ["x" * 1500], check=False).status == 0)
    static = configs_tool(broker, "--alter", "--entity-type", "brokers", "--entity-name", str(broker.id), "--add-config", "broker.rack=r1", check=False)
    assert static.status != 0 and "restart" in static.err + static.out
    # A tool of Kafka that writes ZooKeeper itself is heard too.
    with znodes(cluster) as zk:
        zk.set("/config/brokers/<default>", b'{"version":1,"config":{"log.retention.ms":"6000"}}')
    deadline = time.monotonic() + 15
    while {c["key"]: c["value"] for c in broker.correio("config", "describe", "topic", "t", "--json").json()}["retention.ms"] != "6000":
        assert time.monotonic() < deadline
