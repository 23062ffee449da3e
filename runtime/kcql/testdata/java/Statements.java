import com.datamountaineer.kcql.Field;
import com.datamountaineer.kcql.Kcql;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Collectors;

/** Shows how the released parser reads statements: a statement a line comes in, what it found or "error" goes out. */
public final class Statements {
    public static void main(String[] arguments) throws Exception {
        // The parser prints what it does not like.
        System.err.close();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String shown;
            try {
                shown = shown(Kcql.parse(line));
            } catch (Exception refused) {
                shown = "error";
            }
            System.out.println(shown);
        }
    }

    private static String shown(Kcql kcql) {
        return String.join("|",
                kcql.getWriteMode().toString(),
                kcql.getTarget(),
                fields(kcql.getFields()),
                kcql.getSource(),
                "ignore=" + fields(kcql.getIgnoredFields()),
                "pk=" + fields(kcql.getPrimaryKeys()),
                "converter=" + text(kcql.getWithConverter()),
                "key=" + (kcql.getWithKeys() == null ? "" : String.join(",", kcql.getWithKeys())),
                "delimiter=" + kcql.getKeyDelimeter(),
                "regex=" + text(kcql.getWithRegex()),
                "target=" + text(kcql.getDynamicTarget()),
                "tags=" + (kcql.getTags() == null ? "" : kcql.getTags().stream()
                        .map(tag -> tag.getValue() == null ? tag.getKey() : tag.getKey() + "=" + tag.getValue())
                        .collect(Collectors.joining(","))),
                "storeas=" + text(kcql.getStoredAs()),
                "timestamp=" + text(kcql.getTimestamp()),
                "type=" + text(kcql.getWithType()),
                "batch=" + kcql.getBatchSize(),
                "limit=" + kcql.getLimit(),
                "create=" + kcql.isAutoCreate() + kcql.isAutoEvolve());
    }

    private static String text(String text) {
        return text == null ? "" : text;
    }

    private static String fields(List<Field> fields) {
        return fields.stream()
                .map(field -> {
                    String path = field.hasParents()
                            ? String.join(".", field.getParentFields()) + "." + field.getName()
                            : field.getName();
                    return field.getAlias().equals(field.getName()) ? path : path + "=" + field.getAlias();
                })
                .collect(Collectors.joining(","));
    }
}
