"""Frames and records of clients from before record batches, made and read byte by byte."""
import gzip
import socket
import struct
import zlib

TOPIC = b"t"


# --- records -----------------------------------------------------------------------------------------------------------

def nullable(data):
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def message(magic, offset, key, value, attributes=0, timestamp=1_700_000_000_000):
    body = struct.pack(">bb", magic, attributes) + (struct.pack(">q", timestamp) if magic else b"") + nullable(key) + nullable(value)
    return struct.pack(">qiI", offset, len(body) + 4, zlib.crc32(body)) + body


def wrapper(magic, offset, messages, **kwargs):
    return message(magic, offset, None, gzip.compress(messages, mtime=0), kwargs.pop("attributes", 0) | 1, **kwargs)


def varint(n):
    n = (n << 1) ^ (n >> 63)
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def batch(records, codec=0, timestamp=1_700_000_000_000, attributes=0):
    """Format 2; records: (key, value, headers)."""
    body = b""
    for i, (key, value, headers) in enumerate(records):
        def field(x):
            return varint(-1) if x is None else varint(len(x)) + x
        record = b"\0" + varint(i) + varint(i) + field(key) + field(value) + varint(len(headers))
        record += b"".join(field(k) + field(v) for k, v in headers)
        body += varint(len(record)) + record
    if codec == 1:
        body = gzip.compress(body, mtime=0)
    last = len(records) - 1
    tail = struct.pack(">hiqqqhii", codec | attributes, last, timestamp, timestamp + last, -1, -1, -1, len(records)) + body
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, crc32c(tail)) + tail


def parse_set(data):
    """What an old client finds: (offset, magic, attributes, timestamp, key, value), a wrapper's value as such a list. A cut or oversized
    tail, as Kafka pads answers with, is left over."""
    out = []
    while len(data) >= 26:
        offset, size, crc, magic, attributes = struct.unpack(">qiIbb", data[:18])
        if size > len(data) - 12:
            break
        body = data[16:12 + size]
        assert magic in (0, 1) and crc == zlib.crc32(body), (magic, offset)
        at, timestamp = 2, None
        if magic == 1:
            timestamp, at = struct.unpack(">q", body[2:10])[0], 10
        fields = []
        for _ in range(2):
            n = struct.unpack(">i", body[at:at + 4])[0]
            fields.append(None if n < 0 else body[at + 4:at + 4 + n])
            at += 4 + max(n, 0)
        assert at == len(body)
        if attributes & 7 == 1:
            fields[1] = parse_set(gzip.decompress(fields[1]))
        out.append((offset, magic, attributes, timestamp, *fields))
        data = data[12 + size:]
    return out


# --- frames ------------------------------------------------------------------------------------------------------------

class Peer:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=30)

    def close(self):
        self.sock.close()

    def ask(self, key, version, body):
        frame = struct.pack(">hhih", key, version, 9, 4) + b"test" + body
        self.sock.sendall(struct.pack(">i", len(frame)) + frame)
        got = b""
        while len(got) < 4 or len(got) < 4 + struct.unpack(">i", got[:4])[0]:
            more = self.sock.recv(1 << 20)
            assert more, "the broker closed the connection"
            got += more
        assert struct.unpack(">i", got[4:8])[0] == 9
        return got[8:]

    def create_topic(self, **configs):
        """CreateTopics 0: the error."""
        entries = b"".join(struct.pack(">h", len(k)) + k.encode() + struct.pack(">h", len(v)) + v.encode()
                           for k, v in ((k.replace("_", "."), v) for k, v in configs.items()))
        body = struct.pack(">ih", 1, 1) + TOPIC + struct.pack(">ihi", 1, 1, 0) + struct.pack(">i", len(configs)) + entries
        got = self.ask(19, 0, body + struct.pack(">i", 10000))
        return struct.unpack(">h", got[-2:])[0]

    def delete_topic(self):
        return struct.unpack(">h", self.ask(20, 0, struct.pack(">ih", 1, 1) + TOPIC + struct.pack(">i", 10000))[-2:])[0]

    def produce(self, version, records):
        """(error, base offset, has an append time)."""
        body = struct.pack(">h", -1) if version >= 3 else b""
        body += struct.pack(">hiih", -1, 10000, 1, 1) + TOPIC + struct.pack(">iii", 1, 0, len(records)) + records
        got = self.ask(0, version, body)
        error, offset = struct.unpack(">hq", got[15:25])
        appended = version >= 2 and struct.unpack(">q", got[25:33])[0] != -1
        return error, offset, appended

    def fetch(self, version, offset, max_bytes=1 << 20, request_max_bytes=1 << 24):
        """(error, high watermark, records)."""
        body = struct.pack(">iii", -1, 0, 0)
        if version >= 3:
            body += struct.pack(">i", request_max_bytes)
        if version >= 4:
            body += b"\0"
        body += struct.pack(">ih", 1, 1) + TOPIC + struct.pack(">iiqi", 1, 0, offset, max_bytes)
        got = self.ask(1, version, body)
        at = (4 if version >= 1 else 0) + 4 + 3 + 4 + 4
        error, high_watermark = struct.unpack(">hq", got[at:at + 10])
        at += 10 + (12 if version >= 4 else 0)
        n = struct.unpack(">i", got[at:at + 4])[0]
        assert len(got) == at + 4 + n
        return error, high_watermark, got[at + 4:]

    def offsets_before(self, timestamp, count):
        """ListOffsets 0: (error, offsets)."""
        got = self.ask(2, 0, struct.pack(">iih", -1, 1, 1) + TOPIC + struct.pack(">iiqi", 1, 0, timestamp, count))
        error, n = struct.unpack(">hi", got[15:21])
        return error, list(struct.unpack(f">{n}q", got[21:]))

    def end_of_epoch(self, version, epoch):
        """OffsetForLeaderEpoch: (error, epoch, end)."""
        body = (struct.pack(">i", -1) if version >= 3 else b"") + struct.pack(">ih", 1, 1) + TOPIC + struct.pack(">ii", 1, 0)
        got = self.ask(23, version, body + (struct.pack(">i", -1) if version >= 2 else b"") + struct.pack(">i", epoch))
        at = (4 if version >= 2 else 0) + 4 + 3 + 4
        error, partition = struct.unpack(">hi", got[at:at + 6])
        assert partition == 0
        if version == 0:
            return error, None, struct.unpack(">q", got[at + 6:])[0]
        return error, *struct.unpack(">iq", got[at + 6:])
