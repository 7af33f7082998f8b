"""What no client would send: a clear error or a closed connection, bounded memory, and nobody else notices."""
import ctypes
import struct
import subprocess
import time

import pytest

import native
from cluster import CORREIO

INFLATED_MIB = 10 * 1024


def zstd_bomb():
    """1 MiB of zstd that claims to be one record of 10 GiB: frames of repeated zeros, made by the zstd program's library."""
    lib = ctypes.CDLL("libzstd.so.1")
    lib.ZSTD_compressBound.restype = ctypes.c_size_t
    lib.ZSTD_compress.restype = ctypes.c_size_t
    zeros = b"\0" * (64 << 20)
    out = ctypes.create_string_buffer(1 << 20)
    n = lib.ZSTD_compress(out, ctypes.c_size_t(1 << 20), zeros, ctypes.c_size_t(len(zeros)), 3)
    frame = out.raw[:n]
    return frame * (INFLATED_MIB // 64)


GOOD = native.batch(native.record(b"value"), 1)
BATCHES = {
    "wrong crc": native.batch(native.record(b"v"), 1, crc=1),
    "count above the records": native.batch(native.record(b"v"), 1000000),
    "count zero": native.batch(b"", 0),
    "negative count": native.batch(native.record(b"v"), -1, last_offset_delta=0),
    "offset delta above the count": native.batch(native.record(b"v"), 1, last_offset_delta=500),
    "length beyond the payload": native.batch(native.record(b"v"), 1, length=1 << 30),
    "negative length": native.batch(native.record(b"v"), 1, length=-5),
    "record longer than the batch": native.batch(native.zigzag(1 << 30) + b"x", 1),
    "control batch": native.batch(native.record(b"v"), 1, codec=0x20),
    "unknown codec": native.batch(native.record(b"v"), 1, codec=7),
    "not gzip": native.batch(b"garbage", 1, codec=1),
    "not snappy": native.batch(b"garbage", 1, codec=2),
    "not lz4": native.batch(b"garbage", 1, codec=3),
    "two batches": GOOD + GOOD,
    "half a header": GOOD[:30],
    "empty": b"",
}


@pytest.fixture
def good_client(broker):
    """A client beside the attack, which must not notice: 20,000 records at an even pace."""
    broker.create_topic("good", 1)
    load = subprocess.Popen(
        [str(a) for a in (CORREIO, "bench", "produce", "--topic", "good", "--num-records", 20000, "--record-size", 100,
                          "--rate", 5000, "--acks", "all", "--bootstrap-server", broker.bootstrap)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    yield load
    out, err = load.communicate(timeout=60)
    assert load.returncode == 0, err


UNKNOWN_TOPIC_OR_PARTITION = 3


def produce_once(broker, data):
    """The answer; None when the connection was closed. A loop that has not heard of the new topic yet is asked again."""
    for _ in range(200):
        c = native.Connection(broker.port, greet=True)
        c.send(data)
        answer = c.read()
        c.close()
        if answer is None or partition_error(answer)[0] != UNKNOWN_TOPIC_OR_PARTITION:
            return answer
        time.sleep(0.01)
    raise AssertionError("the topic stays unknown")


def partition_error(answer):
    """error_code and message of the only partition of a ProduceResponse."""
    header = answer[0]
    if header.get(2, [0])[0]:
        return header[2][0], header.get(3, [b""])[0].decode()
    topic = native.parse(native.parse(header[12][0])[1][0])
    partition = native.parse(topic[2][0])
    return partition.get(2, [0])[0], partition.get(3, [b""])[0].decode()


@pytest.mark.parametrize("kind", BATCHES)
def test_bad_batches_are_refused_with_a_reason(broker, kind):
    broker.create_topic("t", 1)
    answer = produce_once(broker, native.produce("t", 0, BATCHES[kind]))
    if answer is not None:
        code, message = partition_error(answer)
        assert code != 0, (kind, answer)
        assert message, kind
    assert partition_error(produce_once(broker, native.produce("t", 0, GOOD)))[0] == 0
    assert broker.consume_lines("t", 1) == ["value"]


def test_frames_that_lie_about_their_length(broker, good_client):
    broker.create_topic("t", 1)
    before = broker.rss_kib()
    keep = []
    for length in (-1, 0, 1, 3, 2**31 - 1, -2**31, 100 << 20):
        for _ in range(50):
            c = native.Connection(broker.port)
            c.send(struct.pack(">i", length) + b"\1\2\3")
            keep.append((length, c))
    for header_length in (0, 5, 1 << 31, 0xFFFFFFFF):
        c = native.Connection(broker.port)
        c.send(struct.pack(">II", 12, header_length) + b"12345678")
        keep.append((header_length, c))
    for cut in range(1, len(native.hello()) - 8):  # protobuf cut anywhere
        body = native.hello()[8:8 + cut]
        c = native.Connection(broker.port)
        c.send(native.frame(body))
        keep.append((cut, c))
    c = native.Connection(broker.port)
    c.send(native.produce("t", 0, GOOD, claimed=1 << 31))
    answer = c.read()
    assert answer is None or partition_error(answer)[0] != 0
    assert partition_error(produce_once(broker, native.produce("t", 0, GOOD)))[0] == 0
    assert broker.rss_kib() - before <= 32 << 10
    for _, c in keep:
        c.close()


def test_garbage_instead_of_a_protocol(broker, good_client):
    for data in (b"GET / HTTP/1.1\r\n\r\n", b"CORREIO2" + b"\0" * 20, b"\x16\x03\x01\x02\x00" * 10, b"\xff" * 100, b"\0" * 100):
        c = native.Connection(broker.port, preface=False)
        c.send(data)
        assert c.read() is None
        c.close()


def test_zstd_bomb_costs_bounded_memory(broker, good_client):
    broker.create_topic("t", 1, max_message_bytes=4 << 20)
    before = broker.rss_kib()
    peak = broker.status_value("VmHWM")
    body = zstd_bomb()
    tail = native.batch(body, 1, codec=4)
    assert len(tail) <= 2 << 20
    answer = produce_once(broker, native.produce("t", 0, tail))
    code, message = partition_error(answer)
    assert code != 0 and message
    assert broker.status_value("VmHWM") - peak <= 32 << 10 and broker.rss_kib() - before <= 32 << 10


def test_silent_connections_cost_little(broker):
    before = broker.rss_kib()
    connections = [native.Connection(broker.port, preface=i % 2 == 0) for i in range(500)]
    broker.create_topic("t", 1)
    broker.produce_lines("t", ["x"])
    assert broker.rss_kib() - before <= 500 * 8 + 4096
    for c in connections:
        c.close()
