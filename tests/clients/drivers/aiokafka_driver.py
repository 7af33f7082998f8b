"""aiokafka: one event loop on a thread of its own, which the commands call into."""
import asyncio
import threading

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import for_code

from driver import data, serve, text

SECONDS = 20
ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}


def record_of(r):
    return {"t": r.topic, "p": r.partition, "o": r.offset, "k": text(r.key), "v": text(r.value),
            "h": [[name, text(value)] for name, value in r.headers], "ts": r.timestamp}


def raise_first(entries):
    for entry in entries:
        if entry[1]:
            raise for_code(entry[1])(str(entry))


class Member(ConsumerRebalanceListener):
    def __init__(self, settings, group, topics, assignor="range", session_ms=6000, instance=None):
        self.assignment, self.records, self.rebalances, self.failure = [], [], 0, None
        self.consumer = AIOKafkaConsumer(
            **settings, group_id=group, group_instance_id=instance, auto_offset_reset="earliest", enable_auto_commit=False,
            session_timeout_ms=session_ms, heartbeat_interval_ms=300, metadata_max_age_ms=5000, rebalance_timeout_ms=session_ms,
            partition_assignment_strategy=[ASSIGNORS[assignor]])
        self.consumer.subscribe(topics, listener=self)
        self.task = None

    async def on_partitions_revoked(self, revoked):
        self.assignment = [p for p in self.assignment if TopicPartition(*p) not in revoked]

    async def on_partitions_assigned(self, assigned):
        self.rebalances += 1
        self.assignment = sorted([p.topic, p.partition] for p in assigned)

    async def poll(self):
        try:
            await self.consumer.start()
            while True:
                got = await self.consumer.getmany(timeout_ms=50)
                self.records += [record_of(r) for records in got.values() for r in records]
        except asyncio.CancelledError:
            await self.consumer.stop()
        except Exception as error:
            self.failure = f"{type(error).__name__}: {error}"
            await self.consumer.stop()


class Driver:
    def __init__(self, bootstrap, settings):
        self.settings = {"bootstrap_servers": bootstrap, **settings}
        self.members, self.kept_admin = {}, None
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def __getattribute__(self, name):
        found = object.__getattribute__(self, name)
        if not asyncio.iscoroutinefunction(found) or name.startswith("_"):
            return found
        return lambda **arguments: asyncio.run_coroutine_threadsafe(found(**arguments), self.loop).result(2 * SECONDS)

    async def produce(self, topic, records, codec="none", acks=-1, idempotent=False):
        producer = AIOKafkaProducer(**self.settings, compression_type=None if codec == "none" else codec,
                                    acks="all" if acks == -1 else acks, linger_ms=20, enable_idempotence=idempotent)
        await producer.start()
        try:
            sent = [await producer.send(topic, value=data(r.get("v")), key=data(r.get("k")), partition=r.get("p"),
                                        timestamp_ms=r.get("ts"), headers=[(n, data(v)) for n, v in r.get("h") or []])
                    for r in records]
            got = [await f for f in sent]
        finally:
            await producer.stop()
        return {"offsets": [[m.partition, m.offset] for m in got if m is not None]}

    async def fetch(self, topic, partitions, count, offset=0):
        consumer = AIOKafkaConsumer(**self.settings, enable_auto_commit=False, auto_offset_reset="none")
        assigned = [TopicPartition(topic, p) for p in partitions]
        consumer.assign(assigned)
        await consumer.start()
        got = []
        try:
            for p in assigned:
                consumer.seek(p, offset)
            while len(got) < count:
                more = await consumer.getmany(timeout_ms=SECONDS * 1000)
                if not more:
                    break
                got += [record_of(r) for records in more.values() for r in records]
        finally:
            await consumer.stop()
        return {"records": got}

    async def offset_for_time(self, topic, partition, timestamp):
        p = TopicPartition(topic, partition)
        consumer = AIOKafkaConsumer(**self.settings, enable_auto_commit=False)
        consumer.assign([p])
        await consumer.start()
        try:
            if timestamp == -2:
                return {"offset": (await consumer.beginning_offsets([p]))[p]}
            if timestamp == -1:
                return {"offset": (await consumer.end_offsets([p]))[p]}
            found = (await consumer.offsets_for_times({p: timestamp}))[p]
            return {"offset": -1 if found is None else found.offset}
        finally:
            await consumer.stop()

    async def join(self, member, **options):
        self.members[member] = Member(self.settings, **options)
        self.members[member].task = asyncio.ensure_future(self.members[member].poll())

    async def member(self, member):
        m = self.members[member]
        records, m.records = m.records, []
        return {"assignment": m.assignment, "rebalances": m.rebalances, "records": records, "failure": m.failure}

    async def commit(self, member):
        await self.members[member].consumer.commit()

    async def leave(self, member):
        m = self.members.pop(member)
        m.task.cancel()
        await m.task

    # --- administration

    async def _admin(self):
        if self.kept_admin is None:
            self.kept_admin = AIOKafkaAdminClient(**self.settings)
            await self.kept_admin.start()
        return self.kept_admin

    async def committed(self, group, topic, partitions):
        asked = [TopicPartition(topic, p) for p in partitions]
        got = await (await self._admin()).list_consumer_group_offsets(group, partitions=asked)
        return {"offsets": [got[p].offset for p in asked]}

    async def create_topic(self, topic, partitions, replication=1, configs=None):
        new = NewTopic(topic, partitions, replication, topic_configs=configs or {})
        raise_first((await (await self._admin()).create_topics([new])).topic_errors)

    async def delete_topic(self, topic):
        raise_first((await (await self._admin()).delete_topics([topic])).topic_error_codes)

    async def create_partitions(self, topic, count):
        raise_first((await (await self._admin()).create_partitions({topic: NewPartitions(count)})).topic_errors)

    async def describe_topic(self, topic):
        found = (await (await self._admin()).describe_topics([topic]))[0]
        raise_first([(topic, found["error_code"])])
        return {"partitions": len(found["partitions"])}

    async def list_topics(self):
        return {"topics": list(await (await self._admin()).list_topics())}

    async def describe_cluster(self):
        got = await (await self._admin()).describe_cluster()
        return {"brokers": sorted(b["node_id"] for b in got["brokers"]), "controller": got["controller_id"], "id": got["cluster_id"]}

    async def describe_configs(self, topic):
        got = await (await self._admin()).describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        return {"configs": {entry[0]: entry[1] for entry in got[0].resources[0][4]}}

    async def alter_configs(self, topic, configs):
        got = await (await self._admin()).alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
        raise_first([(r[3], r[0]) for answer in got for r in answer.resources])

    async def delete_records(self, topic, partition, offset):
        asked = TopicPartition(topic, partition)
        got = await (await self._admin()).delete_records({asked: RecordsToDelete(offset)})
        return {"low_watermark": got[asked]}

    async def list_groups(self):
        return {"groups": [g[0] for g in await (await self._admin()).list_consumer_groups()]}

    async def describe_group(self, group):
        got = (await (await self._admin()).describe_consumer_groups([group]))[0].groups[0]
        return {"state": got[2].lower(), "members": len(got[5])}


serve(Driver)
