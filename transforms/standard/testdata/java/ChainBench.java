import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;
import org.apache.kafka.connect.sink.SinkRecord;
import org.apache.kafka.connect.transforms.Cast;
import org.apache.kafka.connect.transforms.InsertField;
import org.apache.kafka.connect.transforms.MaskField;
import org.apache.kafka.connect.transforms.ReplaceField;
import org.apache.kafka.connect.transforms.TimestampConverter;
import org.apache.kafka.connect.transforms.Transformation;

/**
 * The chain of benches/chain.rs on Java's classes: the same records, one thread. Prints the records a second of its own
 * processor time for each of ten rounds after a warm-up; what the garbage collector costs is not in it, and records are
 * made before the clock starts.
 */
public final class ChainBench {
    private static final int BATCH = 1000;
    private static final int BATCHES = 300;

    private ChainBench() {
    }

    public static void main(String[] args) {
        List<Transformation<SinkRecord>> chain = List.of(
                configured(new InsertField.Value<>(), Map.of("topic.field", "topic", "timestamp.field", "at")),
                configured(new ReplaceField.Value<>(), Map.of("renames", "f3:a,f4:b,f5:c", "exclude", "f6,f7")),
                configured(new Cast.Value<>(), Map.of("spec", "f0:string,f1:int32,f8:float32")),
                configured(new TimestampConverter.Value<>(),
                        Map.of("field", "f12", "target.type", "string", "format", "yyyy-MM-dd'T'HH:mm:ss.SSSX")),
                configured(new MaskField.Value<>(), Map.of("fields", "f10,f13")));
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        long checksum = 0;
        for (int round = 0; round < 20; round++) {
            List<SinkRecord> records = records(BATCH);
            long began = clock.getCurrentThreadCpuTime();
            for (int batch = 0; batch < BATCHES; batch++) {
                for (SinkRecord record : records) {
                    SinkRecord made = record;
                    for (Transformation<SinkRecord> transform : chain) {
                        made = transform.apply(made);
                    }
                    checksum += ((Struct) made.value()).schema().fields().size();
                }
            }
            double seconds = (clock.getCurrentThreadCpuTime() - began) / 1e9;
            if (round >= 10) {
                System.out.printf("%.0f%n", BATCH * BATCHES / seconds);
            }
        }
        System.err.println("fields seen: " + checksum);
    }

    private static Transformation<SinkRecord> configured(Transformation<SinkRecord> transform, Map<String, String> config) {
        transform.configure(config);
        return transform;
    }

    private static List<SinkRecord> records(int count) {
        Schema[] types = {Schema.OPTIONAL_INT64_SCHEMA, Schema.OPTIONAL_FLOAT64_SCHEMA, Schema.OPTIONAL_STRING_SCHEMA,
            Schema.OPTIONAL_BOOLEAN_SCHEMA};
        SchemaBuilder builder = SchemaBuilder.struct();
        for (int i = 0; i < 20; i++) {
            builder.field("f" + i, types[i % 4]);
        }
        Schema schema = builder.build();
        List<SinkRecord> records = new ArrayList<>();
        for (int n = 0; n < count; n++) {
            Struct value = new Struct(schema);
            for (int i = 0; i < 20; i++) {
                switch (i % 4) {
                    case 0:
                        value.put("f" + i, i == 12 ? 1_700_000_000_000L + n : i * 1000L);
                        break;
                    case 1:
                        value.put("f" + i, i + 0.5);
                        break;
                    case 2:
                        value.put("f" + i, "device-" + i);
                        break;
                    default:
                        value.put("f" + i, i % 3 == 0);
                }
            }
            records.add(new SinkRecord("readings", 0, null, null, schema, value, n, 1_700_000_000_000L,
                    TimestampType.CREATE_TIME));
        }
        return records;
    }
}
