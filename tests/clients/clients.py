"""The clients under test: how each is had, what it can do, and a driver process of it under remote control."""
import dataclasses
import functools
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DRIVERS = HERE / "drivers"
# Brought and built on first use; package managers keep their own caches beyond it.
CACHE = ROOT / "build" / "clients"
COMMAND_SECONDS = 60.0


class Missing(Exception):
    """A client cannot be had here: a registry out of reach, a tool that is not installed."""


def command(*argv, cwd=None, env=None):
    try:
        done = subprocess.run([str(a) for a in argv], cwd=cwd, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                              timeout=600)
    except FileNotFoundError as error:
        raise Missing(f"{argv[0]} is not installed") from error
    if done.returncode != 0:
        raise Missing(f"{' '.join(map(str, argv[:4]))}: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout


def built(name, make):
    """The folder CACHE/name, made once by make(folder)."""
    folder = CACHE / name
    if not (folder / ".done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / ".done").touch()
    return folder


def newer(target, *sources):
    return target.exists() and all(target.stat().st_mtime >= s.stat().st_mtime for s in sources)


def python_with(name, *requirements):
    """An interpreter with these packages of PyPI."""
    def make(folder):
        command("/usr/bin/python3", "-m", "venv", folder)
        command(folder / "bin" / "pip", "install", "-q", "--only-binary=:all:", *requirements)
    return built(name, make) / "bin" / "python"


def debian_python(driver):
    return ["/usr/bin/python3", DRIVERS / driver]


def pypi_python(driver, name, *requirements):
    return [python_with(name, *requirements), DRIVERS / driver]


def rdkafka_c():
    source, program = DRIVERS / "rdkafka_driver.c", CACHE / "rdkafka_driver"
    if not newer(program, source):
        CACHE.mkdir(parents=True, exist_ok=True)
        flags = command("pkg-config", "--cflags", "--libs", "rdkafka", "jansson").split()
        command("gcc", "-std=gnu17", "-O1", "-Wall", "-Wextra", "-pthread", source, "-o", program, *flags)
    return [program]


def go_driver(library):
    sources, program = sorted((DRIVERS / "go").iterdir()), CACHE / "go_driver"
    if not newer(program, *sources):
        CACHE.mkdir(parents=True, exist_ok=True)
        command("go", "build", "-o", program, ".", cwd=DRIVERS / "go", env={"GOTOOLCHAIN": "local"})
    return [program, library]


def java_driver(version):
    """Driver.java, compiled against the oldest of the jars and run with the one asked for."""
    def bring(wanted):
        def make(folder):
            (folder / "pom.xml").write_text(POM.format(version=wanted))
            command("mvn", "-q", "-B", "-f", folder / "pom.xml", "dependency:copy-dependencies", f"-DoutputDirectory={folder}")
        return built(f"java-{wanted}", make)
    source, classes = DRIVERS / "Driver.java", CACHE / "java"
    if not newer(classes / "Driver.class", source):
        command("javac", "-nowarn", "-cp", f"{bring(JAVA_OLD)}/*", "-d", classes, source)
    jvm = ["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto"]
    return ["java", *jvm, "-cp", f"{bring(version)}/*:{classes}", "Driver"]


JAVA_OLD, JAVA_NEW = "3.9.1", "4.1.0"
POM = """<project><modelVersion>4.0.0</modelVersion><groupId>tests</groupId><artifactId>clients</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-clients</artifactId><version>{version}</version></dependency>
<dependency><groupId>com.fasterxml.jackson.core</groupId><artifactId>jackson-databind</artifactId><version>2.16.2</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>1.7.36</version></dependency>
</dependencies></project>
"""


def node_driver(script):
    def make(folder):
        shutil.copy(DRIVERS / "js" / "package.json", folder)
        command("npm", "install", "--silent", "--ignore-scripts", "--no-package-lock", cwd=folder)
    return ["node", "--no-warnings", DRIVERS / "js" / script, built("js", make) / "node_modules"]


ALL = ("none", "gzip", "snappy", "lz4", "zstd")
OLD_CODECS = ("none", "gzip", "snappy", "lz4")


@dataclasses.dataclass(frozen=True)
class Client:
    """What a client can do. `lacks` names commands and features it has not: these are not tests that were left out."""
    name: str
    argv: object
    settings: dict = dataclasses.field(default_factory=dict)
    codecs: tuple = ALL
    lacks: frozenset = frozenset()
    assignors: tuple = ("range",)

    def can(self, *features):
        return not self.lacks & set(features)


def client(name, argv, settings=None, codecs=ALL, lacks="", assignors=("range",)):
    return Client(name, argv, settings or {}, codecs, frozenset(lacks.split()), assignors)


# What the protocol of before 0.11 has not.
OLD_PROTOCOL = "headers null-headers idempotent static consumer-protocol delete_records "
# librdkafka of 0.10.0 asks for versions all the same; of 0.9 it takes them for granted.
OLD_RDKAFKA = {"api.version.request": "false", "broker.version.fallback": "0.10.0"}
OLDER_RDKAFKA = {"api.version.request": "false", "broker.version.fallback": "0.9.0.1"}
ADMIN = ("create_topic delete_topic create_partitions describe_topic describe_configs alter_configs delete_records list_groups "
         "describe_group delete_group ")
RDKAFKA = ("range", "roundrobin", "cooperative-sticky")

CLIENTS = [
    client("confluent-1.7", lambda: debian_python("confluent_driver.py"), lacks="consumer-protocol delete_records delete_group",
           assignors=RDKAFKA),
    client("confluent-2.16", lambda: pypi_python("confluent_driver.py", "confluent", "confluent-kafka==2.16.1"), assignors=RDKAFKA),
    client("librdkafka", rdkafka_c, lacks="consumer-protocol", assignors=RDKAFKA),
    client("librdkafka-0.10.0", rdkafka_c, OLD_RDKAFKA, lacks="consumer-protocol", assignors=RDKAFKA),
    client("librdkafka-0.9", rdkafka_c, OLDER_RDKAFKA, ("none", "gzip", "snappy"),
           lacks=OLD_PROTOCOL + ADMIN + "timestamps describe_cluster mixed-group"),
    client("kcat", lambda: debian_python("kcat_driver.py"),
           lacks="headers timestamps empty-values produced-offsets group consumer-protocol " + ADMIN),
    client("kcat-0.9", lambda: debian_python("kcat_driver.py"), OLDER_RDKAFKA, ("none", "gzip", "snappy"),
           lacks=OLD_PROTOCOL + "timestamps empty-values produced-offsets group describe_cluster " + ADMIN),
    client("kafka-python-2.0", lambda: pypi_python("kafka_python_driver.py", "kafka-python-2.0.2", "kafka-python==2.0.2", "lz4",
                                                   "python-snappy", "six"),
           codecs=OLD_CODECS, lacks="idempotent static consumer-protocol delete_records null-headers", assignors=("range", "roundrobin")),
    client("kafka-python-3.0", lambda: pypi_python("kafka_python_driver.py", "kafka-python-3.0.12", "kafka-python==3.0.12", "lz4",
                                                   "python-snappy", "zstandard"), lacks="consumer-protocol null-headers",
           assignors=("range", "roundrobin", "cooperative-sticky")),
    client("aiokafka", lambda: pypi_python("aiokafka_driver.py", "aiokafka", "aiokafka==0.14.0", "cramjam"),
           lacks="consumer-protocol null-headers delete_group", assignors=("range", "roundrobin")),
    client("java-3.9", lambda: java_driver(JAVA_OLD), lacks="consumer-protocol", assignors=("range", "sticky", "cooperative-sticky")),
    client("java-4.1", lambda: java_driver(JAVA_NEW), assignors=("range", "sticky", "cooperative-sticky")),
    client("franz-go", lambda: go_driver("franz"), assignors=("range", "roundrobin", "cooperative-sticky")),
    client("sarama", lambda: go_driver("sarama"), {"version": "3.6.0"}, lacks="consumer-protocol",
           assignors=("range", "roundrobin", "sticky")),
    client("sarama-0.10.2", lambda: go_driver("sarama"), {"version": "0.10.2.0"}, OLD_CODECS,
           lacks=OLD_PROTOCOL + "create_partitions describe_configs alter_configs delete_group",
           assignors=("range", "roundrobin")),
    # In a group led by librdkafka it gets nothing: its subscription says version 1 and ends after what version 0 has.
    client("kafka-go", lambda: go_driver("segmentio"),
           lacks="idempotent static consumer-protocol delete_records produced-offsets empty-values mixed-group",
           assignors=("range", "roundrobin")),
    # Its assignor is one of its own; its deletion of records fails against Kafka 3.9 too.
    client("kafkajs", lambda: node_driver("driver.js"), codecs=("none", "gzip", "snappy"),
           lacks="static consumer-protocol delete_records null-headers produced-offsets mixed-group some-partitions",
           assignors=("roundrobin",)),
]
BY_NAME = {c.name: c for c in CLIENTS}


@functools.lru_cache
def argv_of(name):
    try:
        return [str(a) for a in BY_NAME[name].argv()]
    except Missing as why:
        return str(why)


class Failed(Exception):
    """The client answered a command with an error."""

    def __init__(self, text, code):
        super().__init__(text)
        self.code = code


class Driver:
    """A process of a client's driver. A command is a call: driver.produce(topic=...) -> the answer's fields."""

    def __init__(self, client, bootstrap, log):
        argv = argv_of(client.name)
        if isinstance(argv, str):
            pytest.skip(f"{client.name} cannot be had here: {argv}")
        self.client, self.log = client, pathlib.Path(log)
        with open(self.log, "ab") as err:
            self.popen = subprocess.Popen([*argv, bootstrap, json.dumps(client.settings)], stdin=subprocess.PIPE,
                                          stdout=subprocess.PIPE, stderr=err, text=True, bufsize=1)
        self.ready = select.poll()
        self.ready.register(self.popen.stdout, select.POLLIN | select.POLLHUP)

    def __getattr__(self, op):
        def call(**arguments):
            self.popen.stdin.write(json.dumps({"op": op, **arguments}) + "\n")
            self.popen.stdin.flush()
            if not self.ready.poll(COMMAND_SECONDS * 1000):
                raise AssertionError(f"{self.client.name} {op}: no answer within {COMMAND_SECONDS} s\n{self.tail()}")
            line = self.popen.stdout.readline()
            assert line, f"{self.client.name} {op}: the driver ended\n{self.tail()}"
            answer = json.loads(line)
            if "error" in answer:
                raise Failed(f"{self.client.name} {op}: {answer['error']}\n{self.tail()}", answer.get("code"))
            return answer
        return call

    def tail(self):
        return self.log.read_text(errors="replace")[-800:]

    def close(self):
        self.popen.stdin.close()
        try:
            self.popen.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait(timeout=10)
        self.popen.stdout.close()


def say(text):
    print(text, file=sys.stderr)
