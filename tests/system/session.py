"""Ends somebody else's ZooKeeper session: reconnects to it by id with kazoo's wire structures and closes it.

The session's password is checked by the server, but Apache ZooKeeper derives it from the id alone (SessionTrackerImpl):
new Random(id ^ 0xB3415C00L).nextBytes(16)."""
import socket
import struct


def java_random_bytes(seed, count):
    state = (seed ^ 0x5DEECE66D) & ((1 << 48) - 1)
    out = b""
    while len(out) < count:
        state = (state * 0x5DEECE66D + 0xB) & ((1 << 48) - 1)
        out += struct.pack("<I", state >> 16 & 0xFFFFFFFF)
    return out[:count]


def password_of(session_id):
    return java_random_bytes(session_id ^ 0xB3415C00, 16)


def frame(body):
    return struct.pack(">i", len(body)) + body


def receive(s):
    def exactly(n):
        data = b""
        while len(data) < n:
            part = s.recv(n - len(data))
            if not part:
                raise ConnectionError("ZooKeeper closed the connection")
            data += part
        return data
    return exactly(struct.unpack(">i", exactly(4))[0])


def try_to_close(port, session_id):
    """True when the server no longer knows the session. Its own client reconnects meanwhile and may win the connection."""
    connect = struct.pack(">iqiqi", 0, 0, 30000, session_id, 16) + password_of(session_id) + b"\0"
    close = struct.pack(">ii", 1, -11)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(frame(connect) + frame(close))
        try:
            timeout = struct.unpack(">i", receive(s)[4:8])[0]
            if timeout > 0:
                receive(s)
            return timeout <= 0
        except ConnectionError:
            return False


def close_session(port, session_id):
    for _ in range(50):
        if try_to_close(port, session_id):
            return
    raise AssertionError(f"session {session_id:#x} does not end")
