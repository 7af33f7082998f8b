"""Clients from before Kafka 2.1: librdkafka told to speak the protocol of 0.9 and 0.10, and frames of our own; the same frames to Kafka
3.9.1, whose answers ours are held against."""
import pytest

from cluster import run, wait_for
from kafka import KafkaBroker
from old_frames import TOPIC, Peer, batch, message, parse_set, wrapper

CODECS = ["none", "gzip", "snappy", "lz4"]
NOW = ()
OLD = {version: ("-X", "api.version.request=false", "-X", f"broker.version.fallback={version}") for version in ("0.10.0", "0.9.0")}


def kcat(broker, *args, **kwargs):
    return run(["kcat", "-b", broker.bootstrap, "-m", "10", *args], seconds=30, **kwargs)


def read(broker, topic, how):
    return kcat(broker, *how, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%o %k:%s\\n").out.splitlines()


# --- librdkafka --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("version", list(OLD))
def test_old_and_new_clients_read_each_others_records(broker, version):
    lines = [f"key{i}:value {i} " + "x" * (i % 90) for i in range(2000)]
    text = "".join(x + "\n" for x in lines)
    for codec in CODECS:
        topic = f"t-{codec}"
        broker.create_topic(topic, 1)
        kcat(broker, *OLD[version], "-P", "-t", topic, "-K:", "-z", codec, stdin=text)
        kcat(broker, "-P", "-t", topic, "-K:", "-z", codec, "-H", "a=b", stdin=text)
        expected = [f"{i} {x}" for i, x in enumerate(lines + lines)]
        assert read(broker, topic, NOW) == expected
        assert read(broker, topic, OLD[version]) == expected, codec


def test_old_clients_cannot_have_zstd(broker):
    broker.create_topic("t", 1)
    kcat(broker, "-P", "-t", "t", "-z", "zstd", stdin="x" * 1000 + "\n")
    peer = Peer(broker.port)
    assert [peer.fetch(version, 0)[0] for version in range(5)] == [76, 76, 76, 76, 0]  # 4 and later get it as it is
    peer.close()


def test_conversion_may_be_forbidden(broker):
    broker.create_topic("t", 1, message_downconversion_enable="false")
    broker.produce_lines("t", ["x"])
    peer = Peer(broker.port)
    assert [peer.fetch(version, 0)[0] for version in range(5)] == [35, 35, 35, 35, 0]
    peer.close()


def test_many_large_conversions_do_not_hold_the_loop(broker):
    """Requests of one connection keep their order though a large set goes to the pool and a small one does not."""
    broker.create_topic("t", 1, max_message_bytes=4_000_000)
    large = wrapper(1, 2, b"".join(message(1, i, None, bytes([65 + i]) * 1_000_000) for i in range(3)))
    peer = Peer(broker.port)
    expected = 0
    for _ in range(5):
        assert peer.produce(2, large) == (0, expected, False)
        assert peer.produce(2, message(1, 0, b"k", b"small")) == (0, expected + 3, False)
        expected += 4
    error, end, records = peer.fetch(3, 0, max_bytes=1 << 26, request_max_bytes=1 << 26)
    got = parse_set(records)
    assert (error, end) == (0, 20) and [m[0] for m in got] == [2, 3, 6, 7, 10, 11, 14, 15, 18, 19]
    assert [len(m[5]) for m in got] == [3, 5] * 5
    peer.close()


# --- beside Kafka --------------------------------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def kafka(zookeeper, tmp_path_factory):
    broker = KafkaBroker(zookeeper.address + "/kafka", 1, tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.terminate()


@pytest.fixture
def both(cluster, kafka):
    """Peers of our broker and of Kafka; the topic is theirs to make."""
    peers = [Peer(cluster.start_broker(1).port), Peer(kafka.port)]
    yield peers
    assert [p.delete_topic() for p in peers] == [0, 0]
    for p in peers:
        p.close()
    # Kafka answers when its picture of the cluster has forgotten the topic; the znodes go a little later.
    zk = cluster.zookeeper.client("/kafka")
    wait_for("Kafka's deletion", lambda: not zk.exists(f"/brokers/topics/{TOPIC.decode()}") and not zk.get_children("/admin/delete_topics"))
    zk.stop()
    zk.close()


def same(both, what, *args, **kwargs):
    ours, theirs = (getattr(p, what)(*args, **kwargs) for p in both)
    assert ours == theirs, (what, args, kwargs)
    return ours


def same_fetch(both, version, offset, **limits):
    (error, end, records), theirs = (p.fetch(version, offset, **limits) for p in both)
    assert (error, end) == theirs[:2], (version, offset)
    # Kafka cuts an answer at the size of what is stored; we, at what was asked for
    ours, kafkas = parse_set(records), parse_set(theirs[2])
    assert ours[:len(kafkas)] == kafkas and bool(ours) == bool(kafkas), (version, offset)
    return len(kafkas) / max(1, len(ours))


PLAIN = [message(1, 0, b"k0", b"v0"), message(1, 1, None, b"v1", timestamp=1_699_999_999_000), message(1, 2, b"", None)]


def fill(both):
    """Sets and batches of each format and version that may carry it; all offsets from 0 to the returned one."""
    zero = b"".join(message(0, i, b"k", b"v%d" % i) for i in range(3))
    inner = b"".join(message(1, i, b"k", b"v%d" % i, timestamp=1_700_000_000_000 - i) for i in range(4))
    sets = [(0, zero), (1, zero), (2, zero), (2, b"".join(PLAIN)), (0, b"".join(PLAIN)), (2, wrapper(1, 3, inner)), (2, wrapper(0, 0, zero)),
            (1, wrapper(1, 0, inner)), (2, message(1, 0, b"k", b"claims append time", attributes=8)),
            (2, wrapper(1, 3, inner, attributes=8, timestamp=1_600_000_000_000)), (2, message(1, 7, b"cut", b"tail") + PLAIN[0][:-1]),
            (3, batch([(b"k", b"v", []), (None, b"headers", [(b"h", b"x"), (b"n", None)]), (b"", None, [])])),
            (7, batch([(b"k%d" % i, b"v" * i, [(b"h", b"")]) for i in range(20)], codec=1))]
    for version, records in sets:
        assert same(both, "produce", version, records)[0] == 0
    return both[0].offsets_before(-1, 1)[1][0]


def test_answers_of_old_versions_are_kafkas(both):
    assert same(both, "create_topic") == 0
    assert same(both, "create_topic") == 36
    end = fill(both)
    assert end > 40
    compared = [same_fetch(both, version, offset) for version in range(4) for offset in [*range(end + 1), end + 1]]
    assert sum(compared) > 0.7 * len(compared)
    # what Fetch 4 gets is stored as we choose; records are the same
    assert both[0].fetch(4, 0)[:2] == both[1].fetch(4, 0)[:2]
    for timestamp in (-1, -2, 0, 1 << 60):
        same(both, "offsets_before", timestamp, 10)
    for version in range(4):
        for epoch in (-1, 0, 1, 99):
            same(both, "end_of_epoch", version, epoch)


def test_append_time_is_told_as_kafka_does(both):
    assert same(both, "create_topic", message_timestamp_type="LogAppendTime") == 0
    for version, records in ((2, b"".join(PLAIN)), (1, wrapper(1, 0, PLAIN[0])), (3, batch([(b"k", b"v", [])] * 3, codec=1))):
        assert same(both, "produce", version, records)[2] == (version >= 2)
    for version in range(4):
        got = [parse_set(p.fetch(version, 0)[2]) for p in both]
        without_time = [[(m[0], m[1], m[2], m[4], len(m[5] or b"")) for m in x] for x in got]
        assert without_time[0] == without_time[1]
        assert [m[2] & 8 for m in got[0]] == [8 if version >= 2 else 0] * len(got[0])


def test_what_kafka_refuses_is_refused(both):
    assert same(both, "create_topic", cleanup_policy="delete", max_message_bytes="5000") == 0
    inner = b"".join(message(1, i, b"k", b"v") for i in range(3))
    damaged = bytearray(PLAIN[0])
    damaged[-1] ^= 1
    cases = {
        "checksum": (2, bytes(damaged)),
        "inner checksum": (2, wrapper(1, 0, bytes(damaged))),
        "nested": (2, wrapper(1, 0, wrapper(1, 0, PLAIN[0]))),
        "beside a wrapper": (2, PLAIN[0] + wrapper(1, 2, inner)),
        "two wrappers": (2, wrapper(1, 2, inner) * 2),
        "wrapper's offset": (2, wrapper(1, 1, inner)),
        "other format inside": (2, wrapper(1, 2, message(0, 0, b"k", b"v"))),
        "empty wrapper": (2, wrapper(1, 0, b"")),
        "wrapper of null": (2, message(1, 0, None, None, attributes=1)),
        "zstd": (2, message(1, 0, None, b"xxxx", attributes=4)),
        "negative time": (2, message(1, 0, b"k", b"v", timestamp=-2)),
        "too large": (2, message(1, 0, b"k", b"v" * 6000)),
        "too large together": (2, b"".join(message(1, i, b"k", b"v" * 1000) for i in range(8))),
        "old format in 3": (3, PLAIN[0]),
        "batch in 2": (2, batch([(b"k", b"v", [])])),
        "two batches in 3": (3, batch([(b"k", b"v", [])]) * 2),
        "zstd in 3": (3, batch([(b"k", b"v", [])], codec=4)),
        "nothing in 2": (2, b""),
        "nothing in 3": (3, b""),
        "a piece": (2, PLAIN[0][:20]),
        "length": (2, PLAIN[0][:8] + b"\0\0\0\5" + PLAIN[0][12:]),
    }
    differences = {}
    for name, (version, records) in cases.items():
        ours, theirs = (p.produce(version, records) for p in both)
        if ours != theirs:
            differences[name] = (ours, theirs)
    assert differences == {"negative time": ((32, -1, False), (-1, -1, False))}  # Kafka stumbles over it


def test_limits_of_old_fetches(both):
    """Never more than asked but for one message; whole messages only. Kafka cuts elsewhere: what it sends whole begins the same."""
    assert same(both, "create_topic") == 0
    for i in range(5):
        same(both, "produce", 3, batch([(b"k%d" % k, b"v" * 100, []) for k in range(10)], codec=i % 2))
    for version in range(4):
        for max_bytes in (1, 100, 1000, 3000, 10000):
            (_, _, ours), (_, _, theirs) = (p.fetch(version, 0, max_bytes=max_bytes) for p in both)
            mine, kafkas = parse_set(ours), parse_set(theirs)
            assert len(ours) <= max_bytes or len(mine) == 1
            assert len(mine) >= 1
            assert mine[:len(kafkas)] == kafkas[:len(mine)]
    for request_max_bytes in (1, 500, 2000):
        ours = both[0].fetch(3, 0, request_max_bytes=request_max_bytes)[2]
        assert len(ours) <= request_max_bytes or len(parse_set(ours)) == 1
