package io.confluent.connect.avro;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericRecord;
import org.apache.kafka.connect.data.Field;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.data.SchemaBuilder;
import org.apache.kafka.connect.data.Struct;

/**
 * Stands in for the class of this name, which Lenses' converters ask for and Maven Central does not have: records of
 * scalars, arrays and records, and null in a union of two. No more of it is compared here.
 */
public final class AvroData {
    public AvroData(int cacheSize) {}

    public Schema toConnectSchema(org.apache.avro.Schema avro) {
        return connect(avro, false);
    }

    public SchemaAndValue toConnectData(org.apache.avro.Schema avro, Object value) {
        Schema schema = connect(avro, false);
        return new SchemaAndValue(schema, data(schema, value));
    }

    public org.apache.avro.Schema fromConnectSchema(Schema schema) {
        org.apache.avro.Schema bare = switch (schema.type()) {
            case STRING -> org.apache.avro.Schema.create(org.apache.avro.Schema.Type.STRING);
            case INT32 -> org.apache.avro.Schema.create(org.apache.avro.Schema.Type.INT);
            case INT64 -> org.apache.avro.Schema.create(org.apache.avro.Schema.Type.LONG);
            case FLOAT32 -> org.apache.avro.Schema.create(org.apache.avro.Schema.Type.FLOAT);
            case FLOAT64 -> org.apache.avro.Schema.create(org.apache.avro.Schema.Type.DOUBLE);
            case BOOLEAN -> org.apache.avro.Schema.create(org.apache.avro.Schema.Type.BOOLEAN);
            case BYTES -> org.apache.avro.Schema.create(org.apache.avro.Schema.Type.BYTES);
            case ARRAY -> org.apache.avro.Schema.createArray(fromConnectSchema(schema.valueSchema()));
            case STRUCT -> record(schema);
            default -> throw new IllegalArgumentException(schema.type().toString());
        };
        return schema.isOptional()
                ? org.apache.avro.Schema.createUnion(
                        List.of(org.apache.avro.Schema.create(org.apache.avro.Schema.Type.NULL), bare))
                : bare;
    }

    public Object fromConnectData(Schema schema, Object value) {
        if (value == null) {
            return null;
        }
        return switch (schema.type()) {
            case STRUCT -> {
                GenericRecord record = new GenericData.Record(record(schema));
                for (Field field : schema.fields()) {
                    record.put(field.name(), fromConnectData(field.schema(), ((Struct) value).get(field)));
                }
                yield record;
            }
            case BYTES -> value instanceof byte[] bytes ? ByteBuffer.wrap(bytes) : value;
            default -> value;
        };
    }

    private org.apache.avro.Schema record(Schema schema) {
        String name = schema.name() == null ? "ConnectDefault" : schema.name();
        // Names of topics are no names of Avro's, and what is made of them here is not looked at.
        String plain = name.replaceAll("[^A-Za-z0-9_.]", "_");
        var fields = new ArrayList<org.apache.avro.Schema.Field>();
        for (Field field : schema.fields()) {
            fields.add(new org.apache.avro.Schema.Field(
                    field.name(), fromConnectSchema(field.schema()), null, (Object) null));
        }
        return org.apache.avro.Schema.createRecord(plain, null, null, false, fields);
    }

    private static Schema connect(org.apache.avro.Schema avro, boolean optional) {
        SchemaBuilder builder = switch (avro.getType()) {
            case STRING -> SchemaBuilder.string();
            case INT -> SchemaBuilder.int32();
            case LONG -> SchemaBuilder.int64();
            case FLOAT -> SchemaBuilder.float32();
            case DOUBLE -> SchemaBuilder.float64();
            case BOOLEAN -> SchemaBuilder.bool();
            case BYTES -> SchemaBuilder.bytes();
            case ARRAY -> SchemaBuilder.array(connect(avro.getElementType(), false));
            case RECORD -> {
                SchemaBuilder record = SchemaBuilder.struct().name(avro.getFullName());
                avro.getFields().forEach(field -> record.field(field.name(), connect(field.schema(), false)));
                yield record;
            }
            case UNION -> null;
            default -> throw new IllegalArgumentException(avro.toString());
        };
        if (builder == null) {
            return connect(avro.getTypes().get(1), true);
        }
        return optional ? builder.optional().build() : builder.build();
    }

    private static Object data(Schema schema, Object value) {
        if (value == null) {
            return null;
        }
        return switch (schema.type()) {
            case STRING -> value.toString();
            case STRUCT -> {
                Struct struct = new Struct(schema);
                for (Field field : schema.fields()) {
                    struct.put(field, data(field.schema(), ((GenericRecord) value).get(field.name())));
                }
                yield struct;
            }
            case ARRAY -> {
                List<Object> items = new ArrayList<>();
                ((List<?>) value).forEach(item -> items.add(data(schema.valueSchema(), item)));
                yield items;
            }
            default -> value;
        };
    }
}
