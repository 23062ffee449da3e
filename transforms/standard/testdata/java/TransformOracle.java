import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.InputStreamReader;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.connector.ConnectRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.header.ConnectHeaders;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.transforms.Transformation;
import org.apache.kafka.connect.transforms.predicates.Predicate;

/**
 * Runs records through the released transforms and predicates: reads one case per line, prints one result per line. The
 * JSON of both is described at the other end, in tests/java/wire.rs.
 */
public final class TransformOracle {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final ObjectMapper MAPPER = new ObjectMapper();

    private TransformOracle() {
    }

    public static void main(String[] args) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintWriter out = new PrintWriter(new BufferedWriter(new OutputStreamWriter(System.out, StandardCharsets.UTF_8)));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(run(MAPPER.readTree(line)));
        }
        out.flush();
    }

    private static JsonNode run(JsonNode test) throws Exception {
        Object plugin = Class.forName(test.get("class").asText()).getDeclaredConstructor().newInstance();
        Map<String, String> config = new HashMap<>();
        test.get("config").fields().forEachRemaining(entry -> config.put(entry.getKey(), entry.getValue().asText()));
        try {
            if (plugin instanceof Transformation) {
                ((Transformation<?>) plugin).configure(config);
            } else {
                ((Predicate<?>) plugin).configure(config);
            }
        } catch (RuntimeException e) {
            return refusal("refused", e);
        }
        List<Schema> schemas = new ArrayList<>();
        for (JsonNode schema : test.get("schemas")) {
            schemas.add(schema(schema));
        }
        ObjectNode result = JSON.objectNode();
        ArrayNode results = result.putArray("results");
        for (JsonNode record : test.get("records")) {
            results.add(apply(plugin, record(record, schemas)));
        }
        return result;
    }

    @SuppressWarnings("unchecked")
    private static <R extends ConnectRecord<R>> JsonNode apply(Object plugin, ConnectRecord<?> record) {
        try {
            if (plugin instanceof Predicate) {
                return JSON.objectNode().put("test", ((Predicate<R>) plugin).test((R) record));
            }
            R made = ((Transformation<R>) plugin).apply((R) record);
            return made == null ? JSON.objectNode().put("drop", true) : shown(made);
        } catch (RuntimeException e) {
            return refusal("error", e);
        }
    }

    private static JsonNode refusal(String member, RuntimeException e) {
        return JSON.objectNode().put(member, e.getClass().getName()).put("message", String.valueOf(e.getMessage()));
    }

    private static ConnectRecord<?> record(JsonNode record, List<Schema> schemas) {
        String topic = record.get("topic").asText();
        Integer partition = record.get("partition").isNull() ? null : record.get("partition").asInt();
        Long timestamp = record.get("timestamp").isNull() ? null : record.get("timestamp").asLong();
        Schema keySchema = schema(record.get("key"), schemas);
        Schema valueSchema = schema(record.get("value"), schemas);
        Object key = value(keySchema, record.get("key").get("value"));
        Object value = value(valueSchema, record.get("value").get("value"));
        ConnectHeaders headers = new ConnectHeaders();
        for (JsonNode header : record.get("headers")) {
            Schema schema = schema(header.get(1), schemas);
            headers.add(header.get(0).asText(), value(schema, header.get(1).get("value")), schema);
        }
        if (record.get("offset").isNull()) {
            return new SourceRecord(Map.of(), Map.of(), topic, partition, keySchema, key, valueSchema, value, timestamp, headers);
        }
        return new SinkRecord(topic, partition, keySchema, key, valueSchema, value, record.get("offset").asLong(),
                timestamp, TimestampType.CREATE_TIME, headers);
    }

    private static Schema schema(JsonNode shown) {
        Schema.Type type = Schema.Type.valueOf(shown.get("type").asText());
        SchemaBuilder builder;
        if (type == Schema.Type.ARRAY) {
            builder = SchemaBuilder.array(schema(shown.get("values")));
        } else if (type == Schema.Type.MAP) {
            builder = SchemaBuilder.map(schema(shown.get("keys")), schema(shown.get("values")));
        } else {
            builder = new SchemaBuilder(type);
        }
        if (shown.get("optional").asBoolean()) {
            builder.optional();
        }
        if (!shown.get("name").isNull()) {
            builder.name(shown.get("name").asText());
        }
        if (!shown.get("version").isNull()) {
            builder.version(shown.get("version").asInt());
        }
        if (!shown.get("doc").isNull()) {
            builder.doc(shown.get("doc").asText());
        }
        for (JsonNode parameter : shown.get("parameters")) {
            builder.parameter(parameter.get(0).asText(), parameter.get(1).asText());
        }
        for (JsonNode field : shown.get("fields")) {
            builder.field(field.get(0).asText(), schema(field.get(1)));
        }
        if (!shown.get("default").isNull()) {
            builder.defaultValue(value(builder, shown.get("default")));
        }
        return builder.build();
    }

    private static JsonNode shown(Schema schema) {
        if (schema == null) {
            return JSON.nullNode();
        }
        ObjectNode out = JSON.objectNode();
        out.put("type", schema.type().name());
        out.put("optional", schema.isOptional());
        out.set("default", shown(schema.defaultValue()));
        out.put("name", schema.name());
        out.put("version", schema.version());
        out.put("doc", schema.doc());
        ArrayNode parameters = out.putArray("parameters");
        if (schema.parameters() != null) {
            schema.parameters().forEach((key, text) -> parameters.addArray().add(key).add(text));
        }
        ArrayNode fields = out.putArray("fields");
        if (schema.type() == Schema.Type.STRUCT) {
            schema.fields().forEach(field -> fields.addArray().add(field.name()).add(shown(field.schema())));
        }
        out.set("keys", schema.type() == Schema.Type.MAP ? shown(schema.keySchema()) : JSON.nullNode());
        boolean hasValues = schema.type() == Schema.Type.MAP || schema.type() == Schema.Type.ARRAY;
        out.set("values", hasValues ? shown(schema.valueSchema()) : JSON.nullNode());
        return out;
    }

    private static Schema schema(JsonNode datum, List<Schema> schemas) {
        return datum.get("schema").isNull() ? null : schemas.get(datum.get("schema").asInt());
    }

    private static Object value(Schema schema, JsonNode tagged) {
        if (tagged.isNull()) {
            return null;
        }
        String tag = tagged.get(0).asText();
        JsonNode inner = tagged.get(1);
        switch (tag) {
            case "z":
                return inner.asBoolean();
            case "i8":
                return (byte) inner.asInt();
            case "i16":
                return (short) inner.asInt();
            case "i32":
                return inner.asInt();
            case "i64":
                return inner.asLong();
            case "f32":
                return Float.intBitsToFloat(inner.asInt());
            case "f64":
                return Double.longBitsToDouble(inner.asLong());
            case "s":
                return inner.asText();
            case "b":
                return Base64.getDecoder().decode(inner.asText());
            case "d":
                return new Date(inner.asLong());
            case "n":
                return new BigDecimal(new BigInteger(inner.asText()), tagged.get(2).asInt());
            case "l": {
                List<Object> items = new ArrayList<>();
                for (JsonNode item : inner) {
                    items.add(value(schema == null ? null : schema.valueSchema(), item));
                }
                return items;
            }
            case "m": {
                // In the order of the case, which decides where two entries get one name.
                Map<Object, Object> entries = new LinkedHashMap<>();
                for (JsonNode entry : inner) {
                    entries.put(value(schema == null ? null : schema.keySchema(), entry.get(0)),
                            value(schema == null ? null : schema.valueSchema(), entry.get(1)));
                }
                return entries;
            }
            case "r": {
                Struct struct = new Struct(schema);
                for (Field field : schema.fields()) {
                    JsonNode item = inner.get(field.index());
                    if (!item.isNull()) {
                        struct.put(field, value(field.schema(), item));
                    }
                }
                return struct;
            }
            default:
                throw new IllegalStateException("unknown tag " + tag);
        }
    }

    private static JsonNode shown(ConnectRecord<?> record) {
        ObjectNode out = JSON.objectNode();
        out.put("topic", record.topic());
        out.put("partition", record.kafkaPartition());
        out.put("timestamp", record.timestamp());
        out.set("key", shown(record.keySchema(), record.key()));
        out.set("value", shown(record.valueSchema(), record.value()));
        ArrayNode headers = out.putArray("headers");
        for (Header header : record.headers()) {
            headers.addArray().add(header.key()).add(shown(header.schema(), header.value()));
        }
        return out;
    }

    private static JsonNode shown(Schema schema, Object value) {
        ObjectNode out = JSON.objectNode();
        out.set("schema", shown(schema));
        out.set("value", shown(value));
        return out;
    }

    private static JsonNode shown(Object value) {
        if (value == null) {
            return JSON.nullNode();
        }
        ArrayNode out = JSON.arrayNode();
        if (value instanceof Boolean) {
            return out.add("z").add((Boolean) value);
        } else if (value instanceof Byte) {
            return out.add("i8").add((Byte) value);
        } else if (value instanceof Short) {
            return out.add("i16").add((Short) value);
        } else if (value instanceof Integer) {
            return out.add("i32").add((Integer) value);
        } else if (value instanceof Long) {
            return out.add("i64").add((Long) value);
        } else if (value instanceof Float) {
            return out.add("f32").add(Float.floatToIntBits((Float) value));
        } else if (value instanceof Double) {
            return out.add("f64").add(Double.doubleToLongBits((Double) value));
        } else if (value instanceof String) {
            return out.add("s").add((String) value);
        } else if (value instanceof byte[]) {
            return out.add("b").add(Base64.getEncoder().encodeToString((byte[]) value));
        } else if (value instanceof ByteBuffer) {
            ByteBuffer bytes = ((ByteBuffer) value).duplicate();
            byte[] copy = new byte[bytes.remaining()];
            bytes.get(copy);
            return out.add("b").add(Base64.getEncoder().encodeToString(copy));
        } else if (value instanceof Date) {
            return out.add("d").add(((Date) value).getTime());
        } else if (value instanceof BigDecimal) {
            BigDecimal decimal = (BigDecimal) value;
            return out.add("n").add(decimal.unscaledValue().toString()).add(decimal.scale());
        } else if (value instanceof List) {
            ArrayNode items = out.add("l").addArray();
            ((List<?>) value).forEach(item -> items.add(shown(item)));
            return out;
        } else if (value instanceof Map) {
            ArrayNode entries = out.add("m").addArray();
            // In an order of their own, for a HashMap has none.
            ((Map<?, ?>) value).entrySet().stream()
                    .map(entry -> JSON.arrayNode().add(shown(entry.getKey())).add(shown(entry.getValue())))
                    .sorted((a, b) -> a.toString().compareTo(b.toString()))
                    .forEach(entries::add);
            return out;
        } else if (value instanceof Struct) {
            Struct struct = (Struct) value;
            ArrayNode items = out.add("r").addArray();
            for (Field field : struct.schema().fields()) {
                items.add(shown(struct.getWithoutDefault(field.name())));
            }
            return out;
        }
        throw new IllegalStateException("no tag for " + value.getClass());
    }
}
