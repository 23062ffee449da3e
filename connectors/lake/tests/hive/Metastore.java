import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.hive.metastore.HiveMetaStoreClient;
import org.apache.hadoop.hive.metastore.api.FieldSchema;
import org.apache.hadoop.hive.metastore.api.Partition;
import org.apache.hadoop.hive.metastore.api.Table;

/** Prints what a metastore has of a table, a line each: argument 1 is its URI, 2 the database, 3 the table. */
public class Metastore {
    public static void main(String[] args) throws Exception {
        Configuration configuration = new Configuration();
        configuration.set("metastore.thrift.uris", args[0]);
        HiveMetaStoreClient client = new HiveMetaStoreClient(configuration);
        if (!client.tableExists(args[1], args[2])) {
            System.out.println("none");
            return;
        }
        Table table = client.getTable(args[1], args[2]);
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
        for (Partition partition : client.listPartitions(args[1], args[2], (short) -1)) {
            System.out.println("partition " + partition.getValues() + " " + partition.getSd().getLocation());
        }
    }
}
