"""Processes under test: ZooKeeper, brokers, the command line."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CORREIO_BUILD", ROOT / "build" / "release")).resolve()
BROKER = BUILD / "broker" / "correio-broker"
CONTROLLER = BUILD / "broker" / "correio-controller"
CORREIO = BUILD / "tools" / "correio"
TOPICS = BUILD / "tools" / "correio-topics"
# Long runs: CORREIO_LONG=1 runs each scenario as often as the release check asks.
LONG = bool(os.environ.get("CORREIO_LONG"))


def wait_for(what, condition, seconds=15.0, step=0.02):
    """Polls a condition of another process until it holds; fails with its name after the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(step)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def port_open(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
        return True
    except OSError:
        return False


class Process:
    def __init__(self, name, argv, log, env=None):
        self.name, self.argv, self.log = name, [str(a) for a in argv], pathlib.Path(log)
        self.env = {**os.environ, **(env or {})}
        self.popen = None
        self.log_from = 0

    def start(self):
        self.log_from = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(self.argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env=self.env)
        return self

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def output(self):
        """What this run has printed."""
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as f:
            f.seek(self.log_from)
            return f.read().decode(errors="replace")

    def wait_output(self, text, seconds=15.0):
        def ready():
            assert self.alive() or text in self.output(), f"{self.name} ended:\n{self.output()[-3000:]}"
            return text in self.output()
        wait_for(f"{self.name}: '{text}' in its log", ready, seconds)

    def signal(self, number):
        self.popen.send_signal(number)

    def kill(self):
        if self.alive():
            self.popen.kill()
        if self.popen is not None:
            self.popen.wait(timeout=20)

    def terminate(self, seconds=30.0):
        """SIGTERM; the exit status."""
        if self.alive():
            self.popen.terminate()
        try:
            return self.popen.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {seconds} s:\n{self.output()[-3000:]}") from None

    def status_value(self, key):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise KeyError(key)

    def rss_kib(self):
        return self.status_value("VmRSS")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ZooKeeper:
    """Apache ZooKeeper from Debian's package, standalone, on loopback."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        (self.dir / "data").mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        (self.dir / "zk.cfg").write_text(
            f"tickTime=500\nminSessionTimeout=1000\nmaxSessionTimeout=60000\ndataDir={self.dir}/data\n"
            f"clientPort={self.port}\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\nmaxClientCnxns=0\n")
        self.process = Process("zookeeper", [
            "java", "-Xmx256m", f"-Dzookeeper.log.dir={self.dir}", "-cp",
            "/etc/zookeeper/conf:/usr/share/java/zookeeper.jar",
            "org.apache.zookeeper.server.quorum.QuorumPeerMain", self.dir / "zk.cfg"], self.dir / "zk.log")

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        self.process.start()
        wait_for("ZooKeeper's port", lambda: port_open(self.port), 40)

    def stop(self):
        if self.process.alive():
            self.process.terminate()

    def client(self, chroot=""):
        """A kazoo client, started; the caller stops it."""
        from kazoo.client import KazooClient
        client = KazooClient(hosts=self.address + chroot)
        client.start(timeout=20)
        return client


class Result:
    def __init__(self, completed):
        self.status = completed.returncode
        self.out = completed.stdout
        self.err = completed.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"status {self.status}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def run(argv, stdin=None, seconds=60.0, check=True):
    """A command to its end. stdin and outputs are text."""
    argv = [str(a) for a in argv]
    result = Result(subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=seconds))
    if check:
        assert result.status == 0, f"{' '.join(argv)}: {result}"
    return result


class Broker(Process):
    def __init__(self, cluster, broker_id, properties):
        self.cluster, self.id = cluster, broker_id
        self.dir = cluster.dir / f"broker-{broker_id}"
        self.dir.mkdir(exist_ok=True)
        self.port = free_port()
        self.admin_port = free_port()
        self.properties = {
            "broker.id": broker_id,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": self.dir / "data",
            "zookeeper.connect": cluster.zookeeper.address + cluster.chroot,
            "zookeeper.session.timeout.ms": 6000,
            "offsets.topic.replication.factor": 1,
            "admin.listener": f"127.0.0.1:{self.admin_port}",
            **properties,
        }
        super().__init__(f"broker {broker_id}", [BROKER, self.dir / "server.properties"], self.dir / "broker.log")

    def start(self, ready=True, seconds=30.0):
        (self.dir / "server.properties").write_text("".join(f"{k}={v}\n" for k, v in self.properties.items()))
        super().start()
        if ready:
            self.wait_output("broker ready", seconds)
        return self

    def restart(self, **kwargs):
        return self.start(**kwargs)

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def http(self, path):
        import urllib.error
        import urllib.request
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin_port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        status, text = self.http("/metrics")
        assert status == 200
        for line in text.splitlines():
            if line.split(" ")[0] == name:
                return float(line.split(" ")[1])
        raise KeyError(name)

    def topics(self, *args, **kwargs):
        return run([TOPICS, *args, "--bootstrap-server", self.bootstrap], **kwargs)

    def correio(self, *args, **kwargs):
        return run([CORREIO, *args, "--bootstrap-server", self.bootstrap], **kwargs)

    def create_topic(self, name, partitions=1, **configs):
        args = [x for k, v in configs.items() for x in ("--config", f"{k.replace('_', '.')}={v}")]
        self.topics("--create", "--topic", name, "--partitions", partitions, "--replication-factor", 1, *args)

    def produce_lines(self, topic, lines, *args, **kwargs):
        return self.correio("produce", topic, *args, stdin="".join(line + "\n" for line in lines), **kwargs)

    def consume_lines(self, topic, count, *args, **kwargs):
        result = self.correio("consume", topic, "--from-beginning", "--max-messages", count, "--timeout-ms", 20000,
                              *args, **kwargs)
        return result.out.splitlines()


class Cluster:
    def __init__(self, zookeeper, directory, chroot=""):
        self.zookeeper, self.dir, self.chroot = zookeeper, pathlib.Path(directory), chroot
        self.brokers = {}

    @property
    def zk_connect(self):
        return self.zookeeper.address + self.chroot

    def start_broker(self, broker_id, properties=None, **kwargs):
        broker = Broker(self, broker_id, properties or {})
        self.brokers[broker_id] = broker
        return broker.start(**kwargs)

    def zk_topics(self, *args, **kwargs):
        return run([TOPICS, *args, "--zookeeper", self.zk_connect], **kwargs)

    def stop_all(self):
        """Clean stops. A broker under a sanitizer also tells here what it leaked."""
        for broker in self.brokers.values():
            if broker.alive():
                broker.signal(signal.SIGCONT)
                assert broker.terminate() == 0, broker.output()[-3000:]
            assert "check_failed" not in broker.log.read_text(errors="replace"), broker.log.read_text()[-3000:]
        for broker in self.brokers.values():
            shutil.rmtree(broker.dir / "data", ignore_errors=True)
