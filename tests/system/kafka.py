"""Apache Kafka 3.9.1 from its published jars: the broker and the tools, to hold ours against."""
import functools
import json

import pytest

from cluster import ROOT, Process, free_port, port_open, run, wait_for


@functools.lru_cache
def jars():
    brought = run([ROOT / "tests" / "kafka-jars"], seconds=600, check=False)
    if brought.status != 0:
        pytest.skip(f"Kafka's jars cannot be had here: {brought.out[:500]}")
    return brought.out.strip()


def tool(main_class, *args, **kwargs):
    return run(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*", main_class, *args], **kwargs)


class KafkaBroker(Process):
    def __init__(self, zk_connect, broker_id, directory, properties=None):
        self.port = free_port()
        directory.mkdir(parents=True, exist_ok=True)
        settings = {
            "broker.id": broker_id, "listeners": f"PLAINTEXT://127.0.0.1:{self.port}", "log.dirs": directory / "data",
            "zookeeper.connect": zk_connect, "offsets.topic.replication.factor": 1, **(properties or {})}
        (directory / "server.properties").write_text("".join(f"{k}={v}\n" for k, v in settings.items()))
        self.data = directory / "data"
        super().__init__(f"kafka {broker_id}", [
            "java", "-Xmx512m", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*", "kafka.Kafka",
            directory / "server.properties"], directory / "kafka.log")

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    def start(self):
        super().start()
        wait_for("Kafka's port", lambda: port_open(self.port), 60)
        # It answers before its controller has told it of itself; topics cannot be placed until then.
        wait_for("Kafka's picture of the cluster", self.knows_itself, 60)
        return self

    def knows_itself(self):
        listed = run(["kcat", "-b", self.bootstrap, "-m", "5", "-L", "-J"], check=False)
        return listed.status == 0 and any(b["name"] == self.bootstrap for b in json.loads(listed.out)["brokers"])
