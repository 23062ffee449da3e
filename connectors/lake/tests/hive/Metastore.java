import java.io.BufferedReader;
import java.io.InputStreamReader;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.metastore.HiveMetaStoreClient;
import org.apache.hadoop.hive.metastore.api.FieldSchema;
import org.apache.hadoop.hive.metastore.api.Partition;
import org.apache.hadoop.hive.metastore.api.Table;

/**
 * Prints what a metastore has of the tables whose names it reads, a line each, and an empty line behind each table: argument 1
 * is its URI, 2 the database.
 */
public class Metastore {
    public static void main(String[] args) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set("metastore.thrift.uris", args[0]);
        BufferedReader names = new BufferedReader(new InputStreamReader(System.in));
        for (String name = names.readLine(); name != null; name = names.readLine()) {
            // The server may be another process by now.
            HiveMetaStoreClient client = new HiveMetaStoreClient(configuration);
            print(client, args[1], name);
            client.close();
            System.out.println();
        }
    }

    private static void print(HiveMetaStoreClient client, String database, String name) throws Exception {
        if (!client.tableExists(database, name)) {
            System.out.println("none");
            return;
        }
        Table table = client.getTable(database, name);
        System.out.println(table.getTableType() + " " + table.getSd().getLocation());
        System.out.println(table.getSd().getSerdeInfo().getSerializationLib());
        System.out.println(table.getSd().getInputFormat());
        System.out.println(table.getSd().getOutputFormat());
        for (FieldSchema column : table.getSd().getCols()) {
            System.out.println("column " + column.getName() + " " + column.getType());
        }
        for (FieldSchema column : table.getPartitionKeys()) {
            System.out.println("key " + column.getName() + " " + column.getType());
        }
        if (table.getParameters().containsKey("avro.schema.literal")) {
            System.out.println("schema " + table.getParameters().get("avro.schema.literal"));
        }
        for (Partition partition : client.listPartitions(database, name, (short) -1)) {
            System.out.println("partition " + partition.getValues() + " " + partition.getSd().getLocation());
        }
    }
}
