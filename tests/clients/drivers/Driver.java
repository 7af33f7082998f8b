// A driver of the Java client: a command per line on stdin, an answer per line on stdout (see ../README.md).
// Written to what the clients of 3.9 and 4.x have in common.
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class Driver {
    static final int SECONDS = 20;
    static final Duration PATIENCE = Duration.ofSeconds(SECONDS);
    static final ObjectMapper JSON = new ObjectMapper();
    final Map<String, Object> settings = new HashMap<>();
    final Map<String, Member> members = new HashMap<>();
    Admin keptAdmin;

    public static void main(String[] args) throws Exception {
        Driver driver = new Driver();
        JSON.readTree(args[1]).fields().forEachRemaining(e -> driver.settings.put(e.getKey(), e.getValue().asText()));
        driver.settings.put("bootstrap.servers", args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = in.readLine()) != null;) {
            Map<String, Object> answer;
            try {
                answer = driver.command(JSON.readTree(line));
            } catch (Throwable thrown) {
                thrown.printStackTrace();
                answer = failure(thrown instanceof ExecutionException ? thrown.getCause() : thrown);
            }
            System.out.write((JSON.writeValueAsString(answer) + "\n").getBytes(StandardCharsets.UTF_8));
            System.out.flush();
        }
        System.exit(0);
    }

    static Map<String, Object> failure(Throwable t) {
        Map<String, Object> answer = map("error", String.valueOf(t));
        if (t instanceof ApiException)
            answer.put("code", Errors.forException(t).code());
        return answer;
    }

    static Map<String, Object> map(Object... pairs) {
        Map<String, Object> m = new HashMap<>();
        for (int i = 0; i < pairs.length; i += 2)
            m.put((String) pairs[i], pairs[i + 1]);
        return m;
    }

    static String text(JsonNode c, String name, String otherwise) {
        return c.hasNonNull(name) ? c.get(name).asText() : otherwise;
    }

    static byte[] bytes(JsonNode n) {
        return n.isNull() ? null : n.asText().getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] b) {
        return b == null ? null : new String(b, StandardCharsets.UTF_8);
    }

    Map<String, Object> with(Object... pairs) {
        Map<String, Object> all = new HashMap<>(settings);
        all.putAll(map(pairs));
        return all;
    }

    Map<String, Object> command(JsonNode c) throws Exception {
        switch (c.get("op").asText()) {
        case "produce":
            return produce(c);
        case "fetch":
            return fetch(c);
        case "offset_for_time":
            return offsetForTime(c);
        case "join":
            members.put(text(c, "member", null), new Member(this, c));
            return map();
        case "member":
            return members.get(text(c, "member", null)).state();
        case "commit":
            members.get(text(c, "member", null)).commit();
            return map();
        case "leave":
            members.remove(text(c, "member", null)).leave();
            return map();
        default:
            return administer(c);
        }
    }

    Map<String, Object> produce(JsonNode c) throws Exception {
        Map<String, Object> config = with("compression.type", text(c, "codec", "none"), "acks", text(c, "acks", "all"), "linger.ms", 20,
            "enable.idempotence", c.path("idempotent").asBoolean(), "max.block.ms", SECONDS * 1000);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(config, new StringSerializer(), new StringSerializer())) {
            for (JsonNode r : c.get("records")) {
                ProducerRecord<String, String> record = new ProducerRecord<>(text(c, "topic", null),
                    r.hasNonNull("p") ? r.get("p").asInt() : null, r.hasNonNull("ts") ? r.get("ts").asLong() : null,
                    text(r, "k", null), text(r, "v", null));
                for (JsonNode h : r.path("h"))
                    record.headers().add(h.get(0).asText(), bytes(h.get(1)));
                sent.add(producer.send(record));
            }
        }
        List<Object> offsets = new ArrayList<>();
        for (Future<RecordMetadata> f : sent) {
            RecordMetadata m = f.get(SECONDS, TimeUnit.SECONDS);
            offsets.add(Arrays.asList(m.partition(), m.offset()));
        }
        return map("offsets", offsets);
    }

    KafkaConsumer<String, String> consumer(Object... more) {
        Map<String, Object> config = with("enable.auto.commit", false, "auto.offset.reset", "none");
        config.putAll(map(more));
        return new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
    }

    static Map<String, Object> recordOf(ConsumerRecord<String, String> r) {
        List<Object> headers = new ArrayList<>();
        for (Header h : r.headers())
            headers.add(Arrays.asList(h.key(), text(h.value())));
        return map("t", r.topic(), "p", r.partition(), "o", r.offset(), "k", r.key(), "v", r.value(), "ts", r.timestamp(), "h", headers);
    }

    static List<TopicPartition> partitions(JsonNode c) {
        return StreamSupport.stream(c.get("partitions").spliterator(), false)
            .map(p -> new TopicPartition(text(c, "topic", null), p.asInt())).collect(Collectors.toList());
    }

    static TopicPartition partition(JsonNode c) {
        return new TopicPartition(text(c, "topic", null), c.get("partition").asInt());
    }

    Map<String, Object> fetch(JsonNode c) {
        try (KafkaConsumer<String, String> consumer = consumer()) {
            consumer.assign(partitions(c));
            for (TopicPartition p : partitions(c))
                consumer.seek(p, c.path("offset").asLong());
            List<Object> got = new ArrayList<>();
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (got.size() < c.get("count").asInt() && System.nanoTime() < deadline)
                consumer.poll(Duration.ofMillis(500)).forEach(r -> got.add(recordOf(r)));
            return map("records", got);
        }
    }

    Map<String, Object> offsetForTime(JsonNode c) {
        TopicPartition p = partition(c);
        long time = c.get("timestamp").asLong();
        try (KafkaConsumer<String, String> consumer = consumer()) {
            if (time == -2)
                return map("offset", consumer.beginningOffsets(Collections.singleton(p)).get(p));
            if (time == -1)
                return map("offset", consumer.endOffsets(Collections.singleton(p)).get(p));
            OffsetAndTimestamp found = consumer.offsetsForTimes(Collections.singletonMap(p, time)).get(p);
            return map("offset", found == null ? -1 : found.offset());
        }
    }

    /* A member polls on a thread of its own; what others want of it is run between two polls. */
    static class Member implements ConsumerRebalanceListener, Runnable {
        final KafkaConsumer<String, String> consumer;
        final Thread thread = new Thread(this);
        final ConcurrentLinkedQueue<Runnable> orders = new ConcurrentLinkedQueue<>();
        final List<String> topics = new ArrayList<>();
        volatile boolean over;
        List<Object> records = new ArrayList<>();
        final Set<TopicPartition> assigned = new HashSet<>();
        String topic;
        int rebalances;
        Throwable failure;

        Member(Driver driver, JsonNode c) {
            c.get("topics").forEach(t -> topics.add(t.asText()));
            topic = topics.get(0);
            Map<String, String> assignors = new HashMap<>();
            assignors.put("range", RangeAssignor.class.getName());
            assignors.put("roundrobin", RoundRobinAssignor.class.getName());
            assignors.put("sticky", StickyAssignor.class.getName());
            assignors.put("cooperative-sticky", CooperativeStickyAssignor.class.getName());
            Map<String, Object> config = driver.with("group.id", text(c, "group", null), "auto.offset.reset", "earliest",
                "enable.auto.commit", false);
            if ("consumer".equals(text(c, "protocol", "classic"))) {
                config.put("group.protocol", "consumer");
                config.put("group.remote.assignor", text(c, "assignor", "uniform"));
            } else {
                config.put("partition.assignment.strategy", assignors.get(text(c, "assignor", "range")));
                config.put("session.timeout.ms", c.path("session_ms").asInt(6000));
                config.put("heartbeat.interval.ms", 300);
            }
            if (c.hasNonNull("instance"))
                config.put("group.instance.id", text(c, "instance", null));
            consumer = new KafkaConsumer<>(config, new StringDeserializer(), new StringDeserializer());
            thread.setDaemon(true);
            thread.start();
        }

        @Override public void onPartitionsRevoked(Collection<TopicPartition> gone) {
            synchronized (this) {
                assigned.removeAll(gone);
            }
        }

        @Override public void onPartitionsAssigned(Collection<TopicPartition> more) {
            synchronized (this) {
                rebalances++;
                assigned.addAll(more);
            }
        }

        // "^..." is an expression, as librdkafka has it. In the consumer protocol the broker matches it; clients of 3.9 have no such call.
        void subscribe() throws Exception {
            if (!topic.startsWith("^")) {
                consumer.subscribe(topics, this);
                return;
            }
            Class<?> type = Class.forName("org.apache.kafka.clients.consumer.SubscriptionPattern");
            Object pattern = type.getConstructor(String.class).newInstance(topic.substring(1));
            KafkaConsumer.class.getMethod("subscribe", type, ConsumerRebalanceListener.class).invoke(consumer, pattern, this);
        }

        @Override public void run() {
            try {
                subscribe();
                while (!over) {
                    ConsumerRecords<String, String> got = consumer.poll(Duration.ofMillis(50));
                    synchronized (this) {
                        got.forEach(r -> records.add(recordOf(r)));
                    }
                    for (Runnable order; (order = orders.poll()) != null;)
                        order.run();
                }
                consumer.close();
            } catch (Throwable thrown) {
                thrown.printStackTrace();
                synchronized (this) {
                    failure = thrown;
                }
            }
        }

        synchronized Map<String, Object> state() {
            List<Object> had = records;
            records = new ArrayList<>();
            return map("assignment", assigned.stream().map(p -> Arrays.asList(p.topic(), p.partition())).collect(Collectors.toList()),
                "rebalances", rebalances, "records", had, "failure", failure == null ? null : failure.toString());
        }

        void commit() throws Exception {
            CompletableFuture<Void> done = new CompletableFuture<>();
            orders.add(() -> {
                try {
                    consumer.commitSync(PATIENCE);
                    done.complete(null);
                } catch (RuntimeException e) {
                    done.completeExceptionally(e);
                }
            });
            done.get(SECONDS, TimeUnit.SECONDS);
        }

        void leave() throws Exception {
            over = true;
            thread.join(SECONDS * 1000);
            if (thread.isAlive())
                throw new IllegalStateException("the member does not close");
        }
    }

    /* --- administration */

    Admin admin() {
        if (keptAdmin == null)
            keptAdmin = Admin.create(settings);
        return keptAdmin;
    }

    static <T> T got(KafkaFuture<T> future) throws Exception {
        return future.get(SECONDS, TimeUnit.SECONDS);
    }

    Map<String, Object> administer(JsonNode c) throws Exception {
        String topic = text(c, "topic", null), group = text(c, "group", null);
        Map<String, String> configs = new HashMap<>();
        c.path("configs").fields().forEachRemaining(e -> configs.put(e.getKey(), e.getValue().asText()));
        List<String> topics = Collections.singletonList(topic), groups = Collections.singletonList(group);
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, String.valueOf(topic));
        switch (c.get("op").asText()) {
        case "create_topic":
            got(admin().createTopics(Collections.singletonList(
                new NewTopic(topic, Optional.of(c.get("partitions").asInt()), Optional.empty()).configs(configs))).all());
            return map();
        case "delete_topic":
            got(admin().deleteTopics(topics).all());
            return map();
        case "create_partitions":
            got(admin().createPartitions(Collections.singletonMap(topic, NewPartitions.increaseTo(c.get("count").asInt()))).all());
            return map();
        case "describe_topic":
            return map("partitions", got(admin().describeTopics(topics).allTopicNames()).get(topic).partitions().size());
        case "list_topics":
            return map("topics", got(admin().listTopics().names()));
        case "describe_cluster":
            DescribeClusterResult cluster = admin().describeCluster();
            return map("brokers", got(cluster.nodes()).stream().map(n -> n.id()).sorted().collect(Collectors.toList()),
                "controller", got(cluster.controller()).id(), "id", got(cluster.clusterId()));
        case "describe_configs":
            Map<String, String> found = new HashMap<>();
            got(admin().describeConfigs(Collections.singletonList(resource)).all()).get(resource).entries()
                .forEach(e -> found.put(e.name(), e.value()));
            return map("configs", found);
        case "alter_configs":
            Collection<AlterConfigOp> ops = configs.entrySet().stream().map(e -> new AlterConfigOp(
                new ConfigEntry(e.getKey(), e.getValue()), AlterConfigOp.OpType.SET)).collect(Collectors.toList());
            got(admin().incrementalAlterConfigs(Collections.singletonMap(resource, ops)).all());
            return map();
        case "delete_records":
            return map("low_watermark", got(admin().deleteRecords(Collections.singletonMap(partition(c),
                RecordsToDelete.beforeOffset(c.get("offset").asLong()))).lowWatermarks().get(partition(c))).lowWatermark());
        case "committed":
            Map<TopicPartition, OffsetAndMetadata> offsets = got(admin().listConsumerGroupOffsets(group)
                .partitionsToOffsetAndMetadata());
            return map("offsets", partitions(c).stream().map(p -> offsets.get(p) == null ? -1 : offsets.get(p).offset())
                .collect(Collectors.toList()));
        case "list_groups":
            return map("groups", got(admin().listConsumerGroups().all()).stream().map(g -> g.groupId())
                .collect(Collectors.toList()));
        case "describe_group":
            return describeGroup(group);
        case "delete_group":
            got(admin().deleteConsumerGroups(groups).all());
            return map();
        default:
            throw new IllegalArgumentException(c.get("op").asText());
        }
    }

    Map<String, Object> describeGroup(String group) throws Exception {
        try {
            ConsumerGroupDescription d = got(admin().describeConsumerGroups(Collections.singletonList(group)).all()).get(group);
            return map("state", d.state().toString().toLowerCase(Locale.ROOT), "members", d.members().size());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof GroupIdNotFoundException)
                return map("state", "dead", "members", 0);
            throw e;
        }
    }
}
