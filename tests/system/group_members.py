"""Group members by the hundred in one process: the old, fixed versions of Kafka's group requests over asyncio, and a consumer's manners
(join, sync, heartbeats, commits, rejoin when told to)."""
import asyncio
import struct
import time

OK, UNKNOWN_MEMBER, LOADING, NOT_AVAILABLE, NOT_COORDINATOR = 0, 25, 14, 15, 16
ILLEGAL_GENERATION, REBALANCE = 22, 27
RETRY = (LOADING, NOT_AVAILABLE, NOT_COORDINATOR)
OFFSET_COMMIT, OFFSET_FETCH, FIND, JOIN, HEARTBEAT, LEAVE, SYNC, DESCRIBE = 8, 9, 10, 11, 12, 13, 14, 15


def i16(v):
    return struct.pack(">h", v)


def i32(v):
    return struct.pack(">i", v)


def i64(v):
    return struct.pack(">q", v)


def text(s):
    data = s.encode()
    return i16(len(data)) + data


def blob(b):
    return i32(len(b)) + b


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value, = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self):
        n = self.take("h")
        value = self.data[self.at:self.at + max(n, 0)].decode()
        self.at += max(n, 0)
        return value

    def blob(self):
        n = self.take("i")
        value = self.data[self.at:self.at + max(n, 0)]
        self.at += max(n, 0)
        return value


class Connection:
    """One request at a time."""

    def __init__(self, reader, writer):
        self.reader, self.writer, self.correlation = reader, writer, 0

    @classmethod
    async def open(cls, port):
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def call(self, api, version, body):
        self.correlation += 1
        head = i16(api) + i16(version) + i32(self.correlation) + text("members")
        self.writer.write(i32(len(head) + len(body)) + head + body)
        size, = struct.unpack(">i", await self.reader.readexactly(4))
        answer = Reader(await self.reader.readexactly(size))
        assert answer.take("i") == self.correlation
        return answer

    def close(self):
        self.writer.close()

    async def find(self, group):
        return (await self.call(FIND, 0, text(group))).take("h")

    async def coordinator(self, group):
        """Error, broker id and port."""
        r = await self.call(FIND, 0, text(group))
        error, broker_id = r.take("h"), r.take("i")
        r.text()
        return error, broker_id, r.take("i")

    async def commit(self, group, topic, offsets, generation=-1, member=""):
        """partition -> offset; returns partition -> error."""
        parts = b"".join(i32(p) + i64(o) + text("") for p, o in offsets.items())
        r = await self.call(OFFSET_COMMIT, 3, text(group) + i32(generation) + text(member) + i64(-1) + i32(1) + text(topic) +
                            i32(len(offsets)) + parts)
        r.take("i")
        errors = {}
        for _ in range(r.take("i")):
            r.text()
            for _ in range(r.take("i")):
                partition = r.take("i")
                errors[partition] = r.take("h")
        return errors

    async def fetch(self, group):
        """All offsets: (topic, partition) -> offset, and the error of the whole."""
        r = await self.call(OFFSET_FETCH, 3, text(group) + i32(-1))
        r.take("i")
        offsets = {}
        for _ in range(r.take("i")):
            topic = r.text()
            for _ in range(r.take("i")):
                partition, offset = r.take("i"), r.take("q")
                r.text()
                assert r.take("h") == OK
                offsets[topic, partition] = offset
        return offsets, r.take("h")

    async def describe(self, group):
        """Error, state and number of members."""
        r = await self.call(DESCRIBE, 1, i32(1) + text(group))
        r.take("i")
        assert r.take("i") == 1
        error = r.take("h")
        r.text()
        state = r.text()
        r.text()
        r.text()
        return error, state, r.take("i")


class Member:
    """A consumer of one partition of its own, which it commits ever higher."""

    def __init__(self, port, group, topic, partition, heartbeat_s=3.0, commit_s=2.0):
        self.port, self.group, self.topic, self.partition = port, group, topic, partition
        self.heartbeat_s, self.commit_s = heartbeat_s, commit_s
        self.id, self.generation, self.leaving = "", -1, asyncio.Event()
        self.offset = self.acknowledged = 0
        self.generations = 0

    async def run(self):
        self.connection = await Connection.open(self.port)
        try:
            while not self.leaving.is_set():
                if await self.join():
                    await self.live()
            if self.id:
                await self.connection.call(LEAVE, 1, text(self.group) + text(self.id))
        finally:
            self.connection.close()

    async def join(self):
        subscription = i16(0) + i32(1) + text(self.topic) + i32(0)
        r = await self.connection.call(JOIN, 2, text(self.group) + i32(45000) + i32(300000) + text(self.id) + text("consumer") +
                                       i32(1) + text("range") + blob(subscription))
        r.take("i")
        error = r.take("h")
        if error != OK:
            return await self.failed(error)
        self.generation = r.take("i")
        r.text()
        leader, self.id = r.text(), r.text()
        assignments = b""
        members = r.take("i")
        for _ in range(members):
            assignments += text(r.text()) + blob(i16(0) + i32(0) + i32(0))
            r.blob()
        assert (members > 0) == (leader == self.id)
        r = await self.connection.call(SYNC, 1, text(self.group) + i32(self.generation) + text(self.id) + i32(members) + assignments)
        r.take("i")
        error = r.take("h")
        self.generations += error == OK
        return error == OK or await self.failed(error)

    async def failed(self, error):
        assert error in RETRY + (UNKNOWN_MEMBER, ILLEGAL_GENERATION, REBALANCE), error
        if error in (UNKNOWN_MEMBER, ILLEGAL_GENERATION):
            self.id = ""
        if error in RETRY:
            await asyncio.sleep(0.1)
        return False

    async def heartbeat(self):
        r = await self.connection.call(HEARTBEAT, 1, text(self.group) + i32(self.generation) + text(self.id))
        r.take("i")
        return r.take("h")

    async def commit(self):
        self.offset += 1
        errors = await self.connection.commit(self.group, self.topic, {self.partition: self.offset}, self.generation, self.id)
        if errors[self.partition] == OK:
            self.acknowledged = self.offset
        return errors[self.partition]

    async def live(self):
        """Until the group rebalances."""
        beat = time.monotonic() + self.heartbeat_s
        save = time.monotonic() + self.commit_s
        while not self.leaving.is_set():
            wait = max(min(beat, save) - time.monotonic(), 0)
            try:
                await asyncio.wait_for(self.leaving.wait(), wait)
                return
            except asyncio.TimeoutError:
                pass
            error = OK
            if time.monotonic() >= save:
                save = time.monotonic() + self.commit_s
                error = await self.commit()
            if error == OK and time.monotonic() >= beat:
                beat = time.monotonic() + self.heartbeat_s
                error = await self.heartbeat()
            if error != OK:
                await self.failed(error)
                return
