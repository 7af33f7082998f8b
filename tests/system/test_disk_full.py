"""A full disk is an answer: producers wait or are told, readers go on, deletion frees, a start on the full disk works."""
import contextlib
import os
import subprocess

import pytest

from cluster import wait_for


@pytest.fixture
def small_disk(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("mounting a tmpfs needs root")
    path = tmp_path / "small"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(path)], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"no mounting here: {mounted.stderr}")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


@pytest.mark.parametrize("min_free", [4194304, 0], ids=["guarded", "unguarded"])
def test_full_disk(small_disk, cluster, min_free):
    broker = cluster.start_broker(1, {"log.dirs": small_disk / "data", "log.dirs.min.free.bytes": min_free})
    broker.create_topic("keep", 1, file_delete_delay_ms=0)
    broker.create_topic("fill", 1, segment_bytes=8000000, file_delete_delay_ms=0)
    broker.produce_lines("keep", [f"r{i}" for i in range(100)])
    full = broker.correio("bench", "produce", "--topic", "fill", "--num-records", 100000, "--record-size", 1024, "--acks", "all",
                          "--property", "delivery.timeout.ms=3000", "--property", "request.timeout.ms=2000", check=False, seconds=90)
    assert full.status == 1 and ("KAFKA_STORAGE_ERROR" in full.err or "space" in full.err), full
    assert broker.alive()
    # A batch that did not fit may have left the space of almost one batch (1 MiB) free: more than that.
    result = broker.produce_lines("keep", ["refused " * 2000] * 200, "--property", "delivery.timeout.ms=2000",
                                   "--property", "request.timeout.ms=1000", check=False)
    assert result.status == 1 and "space" in result.err, result
    assert len(broker.consume_lines("keep", 100)) == 100
    # With no room for the marker of a clean stop it says so, and the next start looks the logs over.
    assert broker.terminate() == 0 or "stop_not_clean" in broker.output()
    if min_free == 0:  # not a byte left
        ballast = os.open(small_disk / "ballast", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while True:
                os.write(ballast, b"\0" * 4096)
        os.close(ballast)
    broker.restart()
    assert len(broker.consume_lines("keep", 100)) == 100
    broker.topics("--delete", "--topic", "fill")
    wait_for("the space to come back", lambda: os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize > 30 << 20)
    wait_for("producing again", lambda: broker.produce_lines("keep", ["again"], check=False).status == 0)
    # Some of the batches refused to their producer may have found the last free bytes, and stand before it.
    kept = broker.correio("consume", "keep", "--from-beginning", "--timeout-ms", 3000).out.splitlines()
    assert kept[:100] == [f"r{i}" for i in range(100)] and "again" in kept[100:]
