import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.*;

/** What the Java clients see of a broker, one line each: {@code java Contract.java BOOTSTRAP PREFIX}. */
public class Contract {
    static String bootstrap;
    static String prefix;

    static Properties client(String... more) {
        var settings = new Properties();
        settings.put("bootstrap.servers", bootstrap);
        settings.put("key.serializer", StringSerializer.class.getName());
        settings.put("value.serializer", StringSerializer.class.getName());
        settings.put("key.deserializer", StringDeserializer.class.getName());
        settings.put("value.deserializer", StringDeserializer.class.getName());
        settings.put("auto.offset.reset", "earliest");
        settings.put("enable.auto.commit", "false");
        for (int index = 0; index < more.length; index += 2) settings.put(more[index], more[index + 1]);
        return settings;
    }

    static void note(String what, Object seen) {
        System.out.println("contract " + what + ": " + seen);
    }

    interface Attempt {
        Object run() throws Exception;
    }

    static void attempt(String what, Attempt attempt) {
        try {
            note(what, attempt.run());
        } catch (Exception failed) {
            var cause = failed.getCause() == null ? failed : failed.getCause();
            note(what, cause.getClass().getSimpleName());
        }
    }

    static List<String> read(Consumer<String, String> consumer, int count) {
        var seen = new ArrayList<String>();
        long end = System.currentTimeMillis() + 30_000;
        while (seen.size() < count && System.currentTimeMillis() < end)
            for (var one : consumer.poll(Duration.ofMillis(100)))
                seen.add(one.partition() + "-" + one.offset() + " " + one.key() + "=" + one.value());
        Collections.sort(seen);
        return seen;
    }

    static void codecs(Admin admin) throws Exception {
        for (var codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            var topic = prefix + codec;
            admin.createTopics(List.of(new NewTopic(topic, 1, (short) 1))).all().get();
            try (var producer = new KafkaProducer<String, String>(client("compression.type", codec, "linger.ms", "20"))) {
                for (int number = 0; number < 3; number++)
                    producer.send(new ProducerRecord<>(topic, 0, "key", "value ".repeat(number)));
                producer.send(new ProducerRecord<>(topic, 0, "gone", null));
            }
            try (var consumer = new KafkaConsumer<String, String>(client())) {
                var partition = new TopicPartition(topic, 0);
                consumer.assign(List.of(partition));
                note(codec, read(consumer, 4));
                note(codec + " end", consumer.endOffsets(List.of(partition)).get(partition));
            }
        }
    }

    static void groups(Admin admin) throws Exception {
        var topic = prefix + "t";
        var in = Map.of("heartbeat.interval.ms", "200");
        admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1))).all().get();
        try (var producer = new KafkaProducer<String, String>(client())) {
            for (int number = 0; number < 4; number++)
                producer.send(new ProducerRecord<>(topic, number % 2, "k" + number, "v")).get();
        }
        for (var assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            var group = prefix + assignor;
            var settings = client("group.id", group, "client.id", "contract", "partition.assignment.strategy",
                "org.apache.kafka.clients.consumer." + assignor, "heartbeat.interval.ms", in.get("heartbeat.interval.ms"));
            try (var consumer = new KafkaConsumer<String, String>(settings)) {
                consumer.subscribe(List.of(topic));
                note(assignor, read(consumer, 4));
                consumer.commitSync();
                var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
                note(assignor, described.groupState() + " " + described.partitionAssignor() + " " + described.type()
                    + " " + described.members().size() + " " + described.members().iterator().next().assignment()
                        .topicPartitions().size());
                attempt(assignor + " delete", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            }
            var offsets = new TreeMap<String, Long>();
            admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get()
                .forEach((partition, offset) -> offsets.put("" + partition.partition(), offset.offset()));
            note(assignor + " committed", offsets);
            attempt(assignor + " delete", () -> admin.deleteConsumerGroups(List.of(group)).all().get());
            attempt(assignor + " gone", () -> admin.describeConsumerGroups(List.of(group)).all().get());
        }
        var first = new TopicPartition(topic, 0);
        attempt("delete records", () -> admin.deleteRecords(Map.of(first, RecordsToDelete.beforeOffset(1))).all().get());
        for (var spec : List.of(OffsetSpec.earliest(), OffsetSpec.latest(), OffsetSpec.maxTimestamp()))
            attempt(spec.getClass().getSimpleName(), () -> admin.listOffsets(Map.of(first, spec)).all().get().get(first).offset());
        attempt("grow", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all().get());
        attempt("shrink", () -> admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(1))).all().get());
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        attempt("alter", () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "1000"), AlterConfigOp.OpType.SET)))).all().get());
        attempt("alter wrongly", () -> admin.incrementalAlterConfigs(Map.of(resource, List.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "soon"), AlterConfigOp.OpType.SET)))).all().get());
        attempt("make again", () -> admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1))).all().get());
    }

    static void transactions(Admin admin) throws Exception {
        var topic = prefix + "transactions";
        var input = new TopicPartition(prefix + "input", 0);
        admin.createTopics(List.of(new NewTopic(topic, 2, (short) 1), new NewTopic(input.topic(), 1, (short) 1))).all().get();
        var settings = client("transactional.id", prefix + "id");
        var first = new KafkaProducer<String, String>(settings);
        first.initTransactions();
        for (int number = 0; number < 4; number++) {
            first.beginTransaction();
            // What is not sent when a transaction is aborted never will be.
            first.send(new ProducerRecord<>(topic, 0, "k", "v" + number)).get();
            first.send(new ProducerRecord<>(topic, 1, "k", "v" + number)).get();
            var offsets = Map.of(input, new OffsetAndMetadata(number));
            first.sendOffsetsToTransaction(offsets, new ConsumerGroupMetadata(prefix + "group"));
            if (number % 2 == 0) first.commitTransaction(); else first.abortTransaction();
        }
        first.beginTransaction();
        first.send(new ProducerRecord<>(topic, 0, "k", "left open")).get();
        var second = new KafkaProducer<String, String>(settings);
        second.initTransactions();
        attempt("the first one commits", () -> {
            first.commitTransaction();
            return "committed";
        });
        second.beginTransaction();
        second.send(new ProducerRecord<>(topic, 0, "k", "last"));
        second.commitTransaction();
        first.close(Duration.ZERO);
        second.close();
        var committed = admin.listConsumerGroupOffsets(prefix + "group").partitionsToOffsetAndMetadata().get();
        note("offset in the transaction", committed.get(input).offset());
        var described = admin.describeTransactions(List.of(prefix + "id")).all().get().get(prefix + "id");
        note("described", described.state() + " " + described.transactionTimeoutMs() + " " + described.topicPartitions());
        for (var isolation : List.of("read_committed", "read_uncommitted")) {
            try (var consumer = new KafkaConsumer<String, String>(client("isolation.level", isolation))) {
                consumer.assign(List.of(new TopicPartition(topic, 0), new TopicPartition(topic, 1)));
                note(isolation, read(consumer, isolation.equals("read_committed") ? 5 : 10));
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        prefix = arguments[1];
        try (var admin = Admin.create(client())) {
            codecs(admin);
            groups(admin);
            transactions(admin);
        }
    }
}
