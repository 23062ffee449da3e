import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.source.SourceRecord;
import scala.collection.JavaConverters;

/**
 * Runs the released converters of Lenses' Stream Reactor: a case a line comes in, a result a line goes out.
 *
 * A case names a converter, and an instance of it, since some remember what they have seen. Key and value of the record
 * that comes out are shown as JsonConverter writes them with their schemas.
 */
public final class LensesConverters {
    private static final String SOURCE = "com.datamountaineer.streamreactor.connect.converters.source.";
    private static final ObjectMapper JSON = new ObjectMapper();
    /** Named here, so that it is compiled with this class; the converters ask for it. */
    private static final Class<?> MAPPING = io.confluent.connect.avro.AvroData.class;

    private final JsonConverter envelope = new JsonConverter();
    private final Map<String, com.datamountaineer.streamreactor.connect.converters.source.Converter> sources =
            new HashMap<>();

    private LensesConverters() {
        envelope.configure(Map.of("converter.type", "value", "schemas.enable", "true"));
    }

    public static void main(String[] arguments) throws Exception {
        LensesConverters converters = new LensesConverters();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            JsonNode given = JSON.readTree(line);
            ObjectNode result = JSON.createObjectNode();
            try {
                switch (given.get("kind").asText()) {
                    case "source" -> converters.source(given, result);
                    case "sink" -> converters.sink(given, result);
                    default -> converters.resilient(given, result);
                }
            } catch (Throwable failure) {
                result.removeAll();
                result.put("error", failure.toString());
            }
            System.out.println(result);
        }
    }

    private void source(JsonNode given, ObjectNode result) throws Exception {
        String instance = given.get("instance").asText();
        var converter = sources.get(instance);
        if (converter == null) {
            Class<?> found = Class.forName(SOURCE + given.get("converter").asText());
            converter = (com.datamountaineer.streamreactor.connect.converters.source.Converter)
                    found.getDeclaredConstructor().newInstance();
            converter.initialize(settings(given));
            sources.put(instance, converter);
        }
        List<String> keys = new ArrayList<>();
        given.get("keys").forEach(key -> keys.add(key.asText()));
        SourceRecord record = converter.convert(
                "kafka",
                given.get("topic").asText(),
                given.get("id").asText(),
                Base64.getDecoder().decode(given.get("payload").asText()),
                JavaConverters.asScalaBufferConverter(keys).asScala().toSeq(),
                given.get("delimiter").asText(),
                scala.collection.immutable.Map$.MODULE$.empty());
        result.put("key", shown(record.keySchema(), record.key()));
        result.put("value", shown(record.valueSchema(), record.value()));
    }

    /** What the sink's AvroConverter makes of a record, given in JsonConverter's envelope. */
    private void sink(JsonNode given, ObjectNode result) throws Exception {
        var converter = new com.datamountaineer.streamreactor.connect.converters.sink.AvroConverter();
        converter.initialize(settings(given));
        byte[] payload = Base64.getDecoder().decode(given.get("payload").asText());
        var value = envelope.toConnectData("", payload);
        SinkRecord record = new SinkRecord(
                given.get("topic").asText(), 0, Schema.STRING_SCHEMA, "k", value.schema(), value.value(), 0);
        byte[] written = (byte[]) converter.convert("mqtt", record).value();
        result.put("bytes", Base64.getEncoder().encodeToString(written));
    }

    private void resilient(JsonNode given, ObjectNode result) throws Exception {
        var converter = new com.datamountaineer.streamreactor.connect.converters.source.JsonResilientConverter();
        converter.configure(Map.of("schemas.enable", given.get("enabled").asText()), false);
        var read = converter.toConnectData("t", Base64.getDecoder().decode(given.get("payload").asText()));
        result.put("value", shown(read.schema(), read.value()));
    }

    /** Sinks look for the schemas under one key, sources under another. */
    private static scala.collection.immutable.Map<String, String> settings(JsonNode given) {
        String schemas = given.get("schemas").asText();
        return new scala.collection.immutable.Map.Map2<>(
                "connect.converter.avro.schemas", schemas, "connect.source.converter.avro.schemas", schemas);
    }

    private String shown(Schema schema, Object value) {
        byte[] bytes = envelope.fromConnectData("", schema, value);
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }
}
