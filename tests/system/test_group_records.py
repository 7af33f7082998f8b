"""What is written to __consumer_offsets is what Kafka writes: Kafka's own formatters read it."""
import asyncio
import json

from group_members import OK, Member
from kafka import tool
from test_group_scale import commit, ready


async def fill(broker):
    connection = await ready(broker.port, "simple")
    await commit(connection, "simple", "t", {0: 11, 1: 12})
    member = Member(broker.port, "grouped", "t", 2, heartbeat_s=0.2, commit_s=0.1)
    task = asyncio.create_task(member.run())
    while member.acknowledged == 0:
        assert not task.done() or task.exception() is None, task.exception()
        await asyncio.sleep(0.02)
    _, state, members = await connection.describe("grouped")
    assert (state, members) == ("Stable", 1)
    member.leaving.set()
    await task
    offsets, error = await connection.fetch("grouped")
    assert error == OK
    return offsets["t", 2]


def read(broker, formatter):
    """Everything in the topic, as the formatter prints it: until nothing has come for a while."""
    out = tool("org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", broker.bootstrap, "--topic", "__consumer_offsets",
               "--from-beginning", "--formatter", f"org.apache.kafka.tools.consumer.{formatter}", "--consumer-property",
               "exclude.internal.topics=false", "--consumer-property", "group.id=reader", "--consumer-property",
               "enable.auto.commit=false", "--timeout-ms", 4000, seconds=90, check=False).out
    records, decoder = [], json.JSONDecoder()
    while (at := out.find("{")) >= 0:  # one behind the other, without line ends
        record, end = decoder.raw_decode(out[at:])
        records.append(record)
        out = out[at + end:]
    return records


def test_kafkas_formatters_read_our_records(cluster):
    broker = cluster.start_broker(1, {"offsets.topic.num.partitions": 3, "group.initial.rebalance.delay.ms": 0})
    broker.create_topic("t", 3)
    offset = asyncio.run(fill(broker))
    offsets = read(broker, "OffsetsMessageFormatter")
    seen = {(r["key"]["data"]["group"], r["key"]["data"]["topic"], r["key"]["data"]["partition"]): r for r in offsets}
    simple = seen["simple", "t", 1]
    assert simple["key"]["version"] == 1 and simple["value"]["version"] == 3, simple
    assert simple["value"]["data"]["offset"] == 12 and simple["value"]["data"]["metadata"] == "", simple
    assert seen["grouped", "t", 2]["value"]["data"]["offset"] == offset
    groups = [r for r in read(broker, "GroupMetadataMessageFormatter") if r["key"]["data"]["group"] == "grouped"]
    assert [r["value"]["version"] for r in groups] == [3, 3], groups
    first, last = (r["value"]["data"] for r in groups)
    assert (first["generation"], first["protocolType"], first["protocol"], len(first["members"])) == (1, "consumer", "range", 1), first
    assert first["members"][0]["clientId"] == "members" and first["members"][0]["sessionTimeout"] == 45000, first
    assert (last["generation"], last["protocol"], last["leader"], last["members"]) == (2, None, None, []), last
    configs = broker.topics("--describe", "--topic", "__consumer_offsets").out
    assert "cleanup.policy=compact" in configs and "segment.bytes=104857600" in configs, configs
