"""Records in and out: codecs, keys, headers, time, order, limits."""
import json

import pytest


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_codecs_round_trip(broker, codec):
    broker.create_topic("t", 3)
    lines = [f"key{i % 7}:value {i} " + "x" * (i % 50) for i in range(2000)]
    broker.produce_lines("t", lines, "--key-separator", ":", "--compression", codec)
    got = broker.consume_lines("t", len(lines), "--print-key", "--key-separator", ":")
    assert sorted(got) == sorted(lines)
    for key in range(7):  # one key, one partition: its records keep their order
        mine = [x for x in lines if x.startswith(f"key{key}:")]
        assert [x for x in got if x.startswith(f"key{key}:")] == mine


def test_headers_timestamps_and_partitions(broker):
    broker.create_topic("t", 4)
    broker.produce_lines("t", ["hello"], "--partition", 2, "--header", "trace=abc", "--header", "empty=")
    out = broker.correio("consume", "t", "--from-beginning", "--max-messages", 1, "--timeout-ms", 10000, "--json").json()
    record = out[0] if isinstance(out, list) else out
    assert record["partition"] == 2 and record["offset"] == 0 and record["value"] == "hello"
    assert record["timestamp"] > 1_600_000_000_000
    assert "abc" in json.dumps(record["headers"])


def test_segments_roll_and_offsets_survive_a_restart(broker):
    broker.create_topic("t", 1, segment_bytes=20000)
    lines = [f"{i:06d} " + "y" * 100 for i in range(3000)]
    broker.produce_lines("t", lines, "--batch-size", 2000)
    segments = sorted((broker.dir / "data" / "t-0").glob("*.log"))
    assert len(segments) > 5
    assert broker.consume_lines("t", len(lines)) == lines
    assert broker.terminate() == 0
    assert (broker.dir / "data" / ".kafka_cleanshutdown").exists()
    broker.restart()
    assert broker.consume_lines("t", len(lines)) == lines
    got = broker.correio("consume", "t", "--offset", 2990, "--partition", 0, "--max-messages", 10, "--timeout-ms", 10000)
    assert got.out.splitlines() == lines[2990:]


def test_retention_by_size_drops_whole_segments(cluster):
    broker = cluster.start_broker(1, {"log.retention.check.interval.ms": 100})
    broker.create_topic("t", 1, segment_bytes=10000, retention_bytes=30000, file_delete_delay_ms=0)
    broker.produce_lines("t", ["z" * 100] * 3000, "--batch-size", 2000)
    from cluster import wait_for
    wait_for("old segments to go", lambda: sum(
        p.stat().st_size for p in (broker.dir / "data" / "t-0").glob("*.log")) <= 45000)
    first = broker.correio("consume", "t", "--from-beginning", "--max-messages", 1, "--timeout-ms", 10000, "--json").json()
    first = first[0] if isinstance(first, list) else first
    assert first["offset"] > 0


def test_too_large_and_unknown_are_told_apart(broker):
    broker.create_topic("t", 1, max_message_bytes=1000)
    result = broker.produce_lines("t", ["x" * 5000], check=False)
    assert result.status == 1 and "max.message.bytes" in result.err
    result = broker.produce_lines("tt", ["x"], check=False)
    assert result.status == 1 and "tt" in result.err and "did you mean" in result.err.lower()
    broker.produce_lines("t", ["fits"])
    assert broker.consume_lines("t", 1) == ["fits"]


def test_wrong_broker_is_followed_to_the_leader(cluster):
    one, two = cluster.start_broker(1), cluster.start_broker(2)
    one.topics("--create", "--topic", "t", "--replica-assignment", "1,2")
    lines = [f"k{i}:v{i}" for i in range(200)]
    two.produce_lines("t", lines, "--key-separator", ":")
    got = one.correio("consume", "t", "--from-beginning", "--max-messages", 200, "--timeout-ms", 20000, "--print-key",
                      "--key-separator", ":").out.splitlines()
    assert sorted(got) == sorted(lines)


def test_log_dump_reads_what_was_written(broker):
    broker.create_topic("t", 1)
    broker.produce_lines("t", ["a:1", "b:2", "c:3"], "--key-separator", ":", "--compression", "zstd")
    from cluster import CORREIO, run
    path = broker.dir / "data" / "t-0" / "00000000000000000000.log"
    out = run([CORREIO, "log", "dump", path, "--records", "--json"]).out
    assert all(word in out for word in ('"a"', '"b"', '"c"', "zstd"))
    data = bytearray(path.read_bytes())
    data[70] ^= 1
    broken = broker.dir / "00000000000000000000.log"
    broken.write_bytes(data)
    result = run([CORREIO, "log", "dump", broken], check=False)
    assert result.status == 1 and "crc" in (result.out + result.err).lower()


def test_kafkas_dump_tool_reads_our_files(broker):
    from kafka import tool
    broker.create_topic("t", 1, segment_bytes=50000)
    broker.produce_lines("t", [f"{i} " + "q" * 200 for i in range(2000)], "--batch-size", 4000, "--compression", "lz4")
    assert broker.terminate() == 0
    directory = broker.dir / "data" / "t-0"
    for path in sorted(p for p in directory.iterdir() if p.suffix in (".log", ".index", ".timeindex")):
        out = tool("kafka.tools.DumpLogSegments", "--files", path, "--deep-iteration").out
        for bad in ("isvalid: false", "Found timestamp mismatch", "Found out of order", "Index position", "Mismatches"):
            assert bad not in out, (path, out[-2000:])
