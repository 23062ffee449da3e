//! The texts that are registered.

use lavka_api::data::{Logical, Schema, SchemaBuilder, Type};

use super::text;
use crate::MappingSettings;
use crate::schema::File;

fn optional(ty: Type) -> Schema {
    Schema::optional(ty)
}

fn logical(logical: Logical) -> Schema {
    Schema::logical_of(logical)
}

fn orders() -> SchemaBuilder {
    let status = Schema::builder(Type::String)
        .name("Status")
        .parameter("io.confluent.connect.protobuf.Enum", "Status")
        .parameter("io.confluent.connect.protobuf.Enum.OPEN", "0")
        .parameter("io.confluent.connect.protobuf.Enum.PAID", "1")
        .build()
        .unwrap();
    let line = Schema::structure().field("sku", Schema::of(Type::String)).build().unwrap();
    let tagged = |ty, tag: &str| {
        Schema::builder(ty).optional().parameter("io.confluent.connect.protobuf.Tag", tag).build().unwrap()
    };
    let payment = Schema::structure()
        .name("io.confluent.connect.protobuf.Union.payment")
        .optional()
        .field("card", tagged(Type::String, "20"))
        .field("cash", tagged(Type::Int64, "21"))
        .build()
        .unwrap();
    Schema::structure()
        .name("org.example.Order")
        .field("id", Schema::of(Type::Int64))
        .field("small", Schema::of(Type::Int8))
        .field("lines", Schema::array(line))
        .field(
            "tags",
            Schema::map(Schema::of(Type::String), optional(Type::Int32))
                .to_builder()
                .name("tags")
                .build()
                .unwrap(),
        )
        .field("status", status)
        .field("payment_0", payment)
        .field(
            "total",
            logical(Logical::Decimal(2))
                .to_builder()
                .parameter("connect.decimal.precision", "9")
                .build()
                .unwrap(),
        )
        .field("paid", logical(Logical::Timestamp))
        .field("due", logical(Logical::Date))
        .field("note", optional(Type::String))
}

/// Text as `ProtobufSchemaUtils.toString` lays it out, down to the blanks in empty lines of nested messages.
#[test]
fn a_struct_becomes_the_text_that_java_registers() {
    let expected = r#"syntax = "proto3";
package org.example;

import "confluent/type/decimal.proto";
import "google/protobuf/timestamp.proto";
import "google/type/date.proto";

message Order {
  int64 id = 1;
  int32 small = 2 [(confluent.field_meta) = {
    params: [
      {
        key: "connect.type",
        value: "int8"
      }
    ]
  }];
  repeated ConnectDefault1 lines = 3;
  repeated tagsEntry tags = 4;
  Status status = 5;
  confluent.type.Decimal total = 7 [(confluent.field_meta) = {
    params: [
      {
        value: "9",
        key: "precision"
      },
      {
        value: "2",
        key: "scale"
      }
    ]
  }];
  google.protobuf.Timestamp paid = 8;
  google.type.Date due = 9;
  string note = 10;

  oneof payment {
    string card = 20;
    int64 cash = 21;
  }

  message ConnectDefault1 {
    string sku = 1;
  }
  message tagsEntry {
    string key = 1;
    int32 value = 2;
  }
  enum Status {
    OPEN = 0;
    PAID = 1;
  }
}
"#;
    let made = text(&orders().build().unwrap(), &MappingSettings::default());
    assert_eq!(made, expected);
    // What is registered is read again as what was made.
    let file = File::parse("orders.proto", &made).unwrap();
    assert_eq!(file.to_text(), expected);
    assert_eq!(file.message_indexes("org.example.Order"), [0]);
    assert_eq!(file.message_indexes("org.example.Order.tagsEntry"), [0, 1]);
    assert_eq!(file.message_name(&[0, 1]).as_deref(), Some("org.example.Order.tagsEntry"));
    assert_eq!(file.message_name(&[]).as_deref(), Some("org.example.Order"));
    assert_eq!(file.message_name(&[0, 2]), None);
    assert_eq!(file.message_name(&[-1]), None);
}

#[test]
fn nested_messages_keep_the_blanks_of_their_empty_lines() {
    let inner = Schema::structure().name("C").field("x", Schema::of(Type::Int32)).build().unwrap();
    let middle = Schema::structure().name("B").field("c", inner).build().unwrap();
    let outer = Schema::structure().name("A").field("b", middle).build().unwrap();
    assert_eq!(
        text(&outer, &MappingSettings::default()),
        "syntax = \"proto3\";\n\nmessage A {\n  B b = 1;\n\n  message B {\n    C c = 1;\n  \n    message C {\n      int32 x \
         = 1;\n    }\n  }\n}\n"
    );
}

#[test]
fn choices_change_the_text() {
    let schema = Schema::structure()
        .field("a", optional(Type::Int32))
        .field("b", Schema::of(Type::String))
        .field("c", optional(Type::Bytes))
        .build()
        .unwrap();
    let labelled = MappingSettings { optional_for_nullables: true, ..MappingSettings::default() };
    assert_eq!(
        text(&schema, &labelled),
        "syntax = \"proto3\";\n\nmessage ConnectDefault1 {\n  optional int32 a = 1;\n  string b = 2;\n  optional bytes c = \
         3;\n}\n"
    );
    let wrapped = MappingSettings { wrapper_for_nullables: true, ..MappingSettings::default() };
    assert_eq!(
        text(&schema, &wrapped),
        "syntax = \"proto3\";\n\nimport \"google/protobuf/wrappers.proto\";\n\nmessage ConnectDefault1 {\n  \
         google.protobuf.Int32Value a = 1;\n  string b = 2;\n  google.protobuf.BytesValue c = 3;\n}\n"
    );
}

#[test]
fn types_of_numbers_come_from_parameters() {
    let number = |ty, name: &str| {
        Schema::builder(ty).parameter("io.confluent.connect.protobuf.Type", name).build().unwrap()
    };
    let schema = Schema::structure()
        .field("a", number(Type::Int32, "sint32"))
        .field("b", number(Type::Int64, "fixed32"))
        .field("c", number(Type::Int64, "uint64"))
        .build()
        .unwrap();
    let made = text(&schema, &MappingSettings::default());
    for line in ["sint32 a = 1;", "fixed32 b = 2;", "uint64 c = 3;"] {
        assert!(made.contains(line), "{made}");
    }
}

#[test]
fn primitive_roots_are_wrappers() {
    let made = text(&Schema::of(Type::Int32), &MappingSettings::default());
    assert!(
        made.starts_with("syntax = \"proto3\";\npackage google.protobuf;\n\noption java_package"),
        "{made}"
    );
    let file = File::parse("wrappers.proto", &made).unwrap();
    assert_eq!(file.message_indexes("google.protobuf.Int32Value"), [4]);
    assert_eq!(file.message_indexes("google.protobuf.BytesValue"), [8]);
}

#[test]
fn what_cannot_be_a_message_is_refused_by_name() {
    let refused = |schema: &Schema| {
        let settings = MappingSettings::default();
        super::encode(schema, &lavka_api::data::Value::Null, &settings).unwrap_err().to_string()
    };
    for (schema, part) in [
        (Schema::array(Schema::of(Type::Int32)), "Unsupported root schema of type ARRAY"),
        (logical(Logical::Date), "Unsupported root schema of type org.apache.kafka.connect.data.Date"),
    ] {
        let error = refused(&schema);
        assert!(error.contains(part), "{error}");
    }
    let with = |field: Schema| Schema::structure().name("M").field("f", field).build().unwrap();
    for (field, part) in [
        (Schema::array(Schema::array(Schema::of(Type::Int8))), "Array cannot be nested: field f"),
        (Schema::array_of_null(), "has no schema for what is in it"),
        (Schema::map_of_null(), "has no schema for what is in it"),
    ] {
        let error = refused(&with(field));
        assert!(error.contains(part), "{error}");
    }
    let dashed = Schema::structure().name("M").field("a-b", Schema::of(Type::Int8)).build().unwrap();
    assert!(refused(&dashed).contains("\"a-b\" is not a valid identifier."));
    let scrubbing = MappingSettings { scrub_invalid_names: true, ..MappingSettings::default() };
    assert!(text(&dashed, &scrubbing).contains("int32 a_b = 1"));
    let tag = |number: &str| {
        Schema::builder(Type::Int32).parameter("io.confluent.connect.protobuf.Tag", number).build().unwrap()
    };
    let doubled = Schema::structure().field("a", tag("7")).field("b", tag("7")).build().unwrap();
    assert!(refused(&doubled).contains("Field number 7 has already been used in \"ConnectDefault1\"."));
    assert!(refused(&with(tag("0"))).contains("Field numbers must be positive integers."));
    assert!(refused(&with(tag("many"))).contains("Invalid number in the schema parameters of f: \"many\""));
}
