"""The native protocol spoken by hand, to send what no client would. See proto/README.md."""
import socket
import struct


def varint(n):
    n &= (1 << 64) - 1
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint((n << 1) ^ (n >> 63))


def field(number, value):
    """bytes and str: length-delimited; int: varint."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def sfield(number, value):
    return varint(number << 3) + zigzag(value)


def parse(data):
    """{field: [values]}, one level."""
    out, at = {}, 0

    def read_varint(at):
        shift = value = 0
        while True:
            b = data[at]
            at += 1
            value |= (b & 0x7F) << shift
            if b < 0x80:
                return value, at
            shift += 7

    while at < len(data):
        key, at = read_varint(at)
        if key & 7 == 2:
            n, at = read_varint(at)
            value, at = data[at:at + n], at + n
        else:
            value, at = read_varint(at)
        out.setdefault(key >> 3, []).append(value)
    return out


def frame(header, payload=b""):
    body = struct.pack(">I", len(header)) + header + payload
    return struct.pack(">I", len(body)) + body


def hello(correlation=1):
    return frame(field(1, correlation) + field(10, field(1, "test")))


def produce(topic, partition, batch, acks=-1, correlation=1, claimed=None):
    entry = field(1, partition) + field(2, len(batch) if claimed is None else claimed)
    request = sfield(1, acks) + field(2, 5000) + field(3, field(1, topic) + field(2, entry))
    return frame(field(1, correlation) + field(12, request), batch)


def fetch(topic, partition, offset, correlation=1, max_wait_ms=100, max_bytes=1 << 20):
    entry = field(1, partition) + field(2, offset) + field(3, max_bytes) + sfield(4, -1)
    request = (field(1, max_wait_ms) + field(2, 1) + field(3, max_bytes) + field(4, field(1, topic) + field(2, entry)))
    return frame(field(1, correlation) + field(13, request))


_CRC_TABLE = []
for _i in range(256):
    _c = _i
    for _ in range(8):
        _c = _c >> 1 ^ (0x82F63B78 if _c & 1 else 0)
    _CRC_TABLE.append(_c)


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = _CRC_TABLE[(c ^ b) & 0xFF] ^ c >> 8
    return c ^ 0xFFFFFFFF


def record(value, offset_delta=0, key=None):
    def nullable(b):
        return zigzag(-1) if b is None else zigzag(len(b)) + b
    body = b"\0" + zigzag(0) + zigzag(offset_delta) + nullable(key) + nullable(value) + zigzag(0)
    return zigzag(len(body)) + body


def batch(records, count, codec=0, crc=None, length=None, timestamp=1700000000000, last_offset_delta=None):
    """A record batch v2 around encoded (and perhaps compressed) records; each lie is a parameter."""
    last = count - 1 if last_offset_delta is None else last_offset_delta
    tail = struct.pack(">hiqqqhii", codec, last, timestamp, timestamp, -1, -1, -1, count) + records
    checksum = crc32c(tail) if crc is None else crc
    size = 4 + 1 + 4 + len(tail) if length is None else length
    return struct.pack(">qiibI", 0, size, -1, 2, checksum) + tail


class Connection:
    """preface=True sends the protocol's first bytes; greet=True also a Hello, after which large frames are taken."""

    def __init__(self, port, preface=True, greet=False, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        if preface or greet:
            self.socket.sendall(b"CORREIO1")
        if greet:
            self.send(hello())
            assert self.read() is not None

    def send(self, data):
        self.socket.sendall(data)

    def read(self):
        """(ResponseHeader fields, payload), or None when the broker closed the connection."""
        head = self._exactly(4)
        if head is None:
            return None
        body = self._exactly(struct.unpack(">I", head)[0])
        if body is None:
            return None
        n = struct.unpack(">I", body[:4])[0]
        return parse(body[4:4 + n]), body[4 + n:]

    def _exactly(self, n):
        data = b""
        while len(data) < n:
            try:
                part = self.socket.recv(n - len(data))
            except ConnectionResetError:
                return None
            if not part:
                return None
            data += part
        return data

    def close(self):
        self.socket.close()
