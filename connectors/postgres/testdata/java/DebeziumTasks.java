import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.debezium.connector.postgresql.PostgresConnector;
import io.debezium.connector.postgresql.PostgresConnectorTask;
import java.io.BufferedOutputStream;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.kafka.common.config.ConfigValue;
import org.apache.kafka.common.metrics.PluginMetrics;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.source.SourceConnectorContext;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.source.SourceTaskContext;
import org.apache.kafka.connect.storage.OffsetStorageReader;

/**
 * Runs tasks of Debezium's connector as a Connect worker does, and says what they hand out.
 *
 * Reads commands from its input, a JSON object a line:
 *
 *   {"do": "start", "task": NAME, "config": {...}, "offset": {...} or null, "count": true to count records only}
 *   {"do": "commit", "task": NAME}   all that was said so far is in Kafka
 *   {"do": "stop", "task": NAME}     in an orderly way
 *   {"do": "validate", "task": NAME, "config": {...}}
 *
 * Writes an object a line: {"task", "topic", "partition", "offset", "headers", "key", "value"} for a record,
 * {"task", "started"}, {"task", "committed"}, {"task", "stopped"}, {"task", "failed": why}, and for a task that only
 * counts {"task", "count", "nanos": processor time of the process so far}. What is wrong with a configuration that is
 * validated: {"task", "errors": [[key, message], ...]}.
 */
public class DebeziumTasks {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Map<String, Running> TASKS = new ConcurrentHashMap<>();
    private static PrintStream out;

    public static void main(String[] arguments) throws Exception {
        out = new PrintStream(new BufferedOutputStream(System.out, 1 << 16), false, StandardCharsets.UTF_8);
        System.setOut(System.err);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode command = JSON.readTree(line);
            String name = command.get("task").asText();
            switch (command.get("do").asText()) {
                case "start" -> {
                    Running task = new Running(name, command);
                    TASKS.put(name, task);
                    task.start();
                }
                case "commit" -> TASKS.get(name).commit = true;
                case "stop" -> TASKS.remove(name).stop = true;
                case "validate" -> validate(name, command.get("config"));
                default -> throw new IllegalArgumentException(line);
            }
        }
        Runtime.getRuntime().halt(0);
    }

    private static void validate(String name, JsonNode given) {
        Map<String, String> config = new HashMap<>();
        given.properties().forEach(entry -> config.put(entry.getKey(), entry.getValue().asText()));
        ObjectNode said = JSON.createObjectNode().put("task", name);
        ArrayNode errors = said.putArray("errors");
        try {
            for (ConfigValue value : new PostgresConnector().validate(config).configValues()) {
                value.errorMessages().forEach(error -> errors.addArray().add(value.name()).add(error));
            }
        } catch (RuntimeException error) {
            // Some values it does not survive.
            errors.addArray().add("").add(String.valueOf(error));
        }
        say(said);
    }

    private static void say(ObjectNode node) {
        synchronized (out) {
            out.println(node);
            out.flush();
        }
    }

    private static final class Running extends Thread {
        volatile boolean commit;
        volatile boolean stop;
        private final String name;
        private final Map<String, String> config = new HashMap<>();
        private final Map<String, Object> offset;
        private final boolean counts;
        private final JsonConverter converter = new JsonConverter();
        private final JsonConverter plain = new JsonConverter();

        Running(String name, JsonNode command) {
            this.name = name;
            command.get("config").properties().forEach(entry -> config.put(entry.getKey(), entry.getValue().asText()));
            offset = command.get("offset").isNull() ? null : offset(command.get("offset"));
            counts = command.path("count").asBoolean();
            converter.configure(Map.of("schemas.enable", "true"), false);
            plain.configure(Map.of("schemas.enable", "false"), false);
        }

        // As JsonConverter reads an offset: whole numbers are long.
        private static Map<String, Object> offset(JsonNode node) {
            Map<String, Object> map = new HashMap<>();
            node.properties().forEach(entry -> {
                JsonNode value = entry.getValue();
                map.put(entry.getKey(),
                        value.isBoolean() ? (Object) value.asBoolean() : value.isNumber() ? (Object) value.asLong() : value.asText());
            });
            return map;
        }

        @Override
        public void run() {
            try {
                PostgresConnector connector = new PostgresConnector();
                connector.initialize(new Context());
                connector.start(config);
                Map<String, String> taskConfig = connector.taskConfigs(1).get(0);
                PostgresConnectorTask task = new PostgresConnectorTask();
                task.initialize(new TaskContext(taskConfig));
                task.start(taskConfig);
                say(JSON.createObjectNode().put("task", name).put("started", true));
                poll(task);
                task.stop();
                connector.stop();
                say(JSON.createObjectNode().put("task", name).put("stopped", true));
            } catch (Throwable error) {
                error.printStackTrace();
                say(JSON.createObjectNode().put("task", name).put("failed", String.valueOf(error)));
            }
        }

        private void poll(PostgresConnectorTask task) throws InterruptedException {
            long count = 0;
            SourceRecord last = null;
            while (!stop) {
                List<SourceRecord> records;
                try {
                    records = task.poll();
                } catch (org.apache.kafka.connect.errors.RetriableException error) {
                    // As a worker does.
                    continue;
                }
                if (records != null && counts) {
                    for (SourceRecord record : records) {
                        plain.fromConnectData(record.topic(), record.keySchema(), record.key());
                        plain.fromConnectData(record.topic(), record.valueSchema(), record.value());
                        task.commitRecord(record, null);
                    }
                    task.commit();
                    count += records.size();
                    com.sun.management.OperatingSystemMXBean system =
                            (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
                    say(JSON.createObjectNode().put("task", name).put("count", count).put("nanos", system.getProcessCpuTime()));
                } else if (records != null) {
                    for (SourceRecord record : records) {
                        say(shown(record));
                        last = record;
                    }
                }
                if (commit) {
                    commit = false;
                    if (last != null) {
                        task.commitRecord(last, null);
                        task.commit();
                    }
                    say(JSON.createObjectNode().put("task", name).put("committed", true));
                }
            }
        }

        private ObjectNode shown(SourceRecord record) {
            ObjectNode node = JSON.createObjectNode().put("task", name).put("topic", record.topic());
            node.put("partition", record.kafkaPartition());
            node.set("server", JSON.valueToTree(record.sourcePartition()));
            node.set("offset", JSON.valueToTree(record.sourceOffset()));
            ArrayNode headers = node.putArray("headers");
            for (Header header : record.headers()) {
                headers.addArray().add(header.key()).add(text(header.schema(), header.value()));
            }
            node.put("key", text(record.keySchema(), record.key()));
            node.put("value", text(record.valueSchema(), record.value()));
            return node;
        }

        private String text(Schema schema, Object value) {
            if (schema == null && value == null) {
                return null;
            }
            return new String(converter.fromConnectData("t", schema, value), StandardCharsets.UTF_8);
        }

        /** What a worker tells a connector. */
        private static final class Context implements SourceConnectorContext {
            @Override
            public void requestTaskReconfiguration() {
            }

            @Override
            public void raiseError(Exception error) {
                throw new IllegalStateException(error);
            }

            @Override
            public OffsetStorageReader offsetStorageReader() {
                return null;
            }

            @Override
            public PluginMetrics pluginMetrics() {
                return null;
            }
        }

        /** What a worker tells a task. */
        private final class TaskContext implements SourceTaskContext {
            private final Map<String, String> configs;

            TaskContext(Map<String, String> configs) {
                this.configs = configs;
            }

            @Override
            public Map<String, String> configs() {
                return configs;
            }

            @Override
            public PluginMetrics pluginMetrics() {
                return null;
            }

            @Override
            public OffsetStorageReader offsetStorageReader() {
                return new OffsetStorageReader() {
                    @Override
                    public <T> Map<String, Object> offset(Map<String, T> partition) {
                        return offset;
                    }

                    @Override
                    public <T> Map<Map<String, T>, Map<String, Object>> offsets(Collection<Map<String, T>> partitions) {
                        Map<Map<String, T>, Map<String, Object>> found = new HashMap<>();
                        partitions.forEach(partition -> found.put(partition, offset));
                        return found;
                    }
                };
            }
        }
    }
}
