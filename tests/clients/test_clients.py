"""Every client in every scenario it has the means for. A driver process per client does as it is told (README.md)."""
import json
import subprocess

import pytest

from clients import CLIENTS, Failed
from cluster import wait_for

TOPIC_ALREADY_EXISTS, UNKNOWN_TOPIC = 36, 3


def who_can(*features):
    return pytest.mark.parametrize("client", [c for c in CLIENTS if c.can(*features)], ids=lambda c: c.name)


def made(client, codec, count=300, partitions=3, start=1_700_000_000_000):
    """Records of all shapes: keys that repeat and none, tombstones, empty values, headers, text beyond ASCII, a long one."""
    records = []
    for i in range(count):
        r = {"p": i % partitions, "k": None if i % 5 == 4 else f"key {i % 7}", "v": f"{codec} {i} " + "é€" * (i % 40)}
        if i % 11 == 3 and r["k"] is not None:
            r["v"] = None
        if i % 11 == 5 and client.can("empty-values"):
            r["v"] = ""
        if i == count // 2:
            r["v"] = "long " * 20000
        if client.can("headers") and i % 2:
            r["h"] = [["trace", f"t{i}"], ["trace", "again"]] + ([["none", None]] if client.can("null-headers") and i % 4 == 1 else [])
        if client.can("timestamps"):
            r["ts"] = start + i
        records.append(r)
    return records


def of_partition(records, partition):
    return [r for r in records if r["p"] == partition]


def check_same(client, sent, got, partition):
    """What was read of a partition is what was written there, in order, with consecutive offsets."""
    sent, got = of_partition(sent, partition), of_partition(got, partition)
    assert [r["o"] for r in got] == list(range(len(sent)))
    assert [r["k"] for r in got] == [r.get("k") for r in sent]
    assert [r["v"] for r in got] == [r.get("v") for r in sent]
    if client.can("headers"):
        assert [[list(h) for h in r["h"]] for r in got] == [r.get("h", []) for r in sent]
    if client.can("timestamps"):
        assert [r["ts"] for r in got] == [r["ts"] for r in sent]


@pytest.mark.parametrize("client,codec", [pytest.param(c, z, id=f"{c.name}-{z}") for c in CLIENTS for z in c.codecs])
def test_roundtrip(client, codec, driver, admin, unique):
    """Keys, headers, tombstones, timestamps, compression; the offsets the producer was told are those the consumer finds."""
    admin.create_topic(topic=unique, partitions=3)
    sent = made(client, codec)
    produced = driver.produce(topic=unique, records=sent, codec=codec)
    expected, following = [], [0, 0, 0]
    for r in sent:
        expected.append([r["p"], following[r["p"]]])
        following[r["p"]] += 1
    if client.can("produced-offsets"):
        assert produced["offsets"] == expected
    got = driver.fetch(topic=unique, partitions=[0, 1, 2], count=300)["records"]
    assert len(got) == 300
    for p in range(3):
        check_same(client, sent, got, p)


@who_can()
def test_keys_choose_the_partition(client, driver, admin, unique):
    admin.create_topic(topic=unique, partitions=4)
    sent = [{"k": f"k{i % 20}", "v": str(i)} for i in range(200)]
    driver.produce(topic=unique, records=sent)
    got = driver.fetch(topic=unique, partitions=[0, 1, 2, 3], count=200)["records"]
    for key in {r["k"] for r in sent}:
        mine = [r for r in got if r["k"] == key]
        assert len({r["p"] for r in mine}) == 1
        assert [r["v"] for r in sorted(mine, key=lambda r: r["o"])] == [r["v"] for r in sent if r["k"] == key]
    assert len({r["p"] for r in got}) > 1


@who_can("timestamps")
def test_offsets_by_time(client, driver, admin, unique):
    admin.create_topic(topic=unique, partitions=1)
    assert driver.offset_for_time(topic=unique, partition=0, timestamp=-1)["offset"] == 0
    start = 1_700_000_000_000
    for first in (0, 100, 200):  # three batches and more
        driver.produce(topic=unique, records=[{"p": 0, "v": str(i), "ts": start + 10 * i} for i in range(first, first + 100)])

    def at(timestamp):
        return driver.offset_for_time(topic=unique, partition=0, timestamp=timestamp)["offset"]
    assert at(-2) == 0 and at(-1) == 300
    assert at(start) == 0 and at(start + 1) == 1 and at(start + 10 * 150) == 150 and at(start + 10 * 299) == 299
    assert at(start + 10 * 300) in (-1, 300)  # some clients tell "none" as the end


@who_can("seek")
def test_reading_from_the_middle(client, driver, admin, unique):
    admin.create_topic(topic=unique, partitions=1)
    driver.produce(topic=unique, records=[{"p": 0, "v": str(i)} for i in range(500)], codec="gzip")
    got = driver.fetch(topic=unique, partitions=[0], offset=123, count=377)["records"]
    assert [r["v"] for r in got] == [str(i) for i in range(123, 500)]


@who_can("acks")
@pytest.mark.parametrize("acks", [0, 1])
def test_fewer_acknowledgements(client, driver, admin, unique, acks):
    admin.create_topic(topic=unique, partitions=1)
    driver.produce(topic=unique, records=[{"p": 0, "v": str(i)} for i in range(100)], acks=acks)
    wait_for("what nobody acknowledged", lambda: admin.offset_for_time(topic=unique, partition=0, timestamp=-1)["offset"] == 100)
    got = driver.fetch(topic=unique, partitions=[0], count=100)["records"]
    assert [r["v"] for r in got] == [str(i) for i in range(100)]


@who_can("idempotent")
def test_idempotent_producer(client, driver, admin, unique):
    admin.create_topic(topic=unique, partitions=2)
    for turn in range(2):
        sent = [{"p": i % 2, "v": f"{turn} {i}"} for i in range(1000)]
        driver.produce(topic=unique, records=sent, idempotent=True)
    got = driver.fetch(topic=unique, partitions=[0, 1], count=2000)["records"]
    assert sorted(r["v"] for r in got) == sorted(f"{turn} {i}" for turn in range(2) for i in range(1000))
    for p in range(2):
        assert [r["v"] for r in of_partition(got, p)] == [f"{t} {i}" for t in range(2) for i in range(1000) if i % 2 == p]


# --- groups ---------------------------------------------------------------------------------------------------------------

class Members:
    """Members of one group, by any clients; each is a driver and a name. Collects what they read."""

    def __init__(self, group, topic, partitions):
        self.group, self.topic, self.partitions = group, topic, partitions
        self.of, self.read, self.states = {}, [], {}

    def join(self, name, driver, **options):
        self.of[name] = driver
        driver.join(member=f"{self.group}/{name}", group=self.group, topics=[self.topic], **options)

    def leave(self, name):
        self.of.pop(name).leave(member=f"{self.group}/{name}")
        self.states.pop(name, None)

    def commit(self, name):
        self.of[name].commit(member=f"{self.group}/{name}")

    def look(self):
        for name, driver in self.of.items():
            self.states[name] = driver.member(member=f"{self.group}/{name}")
            assert not self.states[name].get("failure"), f"{name}: {self.states[name]['failure']}\n{driver.tail()}"
            self.read += self.states[name]["records"]
        return self.states

    def assignment(self, name):
        return [p for topic, p in self.states[name]["assignment"] if topic == self.topic]

    def wait_shared(self, *names):
        """Until every partition belongs to exactly one member, and each of these has some."""
        def shared():
            self.look()
            held = sorted(p for name in self.of for p in self.assignment(name))
            return held == list(range(self.partitions)) and all(self.assignment(name) for name in names)
        try:
            wait_for(f"{self.group}: all partitions with {names}", shared, 45, 0.05)
        except AssertionError as late:
            raise AssertionError(f"{late}; { {n: self.assignment(n) for n in self.of} }") from late

    def wait_read(self, values):
        def complete():
            self.look()
            return len({r["v"] for r in self.read}) >= len(values)
        wait_for(f"{self.group}: {len(values)} records", complete, 30, 0.05)
        assert sorted(r["v"] for r in self.read) == sorted(values)


def values(kind, count=60):
    return [f"{kind} {i}" for i in range(count)]


def send(admin, topic, vs, partitions):
    admin.produce(topic=topic, records=[{"p": i % partitions, "v": v} for i, v in enumerate(vs)])


@pytest.fixture
def members(admin, unique):
    admin.create_topic(topic=unique, partitions=6)
    group = Members(unique, unique, 6)
    yield group
    for name in list(group.of):
        group.leave(name)


@pytest.mark.parametrize("client,assignor", [pytest.param(c, a, id=f"{c.name}-{a}") for c in CLIENTS if c.can("group")
                                             for a in c.assignors])
def test_group_shares_and_commits(client, assignor, driver, admin, members, unique):
    """Two members share, one goes and the other takes over, nobody misses a record; commits outlive the members."""
    members.join("a", driver, assignor=assignor)
    members.wait_shared("a")
    members.join("b", driver, assignor=assignor)
    members.wait_shared("a", "b")
    send(admin, unique, values("shared"), 6)
    members.wait_read(values("shared"))
    members.commit("a")
    members.commit("b")
    assert driver.committed(group=unique, topic=unique, partitions=list(range(6)))["offsets"] == [10] * 6
    members.leave("a")
    members.wait_shared("b")
    members.read = []
    send(admin, unique, values("one"), 6)
    members.wait_read(values("one"))
    members.leave("b")  # without a commit: who comes next begins at the last one
    members.read = []
    members.join("c", driver, assignor=assignor)
    members.wait_read(values("one"))


@who_can("group", "static")
def test_static_members_come_back_unnoticed(client, driver, members):
    members.join("a", driver, instance="first", session_ms=10000)
    members.join("b", driver, instance="second", session_ms=10000)
    members.wait_shared("a", "b")
    before = dict(members.look())
    kept, rebalances = members.assignment("a"), before["a"]["rebalances"]
    moved = members.assignment("b")
    members.leave("b")
    members.join("b", driver, instance="second", session_ms=10000)
    members.wait_shared("a", "b")
    after = members.look()
    assert members.assignment("a") == kept and members.assignment("b") == moved
    assert after["a"]["rebalances"] == rebalances  # nobody was asked to join again


@who_can("group", "consumer-protocol")
@pytest.mark.correio_only
def test_group_of_the_consumer_protocol(client, driver, admin, members, unique):
    """KIP-848: the broker assigns."""
    members.join("a", driver, protocol="consumer")
    members.wait_shared("a")
    members.join("b", driver, protocol="consumer")
    members.wait_shared("a", "b")
    send(admin, unique, values("shared"), 6)
    members.wait_read(values("shared"))
    members.commit("a")
    members.commit("b")
    assert driver.committed(group=unique, topic=unique, partitions=list(range(6)))["offsets"] == [10] * 6
    members.leave("a")
    members.wait_shared("b")
    members.read = []
    send(admin, unique, values("one"), 6)
    members.wait_read(values("one"))


def test_kcat_shares_a_group(server, admin, unique, tmp_path):
    """kcat -G commits by itself: two share, one is ended, and a third begins where they stopped."""
    def kcat(name):
        argv = ["kcat", "-b", server.bootstrap, "-G", unique, unique, "-J", "-u", "-X", "auto.offset.reset=earliest",
                "-X", "session.timeout.ms=6000", "-X", "heartbeat.interval.ms=300"]
        with open(tmp_path / f"{name}.out", "w") as out, open(tmp_path / f"{name}.err", "w") as err:
            return subprocess.Popen(argv, stdout=out, stderr=err)

    def read(*names):
        return [json.loads(line)["payload"] for n in names for line in (tmp_path / f"{n}.out").read_text().splitlines()]

    def assigned(name):
        lines = [x for x in (tmp_path / f"{name}.err").read_text().splitlines() if "rebalanced" in x]
        return lines[-1].count("[") if lines and "assigned:" in lines[-1] else 0
    admin.create_topic(topic=unique, partitions=4)
    send(admin, unique, values("first"), 4)
    running = [kcat("a")]
    try:
        wait_for("the first records", lambda: sorted(read("a")) == sorted(values("first")), 30)
        running.append(kcat("b"))
        wait_for("two partitions each", lambda: assigned("a") == assigned("b") == 2, 30)
        send(admin, unique, values("second"), 4)
        wait_for("the second records", lambda: sorted(read("a", "b")) == sorted(values("first") + values("second")), 30)
        for process in running:
            process.terminate()
            process.wait(20)
        send(admin, unique, values("third"), 4)
        running.append(kcat("c"))
        wait_for("the third records", lambda: len(read("c")) >= 60, 30)
        assert sorted(read("c")) == sorted(values("third"))
    finally:
        for process in running:
            process.kill()
            process.wait(20)


# --- administration -------------------------------------------------------------------------------------------------------

@who_can("create_topic", "delete_topic", "describe_topic")
def test_topics(client, driver, unique):
    driver.create_topic(topic=unique, partitions=3, configs={"retention.ms": "123456"})
    wait_for("the topic", lambda: unique in driver.list_topics()["topics"])
    assert driver.describe_topic(topic=unique)["partitions"] == 3
    with pytest.raises(Failed) as again:
        driver.create_topic(topic=unique, partitions=3)
    assert again.value.code == TOPIC_ALREADY_EXISTS
    if client.can("create_partitions"):
        driver.create_partitions(topic=unique, count=5)
        wait_for("five partitions", lambda: driver.describe_topic(topic=unique)["partitions"] == 5)
    driver.delete_topic(topic=unique)
    wait_for("the topic's end", lambda: unique not in driver.list_topics()["topics"])

    def told():
        try:
            driver.delete_topic(topic=unique)
        except Failed as unknown:
            return unknown.code
        return None  # its znodes were still there
    wait_for("a second deletion's error", lambda: told() == UNKNOWN_TOPIC)


@who_can("describe_configs")
def test_configs(client, driver, admin, unique):
    admin.create_topic(topic=unique, partitions=1, configs={"retention.ms": "123456", "cleanup.policy": "compact"})
    configs = driver.describe_configs(topic=unique)["configs"]
    assert (configs["retention.ms"], configs["cleanup.policy"]) == ("123456", "compact")


@who_can("describe_configs", "alter_configs")
def test_configs_change(client, driver, admin, unique):
    admin.create_topic(topic=unique, partitions=1, configs={"retention.ms": "123456"})
    driver.alter_configs(topic=unique, configs={"retention.ms": "654321", "cleanup.policy": "compact"})
    wait_for("the new setting", lambda: driver.describe_configs(topic=unique)["configs"]["retention.ms"] == "654321")
    assert driver.describe_configs(topic=unique)["configs"]["cleanup.policy"] == "compact"
    with pytest.raises(Failed):
        driver.alter_configs(topic=unique, configs={"retention.ms": "no number"})


@who_can("describe_cluster")
def test_cluster(client, driver):
    got = driver.describe_cluster()
    assert got["brokers"] == [1] and got.get("controller", 1) == 1
    assert len(got.get("id") or "x" * 22) == 22


@who_can("delete_records")
def test_delete_records(client, driver, admin, unique):
    admin.create_topic(topic=unique, partitions=1)
    admin.produce(topic=unique, records=[{"p": 0, "v": str(i)} for i in range(100)])
    assert driver.delete_records(topic=unique, partition=0, offset=40).get("low_watermark", 40) == 40
    assert driver.offset_for_time(topic=unique, partition=0, timestamp=-2)["offset"] == 40
    got = driver.fetch(topic=unique, partitions=[0], offset=40, count=60)["records"]
    assert [r["o"] for r in got] == list(range(40, 100))


@who_can("group", "list_groups", "describe_group")
def test_groups_are_administered(client, driver, admin, members, unique):
    members.join("a", driver)
    members.wait_shared("a")
    send(admin, unique, values("some"), 6)
    members.wait_read(values("some"))
    assert unique in driver.list_groups()["groups"]

    def state():
        got = driver.describe_group(group=unique)
        return got["state"], got["members"]
    wait_for("a stable group", lambda: state() == ("stable", 1))
    members.commit("a")
    if client.can("delete_group"):
        with pytest.raises(Failed):
            driver.delete_group(group=unique)  # not empty
    members.leave("a")
    wait_for("an empty group", lambda: state() == ("empty", 0))
    if client.can("delete_group"):
        driver.delete_group(group=unique)
        assert unique not in driver.list_groups()["groups"]
        assert state()[0] == "dead"


# --- crosswise ------------------------------------------------------------------------------------------------------------

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


@pytest.fixture(scope="module")
def written_by_all(drivers, admin):
    """A topic with a partition per codec, into each of which every client that can has written."""
    topic, expected = "crosswise", {}
    admin.create_topic(topic=topic, partitions=len(CODECS))
    for c in CLIENTS:
        try:
            driver = drivers(c.name)
        except pytest.skip.Exception:
            continue
        for p, codec in enumerate(CODECS):
            if codec in c.codecs:
                records = [{"p": p, "k": c.name, "v": f"{codec} {i} " + "x" * i} for i in range(50)]
                driver.produce(topic=topic, records=records, codec=codec)
                expected.setdefault(p, []).extend((c.name, r["v"]) for r in records)
    return topic, expected


@who_can("some-partitions")
def test_everybody_reads_what_everybody_wrote(client, driver, written_by_all):
    topic, expected = written_by_all
    partitions = [p for p, codec in enumerate(CODECS) if codec in client.codecs]
    count = sum(len(expected[p]) for p in partitions)
    got = driver.fetch(topic=topic, partitions=partitions, count=count)["records"]
    for p in partitions:
        assert [(r["k"], r["v"]) for r in sorted(of_partition(got, p), key=lambda r: r["o"])] == expected[p]


def test_one_group_of_all_clients(drivers, admin, unique):
    """Every client is a member of one group; then all but one go."""
    kinds = [c for c in CLIENTS if c.can("group", "mixed-group")]
    present = []
    for c in kinds:
        try:
            drivers(c.name)
            present.append(c)
        except pytest.skip.Exception:
            continue
    partitions = 2 * len(present)
    admin.create_topic(topic=unique, partitions=partitions)
    members = Members(unique, unique, partitions)
    for c in present:
        members.join(c.name, drivers(c.name), session_ms=10000)
    members.wait_shared(*[c.name for c in present])
    everything = values("mixed", 10 * partitions)
    send(admin, unique, everything, partitions)
    members.wait_read(everything)
    for c in present:
        members.commit(c.name)
    for c in present[1:]:
        members.leave(c.name)
    members.wait_shared(present[0].name)
    members.leave(present[0].name)
