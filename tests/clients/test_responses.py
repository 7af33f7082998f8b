"""The same requests to Kafka 3.9.1 and to us, in the same order from the same beginning; the decoded answers field by field. Requests and
answers are encoded and decoded by Kafka's own classes. Kafka's answers are in responses.expected, recorded by

    CORREIO_CLIENTS_AGAINST=kafka CORREIO_REWRITE=1 python3 -m pytest -q tests/clients/test_responses.py

A difference is a row of DIFFERENCES.md, or a failure. Both ways: a row that no difference needs is one, too.
"""
import fnmatch
import json
import os
import re
import select
import subprocess
import time

import pytest

from clients import CACHE, HERE, ROOT, command, newer
from conftest import AGAINST_KAFKA
from kafka import jars

EXPECTED, DIFFERENCES = HERE / "responses.expected", HERE / "DIFFERENCES.md"
REWRITE = AGAINST_KAFKA and bool(os.environ.get("CORREIO_REWRITE"))
REPORT = ROOT / "build" / "results" / "responses.txt"
START = 1_700_000_000_000

REQUESTS = []


def ask(api, versions, body, name="", capture=None):
    """One request per version. capture: name -> path in the answer, for "$name" in later bodies."""
    for version in versions if isinstance(versions, (list, tuple, range)) else [versions]:
        REQUESTS.append(dict(title=f"{api} {version}{' ' + name if name else ''}", api=api, version=version, body=body,
                             capture=capture or {}))


def raw(name, frame):
    body = bytes.fromhex(frame)
    REQUESTS.append(dict(title=f"raw {name}", raw=(len(body).to_bytes(4, "big") + body).hex(), capture={}))


def topic(name, partitions=1, configs=None, replication=1):
    return {"name": name, "numPartitions": partitions, "replicationFactor": replication, "assignments": [],
            "configs": [{"name": k, "value": v} for k, v in (configs or {}).items()]}


def create(*topics, validate=False):
    return {"topics": list(topics), "timeoutMs": 20000, "validateOnly": validate}


def produce(name, records, partition=0, acks=-1):
    return {"transactionalId": None, "acks": acks, "timeoutMs": 10000, "topicData": [
        {"name": name, "partitionData": [{"index": partition, "records": records}]}]}


def batch(*values, **more):
    return {"values": list(values), **more}


def fetch(name, offset=0, partition=0, session=(0, -1), max_bytes=1 << 20, epoch=-1, forgotten=()):
    return {"replicaId": -1, "maxWaitMs": 0, "minBytes": 1,
            "maxBytes": max_bytes, "isolationLevel": 0, "sessionId": session[0], "sessionEpoch": session[1], "rackId": "",
            "topics": [{"topic": name, "topicId": "$t_id" if name == "t" else "AAAAAAAAAAAAAAAAAAAABQ", "partitions": [
                {"partition": partition, "currentLeaderEpoch": epoch, "fetchOffset": offset, "lastFetchedEpoch": -1, "logStartOffset": -1,
                 "partitionMaxBytes": 1 << 20}]}] if name else [],
            "forgottenTopicsData": list(forgotten)}


def offsets(name, timestamp, partition=0, epoch=-1):
    return {"replicaId": -1, "isolationLevel": 0, "timeoutMs": 1000, "topics": [{"name": name, "partitions": [
        {"partitionIndex": partition, "currentLeaderEpoch": epoch, "timestamp": timestamp, "maxNumOffsets": 1}]}]}


def metadata(*names, create_topics=False):
    return {"topics": [{"topicId": "AAAAAAAAAAAAAAAAAAAAAA", "name": n} for n in names], "allowAutoTopicCreation": create_topics,
            "includeClusterAuthorizedOperations": False, "includeTopicAuthorizedOperations": False}


# --- ApiVersions, topics
ask("ApiVersions", [0, 3, 4], {"clientSoftwareName": "exchange", "clientSoftwareVersion": "1.0"})
ask("ApiVersions", 3, {"clientSoftwareName": "no good name!", "clientSoftwareVersion": "1.0"}, "bad name")
raw("ApiVersions 99", "00120063" "0000004d" "ffff" "00")
ask("CreateTopics", 7, create(topic("t", 2, {"retention.ms": "-1"})))
ask("CreateTopics", 0, create(topic("v0")))
ask("CreateTopics", 2, create(topic("v2", 2)))
ask("CreateTopics", 5, create(topic("v5", 1, {"cleanup.policy": "compact"})))
ask("CreateTopics", [0, 2, 5, 7], create(topic("t")), "exists")
ask("CreateTopics", 7, create(topic("bad/name"), topic(""), topic("zero", 0), topic("rf", 1, None, 3)), "refused")
ask("CreateTopics", 7, create(topic("c1", 1, {"no.such": "1"}), topic("c2", 1, {"retention.ms": "x"})), "bad settings")
ask("CreateTopics", 7, create(topic("twice"), topic("twice")), "duplicate")
ask("CreateTopics", 7, create(topic("checked", -1, None, -1), validate=True), "validate only")
ask("Metadata", [1, 4, 7, 8, 9, 12], metadata("t"), capture={"t_id": "topics.t.topicId"})
ask("Metadata", [0, 1, 12], metadata("missing"), "missing")
ask("Metadata", 12, {**metadata(), "topics": [{"topicId": "AAAAAAAAAAAAAAAAAAAABQ", "name": None}]}, "unknown id")
ask("Metadata", 8, {**metadata("t"), "includeClusterAuthorizedOperations": True, "includeTopicAuthorizedOperations": True}, "operations")
ask("DescribeCluster", [0, 1], {"includeClusterAuthorizedOperations": False, "endpointType": 1})
ask("CreatePartitions", [0, 2, 3], {"topics": [{"name": "v2", "count": 2, "assignments": None}], "timeoutMs": 5000, "validateOnly": False}, "no more")
ask("CreatePartitions", 3, {"topics": [{"name": "v2", "count": 4, "assignments": None}, {"name": "missing", "count": 4, "assignments": None}],
                            "timeoutMs": 20000, "validateOnly": False})

# --- settings
for version in (0, 1, 4):
    ask("DescribeConfigs", version, {"resources": [{"resourceType": 2, "resourceName": "t", "configurationKeys": None}],
                                     "includeSynonyms": False, "includeDocumentation": False}, "topic")
ask("DescribeConfigs", 4, {"resources": [{"resourceType": 2, "resourceName": "t", "configurationKeys": ["retention.ms", "segment.bytes", "no.such"]}],
                           "includeSynonyms": True, "includeDocumentation": False}, "some, with synonyms")
ask("DescribeConfigs", 4, {"resources": [{"resourceType": 4, "resourceName": "1", "configurationKeys": ["broker.id", "num.partitions", "log.segment.bytes"]},
                                         {"resourceType": 2, "resourceName": "missing", "configurationKeys": None},
                                         {"resourceType": 4, "resourceName": "99", "configurationKeys": None}],
                           "includeSynonyms": False, "includeDocumentation": False}, "broker and wrong ones")
ask("IncrementalAlterConfigs", [0, 1], {"resources": [{"resourceType": 2, "resourceName": "t", "configs": [
    {"name": "segment.ms", "configOperation": 0, "value": "60000"}]}], "validateOnly": False})
ask("IncrementalAlterConfigs", 1, {"resources": [
    {"resourceType": 2, "resourceName": "t", "configs": [{"name": "retention.ms", "configOperation": 0, "value": "x"}]},
    {"resourceType": 2, "resourceName": "missing", "configs": [{"name": "retention.ms", "configOperation": 0, "value": "1"}]}],
    "validateOnly": False}, "refused")
ask("IncrementalAlterConfigs", 1, {"resources": [
    {"resourceType": 2, "resourceName": "t", "configs": [{"name": "retention.ms", "configOperation": 2, "value": "5"}]}],
    "validateOnly": True}, "append to no list")
ask("AlterConfigs", [0, 2], {"resources": [{"resourceType": 2, "resourceName": "t", "configs": [{"name": "segment.ms", "value": "70000"}]}],
                             "validateOnly": False})
ask("AlterConfigs", 1, {"resources": [{"resourceType": 2, "resourceName": "t", "configs": [{"name": "no.such", "value": "1"}]}],
                        "validateOnly": False}, "refused")

# --- records
for i, version in enumerate((3, 5, 7, 8, 9, 11)):
    ask("Produce", version, produce("t", batch("a", "b", time=START + 100 * i)))
for version in (0, 1, 2):
    ask("Produce", version, produce("v0", batch("old", "older", magic=0 if version < 2 else 1, time=START)))
ask("Produce", 2, produce("v0", batch("x", "y", magic=1, codec="gzip", time=START)), "compressed")
ask("Produce", [3, 9], produce("missing", batch("a")), "missing")
ask("Produce", 9, produce("t", batch("a"), 7), "no such partition")
ask("Produce", 9, produce("t", batch("a"), acks=2), "bad acks")
ask("Produce", 9, produce("v5", batch("a", codec="zstd")), "zstd")
ask("Produce", 5, produce("v5", batch("a", codec="zstd")), "zstd in an old version")
ask("Produce", 9, produce("t", "AAAA"), "no batch")
ask("Fetch", [4, 7, 11, 12, 13, 17], fetch("t"))
ask("Fetch", [0, 2, 3], fetch("v0"), "old")
ask("Fetch", [4, 12], fetch("v0", 3), "of old records")
ask("Fetch", [4, 12], fetch("missing"), "missing")
ask("Fetch", 13, fetch("missing"), "unknown id")
ask("Fetch", 12, fetch("t", 12), "at the end")
ask("Fetch", 12, fetch("t", 99), "beyond the end")
ask("Fetch", 12, fetch("t", -1), "before the start")
ask("Fetch", 12, fetch("t", partition=7), "no such partition")
ask("Fetch", 12, fetch("t", epoch=99), "epoch of the future")
ask("Fetch", 12, fetch("t", 4), "in the middle")
ask("Fetch", 12, fetch("t", session=(0, 0)), "new session", capture={"session": "sessionId"})
ask("Fetch", 12, fetch("", session=("$session", 1)), "session goes on")
ask("Fetch", 12, fetch("", session=("$session", 1)), "session's epoch twice")
ask("Fetch", 12, fetch("", session=(4711, 1)), "unknown session")
ask("ListOffsets", [0, 1, 4, 6, 9], offsets("t", -1), "latest")
ask("ListOffsets", [0, 1, 9], offsets("t", -2), "earliest")
ask("ListOffsets", [1, 6, 9], offsets("t", START + 150), "by time")
ask("ListOffsets", [1, 9], offsets("t", START + 10_000_000), "by a later time")
ask("ListOffsets", [7, 9], offsets("t", -3), "max timestamp")
ask("ListOffsets", [6], offsets("t", -3), "max timestamp too early")
ask("ListOffsets", [8, 9], offsets("t", -4), "earliest local")
ask("ListOffsets", 9, offsets("t", -5), "latest tiered")
ask("ListOffsets", [1, 9], offsets("missing", -1), "missing")
ask("ListOffsets", 9, offsets("t", -1, epoch=99), "epoch of the future")
ask("OffsetForLeaderEpoch", [0, 2, 3, 4], {"replicaId": -1, "topics": [{"topic": "t", "partitions": [
    {"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": 0}, {"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": 5}]}]})
ask("OffsetForLeaderEpoch", 4, {"replicaId": -1, "topics": [{"topic": "missing", "partitions": [
    {"partition": 0, "currentLeaderEpoch": -1, "leaderEpoch": 0}]}]}, "missing")
ask("DeleteRecords", [0, 2], {"topics": [{"name": "t", "partitions": [{"partitionIndex": 0, "offset": 2}]}], "timeoutMs": 5000})
ask("DeleteRecords", 2, {"topics": [{"name": "t", "partitions": [{"partitionIndex": 0, "offset": 999}, {"partitionIndex": 7, "offset": 1}]},
                                    {"name": "missing", "partitions": [{"partitionIndex": 0, "offset": 1}]}], "timeoutMs": 5000}, "refused")
ask("DescribeLogDirs", [0, 1, 2, 4], {"topics": [{"topic": "v0", "partitions": [0]}]})
ask("DescribeLogDirs", 4, {"topics": []}, "none")

# --- idempotence
NEW = {"transactionalId": None, "transactionTimeoutMs": 60000, "producerId": -1, "producerEpoch": -1}
ask("InitProducerId", [0, 2, 4, 5], NEW, capture={"pid": "producerId"})
ask("InitProducerId", 4, {**NEW, "producerId": 5, "producerEpoch": 3}, "with an epoch, not transactional")
IDEMPOTENT = dict(producer="$pid", epoch=0)
ask("Produce", 9, produce("v2", batch("a", "b", sequence=0, **IDEMPOTENT)), "first of a producer")
ask("Produce", 9, produce("v2", batch("a", "b", sequence=0, **IDEMPOTENT)), "the same again")
ask("Produce", 9, produce("v2", batch("c", sequence=5, **IDEMPOTENT)), "a gap")
ask("Produce", 9, produce("v2", batch("c", sequence=2, **IDEMPOTENT)), "the next")
ask("Produce", 9, produce("v2", batch("a", sequence=7, producer=991, epoch=0)), "unknown producer in the middle")
ask("DescribeProducers", 0, {"topics": [{"name": "v2", "partitionIndexes": [0, 9]}]})

# --- groups
ask("FindCoordinator", [0, 1, 3], {"key": "g", "keyType": 0})
ask("FindCoordinator", [4, 5], {"keyType": 0, "coordinatorKeys": ["g", "h"]})
ask("FindCoordinator", 5, {"keyType": 7, "coordinatorKeys": ["g"]}, "bad type")
ask("FindCoordinator", 1, {"key": "", "keyType": 0}, "empty key")


def join(group, member="", instance=None, protocols=("range",), session=10000, kind="consumer"):
    return {"groupId": group, "sessionTimeoutMs": session, "rebalanceTimeoutMs": 10000, "memberId": member, "groupInstanceId": instance,
            "protocolType": kind, "protocols": [{"name": p, "metadata": "AAAAAAABAAF0AAAAAA=="} for p in protocols], "reason": "why"}


def sync(group, member, generation=1, protocol="range", kind="consumer"):
    return {"groupId": group, "generationId": generation, "memberId": member, "groupInstanceId": None, "protocolType": kind,
            "protocolName": protocol, "assignments": [{"memberId": member, "assignment": "AAAAAAAA"}]}


def beat(group, member, generation=1):
    return {"groupId": group, "generationId": generation, "memberId": member, "groupInstanceId": None}


ask("JoinGroup", 0, join("g0"), capture={"m0": "memberId"})
ask("SyncGroup", 0, sync("g0", "$m0"))
ask("JoinGroup", 4, join("g4"), "member id needed")
ask("JoinGroup", 9, join("g"), "member id needed", capture={"m": "memberId"})
ask("JoinGroup", 9, join("g", "$m", protocols=("range", "roundrobin")))
ask("JoinGroup", 9, join("g", "nobody"), "unknown member")
ask("JoinGroup", 9, join("", ""), "no group id")
ask("JoinGroup", 9, join("g", "$m", session=10), "session too short")
ask("JoinGroup", 9, join("g", protocols=("other",)), "another protocol")
ask("JoinGroup", 9, join("g", kind="connect"), "another kind")
ask("Heartbeat", 4, beat("g", "$m"), "before the sync")
ask("SyncGroup", 5, sync("g", "$m", protocol="other"), "another protocol")
ask("SyncGroup", 5, sync("g", "$m", 9), "another generation")
ask("SyncGroup", [3, 5], sync("g", "$m"))
ask("Heartbeat", [0, 1, 3, 4], beat("g", "$m"))
ask("Heartbeat", 4, beat("g", "nobody"), "unknown member")
ask("Heartbeat", 4, beat("g", "$m", 7), "another generation")
ask("Heartbeat", 4, beat("no group", "$m"), "unknown group")


def commit(group, member="", generation=-1, name="t", partition=0, offset=5, text="x"):
    return {"groupId": group, "generationIdOrMemberEpoch": generation, "memberId": member, "groupInstanceId": None, "retentionTimeMs": -1,
            "topics": [{"name": name, "partitions": [{"partitionIndex": partition, "committedOffset": offset, "committedLeaderEpoch": -1,
                                                      "commitTimestamp": -1, "committedMetadata": text}]}]}


ask("OffsetCommit", [1, 2, 5, 8, 9], commit("g", "$m", 1))
ask("OffsetCommit", [2, 9], commit("g", "$m", 4), "another generation")
ask("OffsetCommit", 9, commit("g", "nobody", 1), "unknown member")
ask("OffsetCommit", 9, commit("g"), "from outside a live group")
ask("OffsetCommit", 9, commit("simple"), "no members")
ask("OffsetCommit", 9, commit("simple", name="missing"), "missing topic")
ask("OffsetCommit", 9, commit("simple", text="y" * 5000), "metadata too large")


def offset_fetch(group, names=("t",)):
    topics = None if names is None else [{"name": n, "partitionIndexes": [0, 1]} for n in names]
    return {"groupId": group, "topics": topics, "requireStable": False,
            "groups": [{"groupId": group, "memberId": None, "memberEpoch": -1, "topics": topics}]}


ask("OffsetFetch", [1, 2, 5, 7, 8, 9], offset_fetch("g"))
ask("OffsetFetch", [2, 8], offset_fetch("g", None), "all")
ask("OffsetFetch", [1, 9], offset_fetch("no group"), "unknown group")
ask("OffsetFetch", 9, offset_fetch("g", ("missing",)), "missing topic")
ask("DescribeGroups", [0, 3, 4, 5], {"groups": ["g"], "includeAuthorizedOperations": False})
ask("DescribeGroups", 5, {"groups": ["no group", "simple"], "includeAuthorizedOperations": True}, "others")
ask("ListGroups", [0, 3, 4, 5], {"statesFilter": [], "typesFilter": []})
ask("ListGroups", 5, {"statesFilter": ["Stable"], "typesFilter": ["classic"]}, "filtered")
ask("OffsetDelete", 0, {"groupId": "g", "topics": [{"name": "t", "partitions": [{"partitionIndex": 0}]}]}, "of a live group")
ask("OffsetDelete", 0, {"groupId": "simple", "topics": [{"name": "t", "partitions": [{"partitionIndex": 1}]}]})
ask("OffsetDelete", 0, {"groupId": "no group", "topics": []}, "unknown group")
ask("DeleteGroups", [0, 2], {"groupsNames": ["g", "no group"]}, "refused")
ask("LeaveGroup", [0, 2], {"groupId": "g", "memberId": "nobody"}, "unknown member")
ask("LeaveGroup", 5, {"groupId": "g", "members": [{"memberId": "$m", "groupInstanceId": None, "reason": "done"},
                                                  {"memberId": "nobody", "groupInstanceId": None, "reason": "x"}]})
ask("DescribeGroups", 5, {"groups": ["g"], "includeAuthorizedOperations": False}, "after the last has left")
ask("LeaveGroup", 0, {"groupId": "g0", "memberId": "$m0"})
ask("DeleteGroups", 2, {"groupsNames": ["g", "simple"]})
ask("JoinGroup", 5, join("static", instance="i1"), "static", capture={"s": "memberId"})
ask("SyncGroup", 3, sync("static", "$s"), "static")
ask("Heartbeat", 3, {**beat("static", "someone else"), "groupInstanceId": "i1"}, "fenced static member")
ask("LeaveGroup", 3, {"groupId": "static", "members": [{"memberId": "", "groupInstanceId": "i1"}]}, "by instance")

# --- the end of topics; frames nobody answers
ask("DeleteTopics", 5, {"topicNames": ["v2", "missing"], "timeoutMs": 20000})
ask("DeleteTopics", 6, {"topics": [{"name": None, "topicId": "AAAAAAAAAAAAAAAAAAAABQ"}], "timeoutMs": 5000}, "unknown id")
ask("DeleteTopics", [1, 4], {"topicNames": ["missing"], "timeoutMs": 5000}, "missing")
ask("DeleteTopics", 0, {"topicNames": ["v0"], "timeoutMs": 20000})
raw("unknown key", "1267" "0000" "0000004d" "ffff")
raw("Metadata 99", "0003" "0063" "0000004d" "ffff" "00000000")
raw("too short", "0003")
raw("hostile count", "0003" "0001" "0000004d" "ffff" "7fffffff")


# --- comparison

RETRY = {5, 6, 14, 15, 16}


class Exchange:
    def __init__(self, log):
        source, classes = HERE / "drivers" / "Exchange.java", CACHE / "java"
        if not newer(classes / "Exchange.class", source):
            command("javac", "-nowarn", "-cp", f"{jars()}/*", "-d", classes, source)
        self.err = open(log, "wb")
        self.popen = subprocess.Popen(["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{jars()}/*:{classes}",
                                       "Exchange"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err, text=True)
        self.captured = {}

    def filled(self, value):
        if isinstance(value, dict):
            return {k: self.filled(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.filled(v) for v in value]
        return self.captured.get(value[1:], value) if isinstance(value, str) and value[:1] == "$" else value

    def ask(self, request, port):
        """The answer, once it is no more that something is on its way: a leader, a coordinator, metadata."""
        deadline = time.monotonic() + 20
        while True:
            answer = self.ask_once(request, port)
            codes = [v for p, v in flat(answer, "", {}).items() if p.endswith("errorCode")]
            if not RETRY & set(codes) or time.monotonic() > deadline:
                break
        for name, path in request["capture"].items():
            found = walk(answer.get("response"), path)
            if found is not None:
                self.captured[name] = found
        return answer

    def ask_once(self, request, port):
        if "raw" in request:
            line = {"port": port, "raw": request["raw"]}
        else:
            line = {"port": port, "api": request["api"], "version": request["version"], "body": self.filled(request["body"])}
        self.popen.stdin.write(json.dumps(line) + "\n")
        self.popen.stdin.flush()
        ready, _, _ = select.select([self.popen.stdout], [], [], 60)
        assert ready, f"{request['title']}: no answer within 60 s"
        answer = json.loads(self.popen.stdout.readline())
        assert "failed" not in answer, f"{request['title']}: {answer['failed']}"
        return answer

    def close(self):
        self.popen.stdin.close()
        self.popen.wait(20)
        self.popen.stdout.close()
        self.err.close()


KEYS = ("name", "topicName", "topic", "groupId", "partitionIndex", "partition", "index", "nodeId", "brokerId", "key", "apiKey", "memberId",
        "resourceName", "logDir", "topicId", "producerId")


def keyed(value):
    """Lists of objects become objects by their key, where they have one: order is nothing, and a path says what it is about."""
    if isinstance(value, dict):
        return {k: keyed(v) for k, v in value.items()}
    if isinstance(value, list) and value and all(isinstance(v, dict) for v in value):
        key = next((k for k in KEYS if all(v.get(k) is not None for v in value)), None)
        if key and len({v[key] for v in value}) == len(value):
            return {str(v[key]): keyed(v) for v in value}
        return {str(i): keyed(v) for i, v in enumerate(value)}
    return value


def walk(answer, path):
    value = keyed(answer)
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


# What differs from run to run: ids, addresses, clocks.
VARY = {"port", "clusterId", "topicId", "memberId", "leader", "sessionId", "producerId", "logAppendTimeMs", "logDir", "totalBytes",
        "usableBytes", "partitionSize", "size", "lastTimestamp"}
TEXTS = {"errorMessage", "documentation"}


def flat(value, path, out):
    if isinstance(value, dict):
        for k, v in value.items():
            flat(v, f"{path}.{k}" if path else k, out)
        if not value:
            out[path] = {}
    elif isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        for i, v in enumerate(value):
            flat(v, f"{path}.{i}", out)
    else:
        out[path] = value
    return out


def normal(answer, captured):
    fields = flat(keyed(answer), "", {})
    names = {v: f"<{k}>" for k, v in captured.items() if isinstance(v, str) and len(v) > 20}
    result = {}
    for path, value in fields.items():
        last = path.rsplit(".", 1)[-1]
        for text, name in names.items():
            path = path.replace(text, name)
        path = re.sub(r"(logDirs|results)\.(/[^ ]*?)\.(?=errorCode|topics|logDir|totalBytes|usableBytes)", r"\1.DIR.", path)
        path = re.sub(r"exchange-[0-9a-f-]{36}", "<member>", path)
        if last in TEXTS:
            value = "text" if value else value
        elif last in VARY and not isinstance(value, (dict, list)):
            value = "some" if value not in ("", None, 0, -1, "AAAAAAAAAAAAAAAAAAAAAA") else value
        elif last == "host" and isinstance(value, str):
            value = value.strip("/")
        result[path] = value
    return result


def recorded():
    return {r["title"]: r["answer"] for r in map(json.loads, EXPECTED.read_text().splitlines())} if EXPECTED.exists() else {}


def explained():
    """The rows of the table: request pattern, path pattern, why."""
    rows = [[c.strip().strip("`") for c in line.strip().strip("|").split("|")] for line in DIFFERENCES.read_text().splitlines()
            if line.startswith("|")]
    return [r for r in rows[2:]]


def test_answers_are_kafkas(fresh_server, tmp_path):
    exchange = Exchange(tmp_path / "exchange.log")
    answers, titles = {}, set()
    try:
        for request in REQUESTS:
            title = request["title"]
            assert title not in titles, f"two requests {title}"
            titles.add(title)
            answers[title] = normal(exchange.ask(request, fresh_server.port), exchange.captured)
    finally:
        exchange.close()
    if REWRITE:
        EXPECTED.write_text("".join(json.dumps({"title": t, "answer": a}, sort_keys=True) + "\n" for t, a in answers.items()))
        return
    kafka, rows, used, lines, bad = recorded(), explained() if not AGAINST_KAFKA else [], set(), [], []
    assert len(titles) >= 60 and set(kafka) == titles, set(kafka) ^ titles
    for title in answers:
        ours, theirs = answers[title], kafka[title]
        for path in sorted(set(ours) | set(theirs)):
            mine, other = ours.get(path, "nothing"), theirs.get(path, "nothing")
            if mine == other:
                continue
            row = next((i for i, r in enumerate(rows) if fnmatch.fnmatchcase(title, r[0]) and fnmatch.fnmatchcase(path, r[1])), None)
            text = f"{title}: {path}: Kafka {other!r}, here {mine!r}"
            lines.append(f"{text} [{rows[row][2] if row is not None else 'NOT EXPLAINED'}]")
            if row is None:
                bad.append(text)
            else:
                used.add(row)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(f"{len(titles)} requests, {len(lines)} differences\n" + "".join(line + "\n" for line in lines))
    assert not bad, f"{len(bad)} differences are not explained:\n" + "\n".join(bad)
    stale = [rows[i] for i in range(len(rows)) if i not in used]
    assert not stale, f"nothing differs any more: {stale}"
