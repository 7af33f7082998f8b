"""The tools of Kafka 3.9 from its published jars, command by command. What each prints, after normalising, is what it prints against
Kafka 3.9.1: kafka-tools.expected, recorded by

    CORREIO_CLIENTS_AGAINST=kafka CORREIO_REWRITE=1 python3 -m pytest -q tests/clients/test_kafka_tools.py

The commands run in order and build on one another. A table of them is printed to build/results/kafka-tools.txt.
"""
import json
import os
import pathlib
import re
import select
import subprocess

import pytest

from clients import BY_NAME, CACHE, HERE, ROOT, Driver, command, newer
from conftest import AGAINST_KAFKA
from kafka import jars, tool
from test_clients import Members

EXPECTED = HERE / "kafka-tools.expected"
REWRITE = AGAINST_KAFKA and bool(os.environ.get("CORREIO_REWRITE"))
TABLE = ROOT / "build" / "results" / "kafka-tools.txt"

MAINS = {
    "topics": "org.apache.kafka.tools.TopicCommand",
    "configs": "kafka.admin.ConfigCommand",
    "console-producer": "kafka.tools.ConsoleProducer",
    "console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "producer-perf-test": "org.apache.kafka.tools.ProducerPerformance",
    "consumer-perf-test": "org.apache.kafka.tools.ConsumerPerformance",
    "verifiable-producer": "org.apache.kafka.tools.VerifiableProducer",
    "verifiable-consumer": "org.apache.kafka.tools.VerifiableConsumer",
    "cluster": "org.apache.kafka.tools.ClusterTool",
}

STEPS = []


def step(tool, args, stdin="", numbers=False, keys=False, unordered=False, live=False, own_jvm=False):
    """numbers: figures of speed, which differ. keys: what precedes '=' alone counts. live: while group "live" has a member.
    own_jvm: the tool ends its work in a hook of the JVM's end."""
    STEPS.append(dict(tool=tool, args=args, stdin=stdin, numbers=numbers, keys=keys, unordered=unordered, live=live,
                      own_jvm=own_jvm))


LINES = "".join(f"k{i % 3}:value {i}\n" for i in range(30))

step("topics", "--create --topic t --partitions 3 --replication-factor 1 --config retention.ms=3600000")
step("topics", "--create --topic t --partitions 3 --replication-factor 1")
step("topics", "--create --topic t --if-not-exists --partitions 3 --replication-factor 1")
step("topics", "--create --topic assigned --replica-assignment 1,1")
step("topics", "--create --topic plain")
step("topics", "--create --topic under_score.and.dot --partitions 1")
step("topics", "--create --topic bad!name --partitions 1")
step("topics", "--create --topic none --partitions 0")
step("topics", "--create --topic two --partitions 1 --replication-factor 2")
step("topics", "--create --topic bad --partitions 1 --config retention.ms=never")
step("topics", "--create --topic bad --partitions 1 --config no.such.setting=1")
step("topics", "--list --exclude-internal", unordered=True)
step("topics", "--describe --topic t")
step("topics", "--describe --exclude-internal", unordered=True)
step("topics", "--describe --topics-with-overrides --exclude-internal")
step("topics", "--describe --topic missing")
step("topics", "--alter --topic t --partitions 5")
step("topics", "--alter --topic t --partitions 4")
step("topics", "--alter --topic missing --partitions 4")
step("topics", "--describe --topic t")
step("topics", "--describe --under-replicated-partitions --exclude-internal")
step("topics", "--describe --unavailable-partitions --exclude-internal")
step("topics", "--describe --under-min-isr-partitions --exclude-internal")
step("topics", "--describe --at-min-isr-partitions --topic t")
step("topics", "--delete --topic assigned")
step("topics", "--delete --topic missing")

step("configs", "--describe --entity-type topics --entity-name t")
step("configs", "--alter --entity-type topics --entity-name t --add-config max.message.bytes=65536,cleanup.policy=[compact,delete]")
step("configs", "--describe --entity-type topics --entity-name t")
step("configs", "--alter --entity-type topics --entity-name t --delete-config cleanup.policy")
step("configs", "--alter --entity-type topics --entity-name t --delete-config cleanup.policy")
step("configs", "--alter --entity-type topics --entity-name t --add-config segment.bytes=x")
step("configs", "--alter --entity-type topics --entity-name t --add-config no.such=1")
step("configs", "--alter --entity-type topics --entity-name missing --add-config retention.ms=1000")
step("configs", "--describe --entity-type topics --entity-name t")
step("configs", "--describe --entity-type topics --entity-name t --all", keys=True)
step("configs", "--describe --entity-type topics --entity-name missing")
step("configs", "--describe --entity-type brokers --entity-name 1")
step("configs", "--describe --entity-type brokers --entity-default")
step("configs", "--alter --entity-type brokers --entity-default --add-config log.retention.ms=86400000")
step("configs", "--alter --entity-type brokers --entity-name 1 --add-config log.retention.ms=43200000")
step("configs", "--describe --entity-type brokers --entity-default")
step("configs", "--describe --entity-type brokers --entity-name 1")
step("configs", "--alter --entity-type brokers --entity-name 1 --add-config broker.id=7")
step("configs", "--alter --entity-type brokers --entity-name 1 --delete-config log.retention.ms")
step("configs", "--alter --entity-type brokers --entity-default --delete-config log.retention.ms")

PLAIN = "--producer-property enable.idempotence=false"
step("console-producer", f"--topic plain {PLAIN}", stdin="one\ntwo\nthree\n")
step("console-producer", f"--topic t --property parse.key=true --property key.separator=: {PLAIN}", stdin=LINES)
step("console-producer", f"--topic plain --compression-codec lz4 --sync --request-required-acks 1 {PLAIN}", stdin="four\n")
step("console-producer", f"--topic plain --property parse.key=true --property parse.headers=true --property null.marker=NULL {PLAIN}",
     stdin="h1:a,h2:b\tkey\tNULL\n")
step("console-producer", "--topic plain", stdin="idempotent\n")
step("console-producer", f"--topic missing --producer-property max.block.ms=500 {PLAIN}", stdin="x\n")
PRINT = "--property print.key=true --property print.headers=true --property print.partition=true --property print.offset=true"
ONE = "--topic plain --partition 0"
step("console-consumer", f"{ONE} --offset earliest --max-messages 5 {PRINT}")
step("console-consumer", f"{ONE} --offset 2 --max-messages 2")
step("console-consumer", f"{ONE} --offset 3 --timeout-ms 1500", numbers=True)
step("console-consumer", "--topic t --from-beginning --max-messages 30 --group g --property print.key=true", unordered=True)
step("console-consumer", "--topic t --group g --timeout-ms 1500")
step("console-consumer", "--include t|plain --from-beginning --max-messages 35 --group both", unordered=True)

step("get-offsets", "--topic t")
step("get-offsets", "--topic t --time -2")
step("get-offsets", "--topic t --time earliest")
step("get-offsets", "--topic plain --time max-timestamp")
step("get-offsets", "--topic plain --time -4")
step("get-offsets", "--topic plain --time latest-tiered")
step("get-offsets", "--topic plain --time 0")
step("get-offsets", "--topic t --partitions 0,2")
step("get-offsets", "--topic-partitions t:1-3,plain:0 --exclude-internal-topics")
step("get-offsets", "--topic missing")

step("consumer-groups", "--list", unordered=True)
step("consumer-groups", "--list --state", unordered=True)
step("consumer-groups", "--list --state empty", unordered=True)
step("consumer-groups", "--list --state stable")
step("consumer-groups", "--list --type classic", unordered=True)
step("consumer-groups", "--describe --group g", unordered=True)
step("consumer-groups", "--describe --group g --state")
step("consumer-groups", "--describe --group g --members")
step("consumer-groups", "--describe --group missing")
step("consumer-groups", "--describe --all-groups --state", unordered=True)
step("consumer-groups", "--describe --group live", unordered=True, live=True)
step("consumer-groups", "--describe --group live --members", live=True)
step("consumer-groups", "--describe --group live --members --verbose", live=True)
step("consumer-groups", "--describe --group live --state", live=True)
step("consumer-groups", "--list --state stable", live=True)
step("consumer-groups", "--group live --reset-offsets --to-earliest --topic t --execute", live=True)
step("consumer-groups", "--group live --delete", live=True)
RESET = "--group g --reset-offsets --topic t"
for how in ("--to-earliest", "--to-latest", "--to-offset 4", "--shift-by -2", "--to-current", "--by-duration PT0S",
            "--to-datetime 2020-01-01T00:00:00.000"):
    step("consumer-groups", f"{RESET} {how} --dry-run", unordered=True)
    step("consumer-groups", f"{RESET} {how} --execute", unordered=True)
step("consumer-groups", "--group g --reset-offsets --topic t:1,2 --to-offset 1 --export", unordered=True)
step("consumer-groups", "--group g --reset-offsets --from-file DIR/offsets.csv --execute", unordered=True)
step("consumer-groups", "--group g --reset-offsets --all-topics --to-offset 999 --dry-run", unordered=True)
step("consumer-groups", "--describe --group g", unordered=True)
step("consumer-groups", "--group new --reset-offsets --topic t --to-earliest --execute", unordered=True)
step("consumer-groups", "--group g --delete-offsets --topic t:0")
step("consumer-groups", "--group g --delete-offsets --topic t")
step("consumer-groups", "--describe --group g", unordered=True)
step("consumer-groups", "--delete --group g --group both")
step("consumer-groups", "--delete --group missing")
step("consumer-groups", "--list", unordered=True)

step("delete-records", "--offset-json-file DIR/records.json")
step("delete-records", "--offset-json-file DIR/records-too-far.json")
step("get-offsets", "--topic plain --time -2")
step("log-dirs", "--describe --topic-list plain,t")
step("log-dirs", "--describe --broker-list 1 --topic-list missing")

PROPS = "--producer-props bootstrap.servers=BOOTSTRAP"
step("producer-perf-test", f"--topic plain --num-records 2000 --record-size 100 --throughput -1 {PROPS} enable.idempotence=false",
     numbers=True)
step("producer-perf-test", f"--topic plain --num-records 500 --record-size 100 --throughput 10000 {PROPS} compression.type=zstd",
     numbers=True)
step("consumer-perf-test", "--topic plain --messages 2000", numbers=True)
step("verifiable-producer", "--topic plain --max-messages 5 --producer.config DIR/producer.properties", numbers=True, own_jvm=True)
step("verifiable-producer", "--topic plain --max-messages 5", numbers=True, own_jvm=True)
step("verifiable-consumer", "--topic t --group-id verified --max-messages 20 --reset-policy earliest", numbers=True, own_jvm=True)
step("cluster", "cluster-id")
step("topics", "--delete --topic t")
step("topics", "--delete --topic under_score.and.dot")


def title(s):
    return f"kafka-{s['tool']} {s['args']}"


class Tools:
    """The JVM in which they run."""

    def __init__(self, directory):
        self.dir = directory
        source, classes = HERE / "drivers" / "KafkaTools.java", CACHE / "java"
        if not newer(classes / "KafkaTools.class", source):
            command("javac", "-nowarn", "-cp", f"{jars()}/*", "-d", classes, source)
        self.err = open(directory / "jvm.log", "wb")
        self.popen = subprocess.Popen(
            ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC", "-cp", f"{jars()}/*:{classes}",
             "KafkaTools"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True, cwd=directory)
        (directory / "offsets.csv").write_text("t,0,3\nt,1,2\n")
        (directory / "records.json").write_text(json.dumps(
            {"version": 1, "partitions": [{"topic": "plain", "partition": 0, "offset": 2}]}))
        (directory / "records-too-far.json").write_text(json.dumps(
            {"version": 1, "partitions": [{"topic": "plain", "partition": 0, "offset": 999999}]}))
        (directory / "producer.properties").write_text("enable.idempotence=false\n")

    def run(self, s, bootstrap):
        args = s["args"].replace("DIR", str(self.dir)).replace("BOOTSTRAP", bootstrap).split()
        if s["tool"] != "producer-perf-test":
            args += ["--bootstrap-server", bootstrap]
        if s["own_jvm"]:
            done = tool(MAINS[s["tool"]], *args, check=False)
            return {"status": done.status, "out": done.out, "err": done.err}
        self.popen.stdin.write(json.dumps({"main": MAINS[s["tool"]], "args": args, "stdin": s["stdin"]}) + "\n")
        self.popen.stdin.flush()
        ready, _, _ = select.select([self.popen.stdout], [], [], 90)
        assert ready, f"{title(s)}: no end within 90 s"
        return json.loads(self.popen.stdout.readline())

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(20)
        self.popen.stdout.close()
        self.err.close()


# Stack traces below their first line, the logging library, and how the JVM that runs them all ends one.
NOISE = re.compile(r"!\s+(at |Caused by|\.\.\. |SLF4J|the tool has ended|KafkaTools\$Ended)")

# Settings that Kafka has not.
OURS_ALONE = {"log.flush.policy"}


def normal(s, answer, directory):
    """What must be the same: without ids, addresses, times, and the numbers of a measurement."""
    text = answer["out"].rstrip() + "\n" + "".join(f"! {line}\n" for line in answer["err"].splitlines())
    text = text.replace(str(directory), "DIR")
    lines = []
    for line in text.splitlines():
        if NOISE.match(line):
            continue
        # Texts of errors are ours, their kind is Kafka's.
        line = re.sub(r"(org\.apache\.kafka\.common\.errors\.\w+Exception): .*", r"\1", line)
        line = re.sub(r"(org\.apache\.kafka\.common\.errors\.\w+Exception):$", r"\1", line)
        line = re.sub(r"(Error while executing topic command : ).*", r"\1TEXT", line)
        # We know log.retention.ms by one name.
        line = re.sub(r", DEFAULT_CONFIG:log\.retention\.(ms|hours)=\d+", "", line)
        line = re.sub(r"127\.0\.0\.1:\d+|localhost:\d+", "HOST", line)
        line = re.sub(r"/127\.0\.0\.1|localhost", "HOST", line)
        line = re.sub(r"TopicId: \S{22}", "TopicId: ID", line)
        line = re.sub(r"(Cluster ID: )\S{22}", r"\1ID", line)
        line = re.sub(r"\S+-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "MEMBER", line)
        line = re.sub(r"\[?\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,:]\d+\]?", "TIME", line)
        line = re.sub(r'"(timestamp|logEndOffset|size)":\d+', r'"\1":N', line)
        line = re.sub(r'"logDir":"[^"]*"', '"logDir":"DIR"', line)
        if s["numbers"]:
            line = re.sub(r"\d+(\.\d+)?(E-?\d+)?|NaN|Infinity", "N", line)
        if s["keys"]:
            line = line.split("=")[0]
        line = re.sub(r"\s+", " ", line).strip()
        if line.strip("! ") and not (s["keys"] and line in OURS_ALONE):
            lines.append(line)
    if s["keys"] or s["unordered"]:
        lines.sort()
    if s["numbers"]:
        lines = [x for i, x in enumerate(lines) if i == 0 or x != lines[i - 1]]
    return [f"status {answer['status']}", *lines]


def recorded():
    sections = {}
    for section in EXPECTED.read_text().split("\n### ")[1:] if EXPECTED.exists() else []:
        name, _, body = section.partition("\n")
        sections[name] = body.rstrip("\n").split("\n")
    return sections


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    t = Tools(tmp_path_factory.mktemp("tools"))
    t.table, t.got = [], {}
    yield t
    t.close()
    TABLE.parent.mkdir(parents=True, exist_ok=True)
    TABLE.write_text("".join(f"{verdict:9} {name}\n" for verdict, name in t.table))
    print("\n" + TABLE.read_text())
    if REWRITE:
        EXPECTED.write_text("What Kafka 3.9.1's tools print against Kafka 3.9.1; see test_kafka_tools.py.\n" +
                            "".join(f"\n### {name}\n" + "".join(f"{line}\n" for line in body) for name, body in t.got.items()))


@pytest.fixture(scope="module")
def live(fresh_server, tmp_path_factory):
    """live(True): group "live" has a member from now on; live(False): no more."""
    members = []
    driver = Driver(BY_NAME["confluent-1.7"], fresh_server.bootstrap, tmp_path_factory.mktemp("live") / "driver.log")

    def switch(on):
        if on and not members:
            members.append(Members("live", "t", 5))
            members[0].join("a", driver)
            members[0].wait_shared("a")
        if not on and members:
            members.pop().leave("a")
    yield switch
    switch(False)
    driver.close()


def names():
    seen = {}
    for s in STEPS:
        seen[title(s)] = seen.get(title(s), 0) + 1
        yield title(s) + (f" ({seen[title(s)]})" if seen[title(s)] > 1 else "")


@pytest.mark.parametrize("name,s", [pytest.param(n, s, id=n[6:].replace(" --", " ").replace("--", "")) for n, s in zip(names(), STEPS)])
def test_tool(name, s, tools, live, fresh_server):
    live(s["live"])
    got = normal(s, tools.run(s, fresh_server.bootstrap), tools.dir)
    if REWRITE:
        tools.got[name] = got
        return
    expected = recorded().get(name)
    tools.table.append(("same" if got == expected else "different", name))
    assert got == expected
