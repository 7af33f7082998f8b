"""Clients of Kafka, unchanged, against our broker: kcat and librdkafka's Python client, and frames of our own for the edges."""
import json
import socket
import struct

import pytest

from cluster import run, wait_for

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
confluent = pytest.importorskip("confluent_kafka", reason="python3-confluent-kafka is not installed")
admin_api = pytest.importorskip("confluent_kafka.admin")


def kcat(broker, *args, **kwargs):
    return run(["kcat", "-b", broker.bootstrap, "-m", "10", *args], seconds=30, **kwargs)


def all_records(broker, topic, fmt):
    return kcat(broker, "-C", "-t", topic, "-e", "-q", "-f", fmt + "\\n").out.splitlines()


# --- kcat ---------------------------------------------------------------------------------------------------------------

def test_metadata_lists_brokers_and_topics(broker):
    broker.create_topic("seen", 3)
    m = json.loads(kcat(broker, "-L", "-J").out)
    assert [b["name"] for b in m["brokers"]] == [broker.bootstrap] and m["controllerid"] == broker.id
    topics = {t["topic"]: t for t in m["topics"]}
    assert [p["leader"] for p in topics["seen"]["partitions"]] == [broker.id] * 3
    missing = json.loads(kcat(broker, "-L", "-J", "-t", "missing").out)["topics"][0]
    assert "Unknown topic" in missing["error"]


@pytest.mark.parametrize("codec", CODECS)
def test_codecs_keys_headers_and_tombstones(broker, codec):
    broker.create_topic("t", 3)
    lines = [f"key{i % 7}:value {i} " + "x" * (i % 50) for i in range(2000)] + ["key0:"]
    kcat(broker, "-P", "-t", "t", "-K:", "-z", codec, "-Z", "-H", "trace=abc", stdin="".join(x + "\n" for x in lines))
    got = all_records(broker, "t", "%k:%s|%S|%h")
    assert sorted(x.split("|")[0] for x in got) == sorted(lines)
    assert {x.split("|")[2] for x in got} == {"trace=abc"}
    assert [x.split("|")[1] for x in got if x.startswith("key0:|")] == ["-1"]  # a tombstone, not an empty value
    for key in range(7):  # one key, one partition: its records keep their order
        mine = [x for x in lines if x.startswith(f"key{key}:")]
        assert [x.split("|")[0] for x in got if x.startswith(f"key{key}:")] == mine


def test_compressed_batches_are_stored_compressed(broker):
    """librdkafka sends uncompressed, without a word, if it takes us for a broker that does not know the codec."""
    broker.create_topic("t", 5)
    for partition, codec in enumerate(CODECS):
        kcat(broker, "-P", "-t", "t", "-p", partition, "-z", codec, stdin=("z" * 200 + "\n") * 500)
    with connect(broker) as sock:
        versions = ask(sock, header(18, 0))
    keys = {struct.unpack(">h", versions[i:i + 2])[0] for i in range(10, len(versions), 6)}
    assert {0, 1, 3, 18} <= keys
    sizes = [(broker.dir / "data" / f"t-{p}" / f"{0:020}.log").stat().st_size for p in range(5)]
    if 10 not in keys:  # librdkafka takes FindCoordinator 0 for the sign of a broker that knows lz4
        sizes.pop(CODECS.index("lz4"))
    assert sizes[0] > 100_000 and max(sizes[1:]) < sizes[0] / 10, sizes


def test_offsets_by_time(broker):
    broker.create_topic("t", 1)
    for i in range(3):
        kcat(broker, "-P", "-t", "t", "-p", 0, stdin=f"{i}\n")
    stamps = [int(x) for x in all_records(broker, "t", "%T")]

    def offset(timestamp):
        return int(kcat(broker, "-Q", "-t", f"t:0:{timestamp}").out.split()[-1])
    assert offset(-2) == 0 and offset(-1) == 3
    assert offset(0) == 0 and offset(stamps[2]) == stamps.index(stamps[2])
    assert offset(stamps[2] + 1000) in (-1, 3)  # kcat tells "none" as the end


def test_kafka_and_native_clients_see_the_same_records(broker):
    broker.create_topic("t", 1)
    broker.produce_lines("t", ["from the native client"])
    kcat(broker, "-P", "-t", "t", stdin="from kcat\n")
    both = ["from the native client", "from kcat"]
    assert broker.consume_lines("t", 2) == both
    assert all_records(broker, "t", "%s") == both


# --- librdkafka's Python client -------------------------------------------------------------------------------------------

def admin_of(broker):
    return admin_api.AdminClient({"bootstrap.servers": broker.bootstrap})


def results(futures):
    return {name: future.result(timeout=20) for name, future in futures.items()}


def consumer_of(broker, topic, partition=0, offset=0, **settings):
    consumer = confluent.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "unused", "enable.auto.commit": False,
                                   "auto.offset.reset": "error", **settings})
    consumer.assign([confluent.TopicPartition(topic, partition, offset)])
    return consumer


def test_produced_records_come_back_with_offset_and_time(broker):
    broker.create_topic("t", 1)
    delivered = []
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap, "acks": "all", "linger.ms": 5})
    for i in range(1000):
        producer.produce("t", value=f"v{i}", key=None if i % 2 else f"k{i}", headers=[("n", str(i))], timestamp=1_700_000_000_000 + i,
                         on_delivery=lambda error, m: delivered.append((error, m.offset())))
    assert producer.flush(20) == 0
    assert delivered == [(None, i) for i in range(1000)]
    consumer = consumer_of(broker, "t", offset=10)
    got = consumer.consume(990, timeout=20)
    assert [m.value() for m in got] == [f"v{i}".encode() for i in range(10, 1000)]
    assert got[0].key() == b"k10" and got[1].key() is None and got[0].headers() == [("n", b"10")]
    assert got[0].timestamp()[1] == 1_700_000_000_010
    assert consumer.get_watermark_offsets(confluent.TopicPartition("t", 0), timeout=10) == (0, 1000)
    by_time = consumer.offsets_for_times([confluent.TopicPartition("t", 0, 1_700_000_000_500)], timeout=10)
    assert by_time[0].offset == 500
    consumer.close()


def test_topics_are_administered(broker):
    admin = admin_of(broker)
    new = [admin_api.NewTopic("made", 2, 1, config={"retention.ms": "123456"}),
           admin_api.NewTopic("placed", 2, replica_assignment=[[broker.id], [broker.id]])]
    results(admin.create_topics(new, operation_timeout=10))
    with pytest.raises(confluent.KafkaException) as again:
        results(admin.create_topics(new[:1], operation_timeout=10))
    assert again.value.args[0].code() == confluent.KafkaError.TOPIC_ALREADY_EXISTS
    results(admin.create_partitions([admin_api.NewPartitions("made", 5)], operation_timeout=10))
    topics = admin.list_topics(timeout=10).topics
    assert len(topics["made"].partitions) == 5 and len(topics["placed"].partitions) == 2
    resource = admin_api.ConfigResource("topic", "made")
    configs = results(admin.describe_configs([resource]))[resource]
    assert configs["retention.ms"].value == "123456" and configs["retention.ms"].source == 1
    assert configs["cleanup.policy"].value == "delete" and configs["cleanup.policy"].is_default
    of_broker = admin_api.ConfigResource("broker", str(broker.id))
    assert results(admin.describe_configs([of_broker]))[of_broker]["broker.id"].value == str(broker.id)
    results(admin.delete_topics(["made", "placed"], operation_timeout=10))
    assert "made" not in admin.list_topics(timeout=10).topics


def test_errors_reach_the_client(broker):
    broker.create_topic("t", 1, max_message_bytes=1000)
    errors = []
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap, "message.max.bytes": 100000})
    producer.produce("t", value="x" * 5000, on_delivery=lambda error, m: errors.append(error.code()))
    assert producer.flush(20) == 0
    assert errors == [confluent.KafkaError.MSG_SIZE_TOO_LARGE]
    consumer = consumer_of(broker, "t", offset=77)
    message = consumer.poll(20)
    assert message.error().code() in (confluent.KafkaError.OFFSET_OUT_OF_RANGE, confluent.KafkaError._AUTO_OFFSET_RESET)
    consumer.close()


def test_fire_and_forget_is_stored(broker):
    broker.create_topic("t", 1)
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap, "acks": 0})
    for i in range(100):
        producer.produce("t", value=str(i))
    assert producer.flush(20) == 0
    assert broker.consume_lines("t", 100) == [str(i) for i in range(100)]


def test_a_waiting_consumer_gets_a_record_at_once(broker):
    """The fetch waits at the broker; nobody polls."""
    broker.create_topic("t", 1)
    consumer = consumer_of(broker, "t", **{"fetch.wait.max.ms": 10000, "fetch.error.backoff.ms": 1})
    assert consumer.poll(0.5) is None
    broker.produce_lines("t", ["now"])
    message = consumer.poll(5)  # half of what the fetch would wait
    assert message is not None and message.value() == b"now"
    consumer.close()


# --- frames of our own ------------------------------------------------------------------------------------------------------

def header(key, version, correlation_id=7, client=b"test"):
    return struct.pack(">hhih", key, version, correlation_id, len(client)) + client


def connect(broker):
    return socket.create_connection(("127.0.0.1", broker.port), timeout=20)  # the broker closes after 10


def ask(sock, frame):
    """The answer behind its length; b"" when the broker closed the connection."""
    sock.sendall(struct.pack(">i", len(frame)) + frame)
    return answer(sock)


def answer(sock):
    got = b""
    while len(got) < 4 or len(got) < 4 + struct.unpack(">i", got[:4])[0]:
        try:
            more = sock.recv(1 << 20)
        except ConnectionResetError:
            more = b""
        if not more:
            return b""
        got += more
    return got[4:]


def test_unknown_version_of_api_versions_is_answered_in_the_oldest(broker):
    with connect(broker) as sock:
        correlation_id, error, count, key, low, high = struct.unpack(">ihihhh", ask(sock, header(18, 99) + b"whatever"))
        assert (correlation_id, error, count, key, low) == (7, 35, 1, 18, 0) and high >= 3
        again = ask(sock, header(18, 0))  # the connection goes on
        assert struct.unpack(">ih", again[:6]) == (7, 0)


@pytest.mark.parametrize("frame", [header(3, 99), header(4711, 0), header(1, 99) + b"\0" * 40, b"\0\3", header(3, 1) + b"\x7f\xff\xff\xff"],
                         ids=["version", "key", "new fetch", "too short", "hostile count"])
def test_what_cannot_be_answered_closes_the_connection(broker, frame):
    with connect(broker) as sock:
        assert ask(sock, frame) == b""
    assert json.loads(kcat(broker, "-L", "-J").out)["brokers"]


def old_produce(version, records):
    """Produce of one partition of topic t, acks=1."""
    return (header(0, version) + (struct.pack(">h", -1) if version >= 3 else b"") +
            struct.pack(">hii h1s i i i", 1, 1000, 1, 1, b"t", 1, 0, len(records)) + records)


def test_what_is_no_message_set_is_refused_per_partition(broker):
    broker.create_topic("t", 1)
    with connect(broker) as sock:
        got = ask(sock, old_produce(2, b"\0" * 30))
        assert struct.unpack(">ii h1s iih", got[:21]) == (7, 1, 1, b"t", 1, 0, 2)


def test_a_connection_may_begin_with_a_large_produce(broker):
    broker.create_topic("t", 1)
    with connect(broker) as sock:
        got = ask(sock, old_produce(7, b"\0" * 500_000))
        assert struct.unpack(">ii h1s ii", got[:19]) == (7, 1, 1, b"t", 1, 0)
        assert struct.unpack(">h", got[19:21])[0] in (2, 87)  # no batch, but the frame was taken
    with connect(broker) as sock:
        sock.sendall(struct.pack(">ihh", 500_000, 4711, 0))
        assert answer(sock) == b""  # not a request: what a stranger may send is small


def fetch_frame(max_wait_ms, min_bytes, max_bytes, partition_max_bytes, session=(0, -1)):
    """Fetch 11 of partition 0 of topic t from offset 0."""
    return (header(1, 11) + struct.pack(">iiiibii", -1, max_wait_ms, min_bytes, max_bytes, 0, *session) +
            struct.pack(">i h1s i iiqqi i h", 1, 1, b"t", 1, 0, -1, 0, -1, partition_max_bytes, 0, 0))


def fetched_bytes(got):
    """correlation id, throttle, error, session | one topic | partition, error, three offsets, aborted, replica | records"""
    assert struct.unpack(">iihi", got[:14]) == (7, 0, 0, 0)
    partition, error, *_ , aborted, replica, n = struct.unpack(">ihqqqiii", got[14 + 4 + 3 + 4:14 + 4 + 3 + 4 + 42])
    assert (partition, error, aborted, replica) == (0, 0, -1, -1) and n == len(got) - (14 + 4 + 3 + 4 + 42)
    return n


def test_limits_of_a_fetch_are_kept(broker):
    broker.create_topic("t", 1)
    broker.produce_lines("t", ["x" * 900] * 1000, "--batch-size", 10000)
    with connect(broker) as sock:
        first = fetched_bytes(ask(sock, fetch_frame(0, 1, 1 << 30, 1)))
        assert 900 < first < 12000  # one batch, whole, however small the limit
        assert fetched_bytes(ask(sock, fetch_frame(0, 1, 1 << 30, 100_000))) <= 100_000
        assert fetched_bytes(ask(sock, fetch_frame(0, 1, 50_000, 1 << 30))) <= 50_000
        assert fetched_bytes(ask(sock, fetch_frame(0, 1, 1 << 30, 1 << 30))) > 900_000


def incremental_fetch(sock, session, epoch, partitions=(), forgotten=()):
    """Fetch 11 within a session, of topic t: (error, session id, [(partition, error, high watermark, bytes)])."""
    frame = header(1, 11) + struct.pack(">iiiibii", -1, 0, 0, 1 << 20, 0, session, epoch)
    frame += struct.pack(">i", 1 if partitions else 0)
    if partitions:
        frame += struct.pack(">h1si", 1, b"t", len(partitions))
        frame += b"".join(struct.pack(">iiqqi", number, -1, offset, -1, 1 << 20) for number, offset in partitions)
    frame += struct.pack(">i", 1 if forgotten else 0)
    if forgotten:
        frame += struct.pack(">h1si", 1, b"t", len(forgotten)) + b"".join(struct.pack(">i", x) for x in forgotten)
    got = ask(sock, frame + struct.pack(">h", 0))
    correlation_id, _, error, session_id, topics = struct.unpack(">iihii", got[:18])
    assert correlation_id == 7
    at, answered = 18, []
    for _ in range(topics):
        name, count = struct.unpack(">h1si", got[at:at + 7])[1:]
        assert name == b"t"
        at += 7
        for _ in range(count):
            number, code, high_watermark, _, _, _, _, n = struct.unpack(">ihqqqiii", got[at:at + 42])
            at += 42 + n
            answered.append((number, code, high_watermark, n))
    assert at == len(got)
    return error, session_id, answered


def test_sessions_answer_only_what_is_new(broker):
    broker.create_topic("t", 3)
    with connect(broker) as sock:
        error, session, got = incremental_fetch(sock, 0, 0, [(0, 0), (1, 0), (2, 0)])
        assert error == 0 and session > 0 and [x[:3] for x in got] == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]
        assert incremental_fetch(sock, session, 1) == (0, session, [])
        broker.produce_lines("t", ["hello"], "--partition", 1)
        error, _, got = incremental_fetch(sock, session, 2)
        assert error == 0 and len(got) == 1 and got[0][:3] == (1, 0, 1) and got[0][3] > 60
        assert [x[0] for x in incremental_fetch(sock, session, 3)[2]] == [1]  # not moved on: the same records again
        assert incremental_fetch(sock, session, 4, [(1, 1)]) == (0, session, [])
        assert incremental_fetch(sock, session, 4) == (71, 0, [])  # used already
        assert incremental_fetch(sock, session, 5, [(7, 0)], [0])[2] == [(7, 3, -1, 0)]
        assert incremental_fetch(sock, session, 6)[2] == [(7, 3, -1, 0)]  # an error is told until it is over
        assert incremental_fetch(sock, session, 7, (), [1, 2, 7]) == (0, 0, [])  # nothing left: closed
        assert incremental_fetch(sock, session, 8) == (70, 0, [])
        error, second, _ = incremental_fetch(sock, 0, 0, [(0, 0)])
        assert error == 0 and second > 0
        assert incremental_fetch(sock, second, -1, [(0, 0)])[:2] == (0, 0)  # closes it, and wants no other
        assert incremental_fetch(sock, second, 1) == (70, 0, [])
    assert broker.metric("correio_fetch_sessions") == 0 and broker.metric("correio_fetch_session_partitions") == 0


def test_partitions_of_a_session_take_turns(broker):
    """Answers with room for one batch: each partition is served before any is served again."""
    broker.create_topic("t", 3)
    for partition in range(3):
        broker.produce_lines("t", ["x" * 900], "--partition", partition)
    with connect(broker) as sock:
        error, session, _ = incremental_fetch(sock, 0, 0, [(p, 1) for p in range(3)])  # at the end: nothing yet
        assert error == 0
        order, epoch = [], 1
        changed = [(p, 0) for p in range(3)]
        for _ in range(6):
            frame = header(1, 11) + struct.pack(">iiiibii", -1, 0, 1, 1000, 0, session, epoch)
            frame += struct.pack(">i", 1 if changed else 0)
            if changed:
                frame += struct.pack(">h1si", 1, b"t", 3) + b"".join(struct.pack(">iiqqi", p, -1, o, -1, 1000) for p, o in changed)
            got = ask(sock, frame + struct.pack(">ih", 0, 0))
            assert struct.unpack(">iihii", got[:18]) == (7, 0, 0, session, 1)
            order.append(struct.unpack(">i", got[25:29])[0])
            epoch, changed = epoch + 1, []
        assert order[:3] == order[3:] and sorted(order[:3]) == [0, 1, 2]


def test_epochs_tell_where_a_log_diverges(broker):
    broker.create_topic("t", 1)
    broker.produce_lines("t", ["a", "b", "c"])

    def end_of(epoch, current=-1):
        frame = header(23, 3) + struct.pack(">i i h1s i iii", -1, 1, 1, b"t", 1, 0, current, epoch)
        return struct.unpack(">ii i h1s i hiiq", got)[6:] if (got := ask(sock, frame)) else None
    with connect(broker) as sock:
        error, _, epoch, end = end_of(0)
        assert (error, epoch, end) == (0, 0, 3)
        assert end_of(99)[0:1] + end_of(99)[2:] == (0, -1, -1)
        assert end_of(0, current=7)[0] == 75 and end_of(0, current=7)[3] == -1  # UNKNOWN_LEADER_EPOCH


def test_peer_that_breaks_off_ends_its_long_poll(broker):
    broker.create_topic("t", 1)
    wait_for("no connection but the controller's", lambda: broker.metric("correio_connections") <= 1)
    before = broker.metric("correio_connections")
    with connect(broker) as sock:
        sock.sendall(struct.pack(">i", len(fetch_frame(60000, 1, 1000, 1000))) + fetch_frame(60000, 1, 1000, 1000))
        wait_for("the fetch to be taken", lambda: broker.metric("correio_connections") > before)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    wait_for("the connection to be forgotten", lambda: broker.metric("correio_connections") == before)


def flexible(key, version, body):
    return header(key, version) + b"\0" + body


def fetch_by_id(sock, topic_id):
    """Fetch 13 of partition 0 from offset 0: error, number of bytes."""
    partition = struct.pack(">iiqiqi", 0, -1, 0, -1, 0, 1 << 20) + b"\0"
    body = (struct.pack(">iiiibii", -1, 0, 1, 1 << 20, 0, 0, -1) + b"\2" + topic_id + b"\2" + partition + b"\0" + b"\1" + b"\1" + b"\0")
    got = ask(sock, flexible(1, 13, body))
    assert struct.unpack(">i", got[:4])[0] == 7 and got[16:32] == topic_id, got  # header, throttle, error, session, count
    return struct.unpack(">h", got[37:39])[0]


def test_topics_are_known_by_id(broker):
    import base64
    broker.create_topic("t", 1)
    broker.produce_lines("t", ["hello"])
    text = broker.topics("--describe", "--topic", "t").out.split("TopicId: ")[1].split()[0]
    topic_id = base64.urlsafe_b64decode(text + "==")
    with connect(broker) as sock:
        assert fetch_by_id(sock, topic_id) == 0
        assert fetch_by_id(sock, b"\1" * 16) == 100  # UNKNOWN_TOPIC_ID
        assert b"\2t" + topic_id in ask(sock, flexible(3, 12, b"\2" + topic_id + b"\0\0" + b"\0\0\0"))
        unknown = ask(sock, flexible(3, 12, b"\2" + b"\1" * 16 + b"\0\0" + b"\0\0\0"))
        assert struct.pack(">h", 100) + b"\0" + b"\1" * 16 in unknown
