"""Memory stays bounded; an idle broker is small and quick to start. Figures are printed; the bounds are the promises."""
import os
import socket
import threading
import time

import native
from cluster import BUILD, LONG, wait_for

SANITIZED = "asan" in str(BUILD) or "tsan" in str(BUILD)


def test_idle_broker_is_small(cluster):
    broker = cluster.start_broker(1)
    broker.create_topic("t", 3)
    rss, threads = broker.rss_kib() / 1024, len(os.listdir(f"/proc/{broker.pid}/task"))
    print(f"idle: {rss:.1f} MiB RSS, {threads} threads")
    if not SANITIZED:
        assert rss <= 15


def test_slow_consumer_and_fast_producer_cost_no_memory(broker):
    """A consumer that asks for much and reads nothing, beside a producer that never waits."""
    broker.create_topic("t", 4)
    size_mb = 1024 if LONG else 200
    broker.correio("bench", "produce", "--topic", "t", "--num-records", size_mb * 1000, "--record-size", 1024, "--acks", "1",
                   seconds=300)
    before = broker.rss_kib()
    slow = []
    for i in range(16):
        c = native.Connection(broker.port, greet=True)
        c.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            c.socket.settimeout(1)
            for correlation in range(200):  # asks for 50 MiB again and again, reads nothing
                c.send(native.fetch("t", i % 4, 0, correlation, max_bytes=50 << 20))
        except OSError:
            pass  # it no longer reads us: the back-pressure we are after
        slow.append(c)
    fast = []
    batch = native.batch(native.record(b"x" * 900000), 1)
    stop = threading.Event()

    def flood(partition):
        s = native.Connection(broker.port, greet=True).socket
        s.settimeout(0.5)
        n = 0
        while not stop.is_set() and n < 300:
            try:
                s.sendall(native.produce("t", partition, batch, acks=1, correlation=n))
                n += 1
            except OSError:
                return  # answers are not read: the broker stops reading in its turn
        fast.append(s)
    threads = [threading.Thread(target=flood, args=(p,)) for p in range(4)]
    for t in threads:
        t.start()
    peak, until = 0, time.monotonic() + 10
    while any(t.is_alive() for t in threads) and time.monotonic() < until:
        peak = max(peak, broker.rss_kib())
        time.sleep(0.05)
    stop.set()
    for t in threads:
        t.join()
    peak = max(peak, broker.rss_kib())
    print(f"RSS before {before} KiB, peak {peak} KiB")
    if not SANITIZED:
        assert peak - before <= 32 << 10
    broker.produce_lines("t", ["still served"], "--partition", 0)
    for c in slow:
        c.close()


def test_held_request_bytes_stay_under_their_limit(cluster):
    broker = cluster.start_broker(1, {"queued.max.request.bytes": 4 << 20})
    broker.create_topic("t", 1)
    held, half = [], native.produce("t", 0, native.batch(native.record(b"x" * 900000), 1))
    for _ in range(20):  # all but the last byte of 18 MB
        c = native.Connection(broker.port, greet=True)
        c.socket.settimeout(0.5)
        try:
            c.send(half[:-1])
        except OSError:
            pass
        held.append(c)
    wait_for("the limit to be reached", lambda: broker.metric("correio_request_bytes_held") >= 3 << 20)
    assert broker.metric("correio_request_bytes_held") <= 5 << 20
    for c in held:
        c.close()
    wait_for("the bytes to be given back", lambda: broker.metric("correio_request_bytes_held") == 0)
    broker.produce_lines("t", ["x"])


def greeted(broker):
    """Does a new connection get an answer? A refused one is closed or reset."""
    try:
        native.Connection(broker.port, greet=True).close()
        return True
    except (OSError, AssertionError):
        return False


def test_connection_limit_is_kept(cluster):
    broker = cluster.start_broker(1, {"max.connections": 20})
    connections = []
    while len(connections) <= 20:
        try:
            connections.append(native.Connection(broker.port, greet=True))
        except (OSError, AssertionError):
            break
    # The controller's own connection to the broker counts as well.
    assert 18 <= len(connections) <= 20
    assert not greeted(broker)
    connections.pop().close()
    wait_for("a place to be free", lambda: greeted(broker))
    for c in connections:
        c.close()
