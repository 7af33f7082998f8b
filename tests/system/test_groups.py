"""Consumer groups as their users see them: kcat, librdkafka's Python client, `correio consume --group` and mixtures of them; `correio group`."""
import json
import signal
import socket
import struct
import subprocess
import time

import pytest

from cluster import CORREIO, run, wait_for

confluent = pytest.importorskip("confluent_kafka", reason="python3-confluent-kafka is not installed")
STRATEGIES = ["range", "roundrobin", "cooperative-sticky"]


@pytest.fixture(params=[1, 3], ids=["1loop", "3loops"])
def broker(cluster, request):
    return cluster.start_broker(1, {"num.network.threads": request.param, **GROUPS})


@pytest.fixture
def one_loop(cluster):
    return cluster.start_broker(1, {"num.network.threads": 1, **GROUPS})


GROUPS = {"offsets.topic.replication.factor": 1, "offsets.topic.num.partitions": 10, "group.initial.rebalance.delay.ms": 50,
          "group.min.session.timeout.ms": 1000}


def describe(broker, group):
    return broker.correio("group", "describe", group, "--json").json()


def committed(broker, group):
    return {(o["topic"], o["partition"]): o["committed_offset"] for o in describe(broker, group)["offsets"]}


def fill(broker, topic, partitions, per_partition, start=0):
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap})
    for i in range(start, start + per_partition):
        for p in range(partitions):
            producer.produce(topic, value=f"{p}:{i}", partition=p)
    assert producer.flush(20) == 0


class Member:
    """A librdkafka consumer that keeps what it read and was told."""

    def __init__(self, broker, group, topic, **settings):
        self.revoked, self.assigned, self.lost, self.values = [], [], [], []
        self.consumer = confluent.Consumer({
            "bootstrap.servers": broker.bootstrap, "group.id": group, "auto.offset.reset": "earliest", "session.timeout.ms": 6000,
            "heartbeat.interval.ms": 200, **settings})
        self.consumer.subscribe([topic], on_assign=lambda c, ps: self.assigned.append(sorted(p.partition for p in ps)),
                                on_revoke=lambda c, ps: self.revoked.append(sorted(p.partition for p in ps)),
                                on_lost=lambda c, ps: self.lost.append(sorted(p.partition for p in ps)))

    def poll(self):
        m = self.consumer.poll(0.05)
        if m is not None and m.error() is None:
            self.values.append(m.value().decode())

    @property
    def partitions(self):
        return sorted(p.partition for p in self.consumer.assignment())

    def close(self):
        self.consumer.close()


class Cli:
    """`correio consume --group`; its lines are read when it has stopped."""

    def __init__(self, broker, group, topic, *args):
        self.popen = subprocess.Popen(
            [str(CORREIO), "consume", topic, "--group", group, "--from-beginning", "--bootstrap-server", broker.bootstrap,
             "--property", "heartbeat.interval.ms=200", "--property", "session.timeout.ms=6000", *args],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def stop(self):
        self.popen.send_signal(signal.SIGINT)
        out, err = self.popen.communicate(timeout=20)
        assert self.popen.returncode == 0, err
        return out.splitlines()


def poll_until(members, what, condition, seconds=30):
    def turn():
        for m in members:
            m.poll()
        return condition()
    wait_for(what, turn, seconds, step=0)


def test_kcat_goes_on_where_its_group_stopped(broker):
    broker.create_topic("t", 3)
    fill(broker, "t", 3, 10)
    args = ["kcat", "-b", broker.bootstrap, "-q", "-X", "auto.offset.reset=earliest", "-G", "g", "t"]
    first = run([*args, "-c", "30"], seconds=40).out.split()
    assert sorted(first) == sorted(f"{p}:{i}" for p in range(3) for i in range(10))
    assert sum(committed(broker, "g").values()) == 30
    fill(broker, "t", 3, 5, start=10)
    second = run([*args, "-c", "15"], seconds=40).out.split()
    assert sorted(second) == sorted(f"{p}:{i}" for p in range(3) for i in range(10, 15))
    assert describe(broker, "g")["lag"] == 0


def test_cli_goes_on_where_its_group_stopped(broker):
    broker.create_topic("t", 3)
    fill(broker, "t", 3, 10)
    consume = ["consume", "t", "--group", "g", "--from-beginning", "--timeout-ms", 15000]
    # In the middle of a batch: what was printed is committed, no more.
    first = broker.correio(*consume, "--max-messages", 17).out.split()
    assert len(first) == 17 and describe(broker, "g")["lag"] == 13
    second = broker.correio(*consume, "--max-messages", 13).out.split()
    assert sorted(first + second) == sorted(f"{p}:{i}" for p in range(3) for i in range(10))
    assert [o["lag_seconds"] for o in describe(broker, "g")["offsets"]] == [0.0] * 3


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("leader", ["librdkafka", "correio"])
def test_mixed_clients_share_a_topic(one_loop, strategy, leader):
    broker = one_loop
    broker.create_topic("t", 6)
    if leader == "librdkafka":
        member = Member(broker, "g", "t", **{"partition.assignment.strategy": strategy})
        poll_until([member], "the first member reads all", lambda: len(member.partitions) == 6)
        cli = Cli(broker, "g", "t", "--property", f"partition.assignment.strategy={strategy}")
    else:
        cli = Cli(broker, "g", "t", "--property", f"partition.assignment.strategy={strategy}")
        wait_for("the first member reads all", lambda: describe_members(broker, "g") == [6], 20, step=0.1)
        member = Member(broker, "g", "t", **{"partition.assignment.strategy": strategy})
    poll_until([member], "both share", lambda: len(member.partitions) == 3 and describe_members(broker, "g") == [3, 3])
    d = describe(broker, "g")
    assert d["state"] == "Stable" and d["assignor"] == strategy and {m["host"] for m in d["members"]} == {"/127.0.0.1"}
    fill(broker, "t", 6, 20)
    poll_until([member], "its half is read", lambda: len(member.values) == 60)
    mine = set(member.partitions)
    wait_for("the other half is read", lambda: sum_committed(broker, "g", cli_partitions(mine)) == 60, 20, step=0.2)
    lines = cli.stop()
    assert sorted(member.values + lines) == sorted(f"{p}:{i}" for p in range(6) for i in range(20))
    poll_until([member], "all come back", lambda: len(member.partitions) == 6)
    if strategy == "cooperative-sticky":  # what it kept was never taken from it
        assert all(mine.isdisjoint(r) for r in member.revoked)
    member.close()
    assert describe(broker, "g")["state"] == "Empty" and describe(broker, "g")["lag"] == 0


def describe_members(broker, group):
    out = broker.correio("group", "describe", group, "--json", check=False)
    return sorted(len(m["assignment"]) for m in out.json()["members"]) if out.status == 0 else None


def cli_partitions(mine):
    return [p for p in range(6) if p not in mine]


def sum_committed(broker, group, partitions):
    offsets = committed(broker, group)
    return sum(offsets.get(("t", p)) or 0 for p in partitions)


def test_a_static_member_comes_back_without_a_rebalance(broker):
    broker.create_topic("t", 4)
    fill(broker, "t", 4, 10)

    def member(name):
        return Member(broker, "g", "t", **{"group.instance.id": name, "session.timeout.ms": 20000})
    one, two = member("one"), member("two")
    poll_until([one, two], "both share", lambda: len(one.partitions) == 2 and len(two.partitions) == 2)
    poll_until([one, two], "all is read", lambda: len(one.values + two.values) >= 40)
    assert {m["instance_id"] for m in describe(broker, "g")["members"]} == {"one", "two"}
    before, told = two.partitions, len(one.revoked)
    two.close()
    again = member("two")
    poll_until([one, again], "it has its partitions again", lambda: again.partitions == before)
    for _ in range(20):
        one.poll()
    assert len(one.revoked) == told and len(one.partitions) == 2
    # A second one of the same name takes over; the first is told so, for good.
    usurper = member("two")
    poll_until([one, usurper], "the name is taken over", lambda: usurper.partitions == before)
    one.close(), usurper.close(), again.close()


def test_a_static_cli_member_keeps_its_place(one_loop):
    one_loop.create_topic("t", 2)
    cli = Cli(one_loop, "g", "t", "--property", "group.instance.id=me", "--property", "session.timeout.ms=20000")
    wait_for("it reads all", lambda: describe_members(one_loop, "g") == [2], 20, step=0.1)
    cli.stop()
    d = describe(one_loop, "g")
    assert d["state"] == "Stable" and [m["instance_id"] for m in d["members"]] == ["me"]


def test_a_member_that_dies_is_replaced_after_its_session(one_loop):
    one_loop.create_topic("t", 4)
    cli = Cli(one_loop, "g", "t", "--property", "session.timeout.ms=1500")
    wait_for("it reads all", lambda: describe_members(one_loop, "g") == [4], 20, step=0.1)
    cli.popen.kill()
    cli.popen.communicate(timeout=10)
    member = Member(one_loop, "g", "t")
    poll_until([member], "the other reads all", lambda: len(member.partitions) == 4)
    member.close()


def test_a_topic_that_grows_is_shared_anew(one_loop):
    one_loop.create_topic("t", 2)
    cli = Cli(one_loop, "g", "t", "--property", "metadata.max.age.ms=500")
    wait_for("it reads both", lambda: describe_members(one_loop, "g") == [2], 20, step=0.1)
    one_loop.correio("topic", "alter", "t", "--partitions", 5)
    wait_for("it reads all five", lambda: describe_members(one_loop, "g") == [5], 30, step=0.2)
    cli.stop()


def test_a_topic_that_does_not_exist_yet_is_read_once_it_does(one_loop):
    one_loop.create_topic("other", 1)
    cli = Cli(one_loop, "g", "later")
    wait_for("it is in the group", lambda: describe_members(one_loop, "g") == [0], 20, step=0.1)
    one_loop.create_topic("later", 2)
    fill(one_loop, "later", 2, 3)
    wait_for("it reads it", lambda: sum((committed_of(one_loop, "g") or {}).values()) == 6, 40, step=0.2)
    assert len(cli.stop()) == 6


def committed_of(broker, group):
    return {k: v or 0 for k, v in committed(broker, group).items()}


def text(s):
    return struct.pack(">h", len(s)) + s.encode()


class Raw:
    """Requests of old versions, byte by byte."""

    def __init__(self, broker):
        self.socket = socket.create_connection(("127.0.0.1", broker.port), timeout=20)

    def send(self, key, version, body):
        frame = struct.pack(">hhi", key, version, 1) + text("raw") + body
        self.socket.sendall(struct.pack(">i", len(frame)) + frame)

    def answer(self):
        def read(n):
            got = b""
            while len(got) < n:
                piece = self.socket.recv(n - len(got))
                assert piece, "closed"
                got += piece
            return got
        return read(struct.unpack(">i", read(4))[0])[4:]

    def join(self, member=""):
        protocols = struct.pack(">i", 1) + text("range") + struct.pack(">i", 2) + b"me"
        self.send(11, 1, text("raw") + struct.pack(">ii", 10000, 20000) + text(member) + text("consumer") + protocols)


def test_a_peer_that_goes_while_its_join_waits_stays_a_member(broker):
    broker.create_topic("t", 1)
    first, second = Raw(broker), Raw(broker)

    def found():
        first.send(10, 0, text("raw"))
        return first.answer()[:2] == b"\0\0"
    wait_for("the coordinator is there", found, 20, step=0.1)
    first.join()
    answer = first.answer()
    assert struct.unpack(">hi", answer[:6]) == (0, 1)
    member = answer[-answer[::-1].index(b"-war") - 4:]  # the id stands in the list of members, last
    member = member[:member.index(struct.pack(">i", 2) + b"me")].decode()
    second.join()  # waits for the first to join again
    second.socket.close()
    wait_for("it is seen", lambda: len(describe(broker, "raw")["members"]) == 2, 20, step=0.1)
    first.send(12, 0, text("raw") + struct.pack(">i", 1) + text(member))
    assert struct.unpack(">h", first.answer()) == (27,)
    first.join(member)
    answer = first.answer()
    assert struct.unpack(">hi", answer[:6]) == (0, 2) and answer.count(b"\0\0\0\2me") == 2


# --- kill -9 ---------------------------------------------------------------------------------------------------------

def test_committed_offsets_survive_kill_9(broker):
    broker.create_topic("t", 3)
    fill(broker, "t", 3, 100)
    offsets = {}
    for i in range(20):
        consumer = confluent.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": f"g{i}", "enable.auto.commit": False})
        consumer.commit(offsets=[confluent.TopicPartition("t", p, i + p) for p in range(3)], asynchronous=False)
        offsets[f"g{i}"] = {("t", p): i + p for p in range(3)}
        consumer.close()
    member = Member(broker, "live", "t")
    poll_until([member], "half is read", lambda: len(member.values) >= 150)
    member.consumer.commit(asynchronous=False)
    before = committed(broker, "live")
    broker.kill()
    broker.restart()
    assert {g: committed(broker, g) for g in offsets} == offsets
    assert committed(broker, "live") == before
    # The member goes on with the same broker, and reads what is left.
    poll_until([member], "the rest is read", lambda: len(set(member.values)) == 300, 40)
    member.close()
    assert describe(broker, "live")["lag"] == 0


# --- correio group ----------------------------------------------------------------------------------------------------

def test_group_list_describe_and_delete(broker):
    broker.create_topic("t", 2)
    fill(broker, "t", 2, 10)
    member = Member(broker, "busy", "t")
    poll_until([member], "all is read", lambda: len(member.values) == 20)
    member.consumer.commit(asynchronous=False)
    broker.correio("consume", "t", "--group", "idle", "--from-beginning", "--max-messages", 5, "--timeout-ms", 15000)
    groups = {g["group"]: g for g in broker.correio("group", "list", "--json").json()}
    assert groups["busy"]["state"] == "Stable" and groups["idle"]["state"] == "Empty"
    assert {g["type"] for g in groups.values()} == {"classic"} and {g["coordinator"] for g in groups.values()} == {1}
    text = broker.correio("group", "describe", "busy", "idle").out
    assert "group busy" in text and "LAG SECONDS" in text and "/127.0.0.1" in text
    d = describe(broker, "busy")
    assert d["coordinator"] == {"id": 1, "host": "127.0.0.1", "port": broker.port} and d["lag"] == 0
    assert {o["member_id"] for o in d["offsets"]} == {d["members"][0]["member_id"]}
    refused = broker.correio("group", "delete", "busy", check=False)
    assert refused.status == 1 and "NON_EMPTY_GROUP" in refused.err
    refused = broker.correio("group", "delete-offsets", "busy", "--topic", "t", check=False)
    assert refused.status == 1 and "GROUP_SUBSCRIBED_TO_TOPIC" in refused.err
    broker.correio("group", "delete-offsets", "idle", "--topic", "t:0")
    assert ("t", 0) not in committed(broker, "idle")
    broker.correio("group", "delete", "idle")
    missing = broker.correio("group", "describe", "bussy", check=False)
    assert missing.status == 1 and "did you mean busy?" in missing.err
    member.close()


def test_lag_in_records_and_seconds(broker):
    broker.create_topic("t", 2)
    now_ms = int(time.time() * 1000)
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap})
    for i in range(10):
        producer.produce("t", value=str(i), partition=0, timestamp=now_ms - 100_000 + i * 10_000)
    assert producer.flush(10) == 0
    consumer = confluent.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g"})
    consumer.commit(offsets=[confluent.TopicPartition("t", 0, 4), confluent.TopicPartition("t", 1, 0)], asynchronous=False)
    consumer.close()
    o = {x["partition"]: x for x in describe(broker, "g")["offsets"]}
    assert o[0]["lag"] == 6 and o[0]["end_offset"] == 10 and 60 <= o[0]["lag_seconds"] < 90
    assert o[1]["lag"] == 0 and o[1]["lag_seconds"] == 0


def lag_metrics(broker, family):
    lines = [x for x in broker.http("/metrics")[1].splitlines() if x.startswith(f"correio_group_lag_{family}{{")]
    return {x.split("{")[1].split("}")[0]: float(x.rsplit(" ", 1)[1]) for x in lines}


def test_lag_is_exported(cluster):
    broker = cluster.start_broker(1, {"num.network.threads": 3, **GROUPS, "metrics.group.lag.interval.ms": 50})
    broker.create_topic("t", 70)
    now_ms = int(time.time() * 1000)
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap})
    for i in range(10):
        producer.produce("t", value=str(i), partition=0, timestamp=now_ms - 100_000 + i * 10_000)
        assert producer.flush(10) == 0  # one batch each
    consumer = confluent.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": 'a "g"\\'})
    consumer.commit(offsets=[confluent.TopicPartition("t", p, 4 if p == 0 else 0) for p in range(70)], asynchronous=False)
    name = r'group="a \"g\"\\",topic="t",partition='
    wait_for("all are exported", lambda: len(lag_metrics(broker, "seconds")) == 70, 20, step=0.1)
    records, seconds = lag_metrics(broker, "records"), lag_metrics(broker, "seconds")
    assert records[name + '"0"'] == 6 and 60 <= seconds[name + '"0"'] < 90
    assert sum(records.values()) == 6 and sum(seconds.values()) == seconds[name + '"0"']
    consumer.commit(offsets=[confluent.TopicPartition("t", 0, 10)], asynchronous=False)
    wait_for("it has caught up", lambda: sum(lag_metrics(broker, "records").values()) == 0, 20, step=0.1)
    consumer.close()
    broker.correio("group", "delete", 'a "g"\\')
    wait_for("it is gone", lambda: lag_metrics(broker, "records") == {}, 20, step=0.1)


def test_reset_offsets(broker, tmp_path):
    broker.create_topic("t", 2)
    now_ms = int(time.time() * 1000)
    producer = confluent.Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0})
    for i in range(10):
        producer.produce("t", value=str(i), partition=0, timestamp=now_ms - (10 - i) * 3_600_000)
        assert producer.flush(10) == 0
    consumer = confluent.Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g"})
    consumer.commit(offsets=[confluent.TopicPartition("t", 0, 5)], asynchronous=False)
    consumer.close()

    def reset(*args, execute=True):
        out = broker.correio("group", "reset-offsets", "g", *args, "--json", *(["--execute"] if execute else [])).json()
        return {o["partition"]: o["new_offset"] for o in out["offsets"]}
    assert reset("--all-topics", "--to-earliest", execute=False) == {0: 0} and committed(broker, "g") == {("t", 0): 5}
    assert reset("--topic", "t", "--to-earliest") == {0: 0, 1: 0}
    assert committed(broker, "g") == {("t", 0): 0, ("t", 1): 0}
    assert reset("--topic", "t:0", "--to-latest") == {0: 10}
    assert reset("--topic", "t:0", "--shift-by", -3) == {0: 7}
    assert reset("--topic", "t:0", "--shift-by", 100) == {0: 10}
    assert reset("--topic", "t:0", "--to-offset", 4) == {0: 4}
    assert reset("--topic", "t:0", "--by-duration", "PT2H30M") == {0: 8}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000", time.gmtime(now_ms / 1000 - 4.5 * 3600))
    assert reset("--topic", "t:0", "--to-datetime", stamp) == {0: 6}
    assert reset("--all-topics", "--to-current") == {0: 6, 1: 0}
    exported = broker.correio("group", "reset-offsets", "g", "--all-topics", "--to-current", "--export").out
    assert exported == "t,0,6\nt,1,0\n"
    (tmp_path / "offsets.csv").write_text(exported.replace("t,0,6", "t,0,2"))
    assert reset("--from-file", tmp_path / "offsets.csv") == {0: 2, 1: 0}
    assert committed(broker, "g") == {("t", 0): 2, ("t", 1): 0}
    member = Member(broker, "g", "t")
    poll_until([member], "it is in", lambda: len(member.partitions) == 2)
    refused = broker.correio("group", "reset-offsets", "g", "--all-topics", "--to-latest", "--execute", check=False)
    assert refused.status == 1 and "NON_EMPTY_GROUP" in refused.err and "Stable" in refused.err
    member.close()
    for wrong in (["--to-latest"], ["--all-topics"], ["--all-topics", "--to-latest", "--to-earliest"], ["--topic", "t", "--to-datetime", "x"]):
        assert broker.correio("group", "reset-offsets", "g", *wrong, check=False).status == 64


def test_wrong_use_of_groups_is_told(one_loop):
    one_loop.create_topic("t", 1)

    def consume(*args):
        return one_loop.correio("consume", "t", "--group", "g", "--timeout-ms", 3000, *args, check=False)
    assert consume("--partition", 0).status == 64
    nobody = run([CORREIO, "consume", "t", "--group", "g", "--bootstrap-server", "127.0.0.1:1"], check=False)
    assert nobody.status == 1 and "NO_BROKER" in nobody.err
    typo = one_loop.correio("consume", "orders", "--group", "g", "--timeout-ms", 0)
    assert "orders does not exist" in typo.err and "waiting" in typo.err
    bad = consume("--property", "partition.assignment.strategy=rnage")
    assert bad.status == 1 and "range, roundrobin or cooperative-sticky" in bad.err
    bad = consume("--property", "session.timeout.ms=10", "--property", "heartbeat.interval.ms=3")
    assert bad.status == 1 and "INVALID_SESSION_TIMEOUT" in bad.err
    member = Member(one_loop, "g", "t", **{"partition.assignment.strategy": "roundrobin"})
    poll_until([member], "it is in", lambda: len(member.partitions) == 1)
    bad = consume("--property", "partition.assignment.strategy=range")
    assert bad.status == 1 and "INCONSISTENT_GROUP_PROTOCOL" in bad.err
    member.close()
    assert json.loads(one_loop.correio("group", "list", "--json").out)[0]["group"] == "g"
