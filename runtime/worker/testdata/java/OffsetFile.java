import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.connect.json.JsonConverter;
import org.apache.kafka.connect.runtime.standalone.StandaloneConfig;
import org.apache.kafka.connect.storage.FileOffsetBackingStore;

/**
 * Kafka Connect's own standalone offset store, by hand. {@code OffsetFile read FILE} prints each entry as
 * {@code KEY VALUE} in hexadecimal digits ({@code -} for null), sorted; {@code OffsetFile write FILE ENTRIES} puts the
 * entries of such a text into the store, which writes the file.
 */
public final class OffsetFile {
    private static final class Store extends FileOffsetBackingStore {
        Store(JsonConverter keys) {
            super(keys);
        }

        Map<ByteBuffer, ByteBuffer> entries() {
            return data;
        }
    }

    public static void main(String[] args) throws Exception {
        JsonConverter keys = new JsonConverter();
        keys.configure(Map.of("schemas.enable", "false"), true);
        Store store = new Store(keys);
        String json = "org.apache.kafka.connect.json.JsonConverter";
        store.configure(new StandaloneConfig(Map.of(
            "bootstrap.servers", "127.0.0.1:1",
            "key.converter", json,
            "value.converter", json,
            "offset.storage.file.filename", args[1])));
        store.start();
        if (args[0].equals("write")) {
            Map<ByteBuffer, ByteBuffer> entries = new HashMap<>();
            for (String line : Files.readAllLines(Path.of(args[2]))) {
                String[] parts = line.split(" ");
                entries.put(bytes(parts[0]), bytes(parts[1]));
            }
            store.set(entries, null).get(30, TimeUnit.SECONDS);
        } else {
            TreeMap<String, String> sorted = new TreeMap<>();
            store.entries().forEach((key, value) -> sorted.put(text(key), text(value)));
            PrintStream out = new PrintStream(System.out, false, StandardCharsets.US_ASCII);
            sorted.forEach((key, value) -> out.println(key + " " + value));
            out.flush();
        }
        store.stop();
    }

    private static ByteBuffer bytes(String digits) {
        return digits.equals("-") ? null : ByteBuffer.wrap(HexFormat.of().parseHex(digits));
    }

    private static String text(ByteBuffer bytes) {
        return bytes == null ? "-" : HexFormat.of().formatHex(bytes.array());
    }
}
