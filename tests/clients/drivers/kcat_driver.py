"""kcat: every command is a run of it. Its members of groups (kcat -G) cannot be told to commit: test_clients.py has a test of their own."""
import json
import subprocess

from driver import serve

KEY_END = "\x01"


class KcatError(Exception):
    pass


class Driver:
    def __init__(self, bootstrap, settings):
        self.base = ["kcat", "-b", bootstrap, *[x for k, v in settings.items() for x in ("-X", f"{k}={v}")]]

    def kcat(self, *args, stdin=None):
        done = subprocess.run([*self.base, *map(str, args)], input=stdin, capture_output=True, text=True, timeout=40)
        if done.returncode != 0:
            raise KcatError(done.stderr.strip())
        return done.stdout

    def produce(self, topic, records, codec="none", acks=-1, idempotent=False):
        more = ["-X", "enable.idempotence=true"] if idempotent else []
        for partition in sorted({r.get("p", -1) for r in records}):
            lines = [r["v"] or "" if r.get("k") is None else f"{r['k']}{KEY_END}{r['v'] or ''}"
                     for r in records if r.get("p", -1) == partition]
            self.kcat("-P", "-t", topic, "-p", partition, "-K", KEY_END, "-Z", "-z", codec, "-X", f"acks={acks}", *more,
                      stdin="\n".join(lines) + "\n")

    def fetch(self, topic, partitions, count, offset=0):
        got = []
        for partition in partitions:
            lines = self.kcat("-C", "-t", topic, "-p", partition, "-o", offset, "-e", "-q", "-J", "-X", "check.crcs=true").splitlines()
            for m in map(json.loads, lines):
                h = m.get("headers", [])
                got.append({"t": topic, "p": m["partition"], "o": m["offset"], "k": m["key"], "v": m["payload"], "ts": m.get("ts"),
                            "h": [[h[i], h[i + 1]] for i in range(0, len(h), 2)]})
        return {"records": got}

    def offset_for_time(self, topic, partition, timestamp):
        return {"offset": int(self.kcat("-Q", "-t", f"{topic}:{partition}:{timestamp}").split()[-1])}

    def metadata(self, *args):
        return json.loads(self.kcat("-L", "-J", *args))

    def list_topics(self):
        return {"topics": [t["topic"] for t in self.metadata()["topics"]]}

    def describe_cluster(self):
        m = self.metadata()
        return {"brokers": [b["id"] for b in m["brokers"]], "controller": m["controllerid"]}


serve(Driver)
