"""librdkafka's Python client, confluent-kafka: Debian's and the newest. Admin calls that a version lacks are told as such."""
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition, admin

from driver import Member, Members, data, serve, text

SECONDS = 20


def record_of(message):
    headers = [[name, text(value)] for name, value in message.headers() or []]
    return {"t": message.topic(), "p": message.partition(), "o": message.offset(), "k": text(message.key()),
            "v": text(message.value()), "h": headers, "ts": message.timestamp()[1]}


class GroupMember(Member):
    def open(self):
        o = self.options
        settings = {"group.id": o["group"], "auto.offset.reset": "earliest", "enable.auto.commit": False,
                    "partition.assignment.strategy": o.get("assignor", "range")}
        if o.get("protocol") == "consumer":
            del settings["partition.assignment.strategy"]
            settings["group.protocol"] = "consumer"
        else:
            settings.update({"session.timeout.ms": o.get("session_ms", 6000), "heartbeat.interval.ms": 300})
        if o.get("instance"):
            settings["group.instance.id"] = o["instance"]
        self.consumer = Consumer({**o["driver"].settings, **settings})
        self.consumer.subscribe(o["topics"], on_assign=self.on_assign, on_revoke=self.on_revoke)
        self.incremental = o.get("assignor") == "cooperative-sticky" or o.get("protocol") == "consumer"

    def on_assign(self, consumer, partitions):
        if self.incremental:
            consumer.incremental_assign(partitions)
            more = [[p.topic, p.partition] for p in partitions]
            self.assigned([p for p in self.assignment if p not in more] + more)
        else:
            consumer.assign(partitions)
            self.assigned([p.topic, p.partition] for p in partitions)

    def on_revoke(self, consumer, partitions):
        gone = [[p.topic, p.partition] for p in partitions]
        if self.incremental:
            consumer.incremental_unassign(partitions)
        else:
            consumer.unassign()
        self.assignment = [p for p in self.assignment if p not in gone]

    def poll_once(self):
        got = self.consumer.consume(100, timeout=0.05)
        for message in got:
            if message.error():
                raise KafkaException(message.error())
        return [record_of(message) for message in got]

    def commit_now(self):
        self.consumer.commit(asynchronous=False)

    def close(self):
        self.consumer.close()


class Driver(Members):
    member_type = GroupMember

    def __init__(self, bootstrap, settings):
        super().__init__()
        self.settings = {"bootstrap.servers": bootstrap, **settings}
        self.kept_admin = None

    def produce(self, topic, records, codec="none", acks=-1, idempotent=False):
        settings = {"compression.type": codec, "acks": acks, "linger.ms": 20}
        if idempotent:
            settings["enable.idempotence"] = True
        producer = Producer({**self.settings, **settings})
        offsets = [None] * len(records)

        def delivered(i):
            def call(error, message):
                offsets[i] = [message.partition(), message.offset()] if error is None else error
            return call
        for i, r in enumerate(records):
            more = {k: v for k, v in (("partition", r.get("p")), ("timestamp", r.get("ts"))) if v is not None}
            if r.get("h"):
                more["headers"] = [(name, data(value)) for name, value in r["h"]]
            producer.produce(topic, value=data(r.get("v")), key=data(r.get("k")), on_delivery=delivered(i), **more)
        producer.flush(SECONDS)
        for o in offsets:
            if isinstance(o, KafkaError):
                raise KafkaException(o)
        return {"offsets": offsets}

    def fetch(self, topic, partitions, count, offset=0):
        consumer = Consumer({**self.settings, "group.id": "unused", "enable.auto.commit": False, "auto.offset.reset": "error",
                             "check.crcs": True})
        consumer.assign([TopicPartition(topic, p, offset) for p in partitions])
        got = []
        while len(got) < count:
            message = consumer.poll(SECONDS)
            if message is None:
                break
            if message.error():
                raise KafkaException(message.error())
            got.append(record_of(message))
        consumer.close()
        return {"records": got}

    def offset_for_time(self, topic, partition, timestamp):
        consumer = Consumer({**self.settings, "group.id": "unused"})
        if timestamp < 0:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=SECONDS)
            offset = low if timestamp == -2 else high
        else:
            offset = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], timeout=SECONDS)[0].offset
        consumer.close()
        return {"offset": offset}

    def committed(self, group, topic, partitions):
        consumer = Consumer({**self.settings, "group.id": group})
        got = consumer.committed([TopicPartition(topic, p) for p in partitions], timeout=SECONDS)
        consumer.close()
        return {"offsets": [max(p.offset, -1) for p in got]}

    # --- administration

    @property
    def admin(self):
        if self.kept_admin is None:
            self.kept_admin = admin.AdminClient(self.settings)
        return self.kept_admin

    def create_topic(self, topic, partitions, replication=1, configs=None):
        new = admin.NewTopic(topic, partitions, replication, config=configs or {})
        self.admin.create_topics([new], operation_timeout=SECONDS)[topic].result(SECONDS)

    def delete_topic(self, topic):
        self.admin.delete_topics([topic], operation_timeout=SECONDS)[topic].result(SECONDS)

    def create_partitions(self, topic, count):
        self.admin.create_partitions([admin.NewPartitions(topic, count)], operation_timeout=SECONDS)[topic].result(SECONDS)

    def describe_topic(self, topic):
        found = self.admin.list_topics(topic, timeout=SECONDS).topics[topic]
        if found.error:
            raise KafkaException(found.error)
        return {"partitions": len(found.partitions)}

    def list_topics(self):
        return {"topics": list(self.admin.list_topics(timeout=SECONDS).topics)}

    def describe_cluster(self):
        cluster = self.admin.list_topics(timeout=SECONDS)
        return {"brokers": sorted(cluster.brokers), "controller": cluster.controller_id, "id": cluster.cluster_id}

    def describe_configs(self, topic):
        resource = admin.ConfigResource("topic", topic)
        got = self.admin.describe_configs([resource])[resource].result(SECONDS)
        return {"configs": {name: entry.value for name, entry in got.items()}}

    def alter_configs(self, topic, configs):
        if hasattr(self.admin, "incremental_alter_configs"):
            entries = [admin.ConfigEntry(k, v, incremental_operation=admin.AlterConfigOpType.SET) for k, v in configs.items()]
            resource = admin.ConfigResource("topic", topic, incremental_configs=entries)
            self.admin.incremental_alter_configs([resource])[resource].result(SECONDS)
        else:
            resource = admin.ConfigResource("topic", topic, set_config=configs)
            self.admin.alter_configs([resource])[resource].result(SECONDS)

    def delete_records(self, topic, partition, offset):
        asked = TopicPartition(topic, partition, offset)
        got = self.admin.delete_records([asked])[asked].result(SECONDS)
        return {"low_watermark": got.low_watermark}

    def list_groups(self):
        if hasattr(self.admin, "list_consumer_groups"):
            return {"groups": [g.group_id for g in self.admin.list_consumer_groups().result(SECONDS).valid]}
        return {"groups": [g.id for g in self.admin.list_groups(timeout=SECONDS)]}

    def describe_group(self, group):
        if hasattr(self.admin, "describe_consumer_groups"):
            got = self.admin.describe_consumer_groups([group])[group].result(SECONDS)
            return {"state": got.state.name.replace("_", "").lower(), "members": len(got.members)}
        got = self.admin.list_groups(group, timeout=SECONDS)[0]
        return {"state": got.state.lower(), "members": len(got.members)}

    def delete_group(self, group):
        self.admin.delete_consumer_groups([group])[group].result(SECONDS)


serve(Driver)
