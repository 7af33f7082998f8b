"""kafka-python: 2.0.2, which many have, and the newest."""
import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor

from driver import Member, Members, data, serve, text

ASSIGNORS = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor}
OLD = kafka.__version__ == "2.0.2"
if not OLD:
    try:
        from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
        ASSIGNORS["cooperative-sticky"] = CooperativeStickyAssignor
    except ImportError:
        pass


def record_of(r):
    return {"t": r.topic, "p": r.partition, "o": r.offset, "k": text(r.key), "v": text(r.value),
            "h": [[name, text(value)] for name, value in r.headers], "ts": r.timestamp}


class GroupMember(Member, kafka.ConsumerRebalanceListener):
    def open(self):
        o = self.options
        more = {"group_instance_id": o["instance"]} if o.get("instance") else {}
        self.consumer = KafkaConsumer(
            **o["driver"].settings, group_id=o["group"], auto_offset_reset="earliest", enable_auto_commit=False,
            session_timeout_ms=o.get("session_ms", 6000), heartbeat_interval_ms=300, metadata_max_age_ms=5000,
            partition_assignment_strategy=[ASSIGNORS[o.get("assignor", "range")]], **more)
        self.consumer.subscribe(o["topics"], listener=self)

    def on_partitions_revoked(self, revoked):
        self.assignment = [p for p in self.assignment if TopicPartition(*p) not in revoked]

    def on_partitions_assigned(self, assigned):
        self.assigned([p.topic, p.partition] for p in self.consumer.assignment())

    def poll_once(self):
        # Version 3.0 may get stuck for good when a poll's time is over between join and sync, with Kafka too.
        return [record_of(r) for records in self.consumer.poll(50 if OLD else 500).values() for r in records]

    def commit_now(self):
        self.consumer.commit()

    def close(self):
        self.consumer.close()


def raise_first(response):
    """The old admin client hands back responses with error codes in them."""
    for attribute in ("topic_errors", "topic_error_codes", "topics", "results"):
        for entry in getattr(response, attribute, None) or []:
            code = entry[1] if isinstance(entry, tuple) else getattr(entry, "error_code", 0)
            if code:
                raise kafka.errors.for_code(code)(str(entry))


class Driver(Members):
    member_type = GroupMember

    def __init__(self, bootstrap, settings):
        super().__init__()
        self.settings = {"bootstrap_servers": bootstrap, **settings}
        if isinstance(settings.get("api_version"), list):
            self.settings["api_version"] = tuple(settings["api_version"])
        self.kept_admin = None

    def produce(self, topic, records, codec="none", acks=-1, idempotent=False):
        more = {"enable_idempotence": True} if idempotent else {"enable_idempotence": False} if not OLD else {}
        producer = KafkaProducer(**self.settings, compression_type=None if codec == "none" else codec,
                                 acks="all" if acks == -1 else acks, linger_ms=20, **more)
        futures = [producer.send(topic, value=data(r.get("v")), key=data(r.get("k")), partition=r.get("p"),
                                 timestamp_ms=r.get("ts"), headers=[(n, data(v)) for n, v in r.get("h") or []] or None)
                   for r in records]
        producer.flush(20)
        got = [f.get(20) for f in futures]
        producer.close()
        return {"offsets": [[m.partition, m.offset] for m in got]}

    def consumer(self, **more):
        return KafkaConsumer(**self.settings, enable_auto_commit=False, auto_offset_reset="none", **more)

    def fetch(self, topic, partitions, count, offset=0):
        consumer = self.consumer()
        assigned = [TopicPartition(topic, p) for p in partitions]
        consumer.assign(assigned)
        for p in assigned:
            consumer.seek(p, offset)
        got = []
        while len(got) < count:
            more = consumer.poll(20000)
            if not more:
                break
            got += [record_of(r) for records in more.values() for r in records]
        consumer.close()
        return {"records": got}

    def offset_for_time(self, topic, partition, timestamp):
        consumer, p = self.consumer(), TopicPartition(topic, partition)
        try:
            if timestamp == -2:
                return {"offset": consumer.beginning_offsets([p])[p]}
            if timestamp == -1:
                return {"offset": consumer.end_offsets([p])[p]}
            found = consumer.offsets_for_times({p: timestamp})[p]
            return {"offset": -1 if found is None else found.offset}
        finally:
            consumer.close()

    def committed(self, group, topic, partitions):
        consumer = self.consumer(group_id=group)
        got = [consumer.committed(TopicPartition(topic, p)) for p in partitions]
        consumer.close()
        return {"offsets": [-1 if o is None else o for o in got]}

    # --- administration

    @property
    def admin(self):
        if self.kept_admin is None:
            self.kept_admin = KafkaAdminClient(**self.settings)
        return self.kept_admin

    def create_topic(self, topic, partitions, replication=1, configs=None):
        raise_first(self.admin.create_topics([NewTopic(topic, partitions, replication, topic_configs=configs or {})]))

    def delete_topic(self, topic):
        raise_first(self.admin.delete_topics([topic]))

    def create_partitions(self, topic, count):
        raise_first(self.admin.create_partitions({topic: NewPartitions(count)}))

    def describe_topic(self, topic):
        found = self.admin.describe_topics([topic])[0]
        if found["error_code"]:
            raise kafka.errors.for_code(found["error_code"])(topic)
        return {"partitions": len(found["partitions"])}

    def list_topics(self):
        return {"topics": list(self.admin.list_topics())}

    def describe_cluster(self):
        got = self.admin.describe_cluster()
        brokers = [b.get("node_id", b.get("broker_id")) for b in got["brokers"]]
        return {"brokers": sorted(brokers), "controller": got["controller_id"], "id": got["cluster_id"]}

    def describe_configs(self, topic):
        got = self.admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
        if OLD:
            return {"configs": {entry[0]: entry[1] for entry in got[0].resources[0][4]}}
        entries = got if isinstance(got, dict) else got[0]
        while topic not in entries:
            entries = next(iter(entries.values()))
        return {"configs": {name: e["value"] if isinstance(e, dict) else e for name, e in entries[topic].items()}}

    def alter_configs(self, topic, configs):
        got = self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
        if OLD and got.resources[0][0]:
            raise kafka.errors.for_code(got.resources[0][0])(got.resources[0][1])
        if not OLD and got["topic"][topic] != "OK":
            raise kafka.errors.KafkaError(got["topic"][topic])

    def delete_records(self, topic, partition, offset):
        got = self.admin.delete_records({TopicPartition(topic, partition): offset})
        return {"low_watermark": next(iter(got.values()))["low_watermark"]}

    def list_groups(self):
        if OLD:
            return {"groups": [g[0] for g in self.admin.list_consumer_groups()]}
        return {"groups": [g["group_id"] for g in self.admin.list_groups()]}

    def describe_group(self, group):
        if OLD:
            got = self.admin.describe_consumer_groups([group])[0]
            return {"state": got.state.lower(), "members": len(got.members)}
        got = self.admin.describe_groups([group])[group]
        state = got.get("group_state", got.get("state"))
        return {"state": state.lower(), "members": len(got["members"])}

    def delete_group(self, group):
        if OLD:
            error = self.admin.delete_consumer_groups([group])[0][1]
            if error.errno:
                raise error(group)
        else:
            told = self.admin.delete_groups([group])[group]
            if told != "OK":
                raise kafka.errors.KafkaError(told)


serve(Driver)
