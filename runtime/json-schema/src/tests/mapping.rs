//! Schemas that others wrote, as Connect schemas.

use lavka_api::Result;
use lavka_api::data::{Decimal, Logical, Schema, Type, Value};
use lavka_converters::json::ONE_OF;
use lavka_schema_registry::{Dependency, ResolvedSchema, SchemaText, SchemaType};

use super::settings;
use crate::compatibility::accepts;
use crate::connect::schema_of;
use crate::load::load;
use crate::text::{ENUM, text_of};

fn read(text: &str, dependencies: &[(&str, &str)], entries: &[(&str, &str)]) -> Result<Schema> {
    let schema = |text: &str| SchemaText::new(SchemaType::Json, text);
    let dependencies = dependencies
        .iter()
        .map(|(name, text)| Dependency { name: (*name).into(), schema: schema(text) })
        .collect();
    let mut resolved = ResolvedSchema::alone(schema(text));
    resolved.dependencies = dependencies;
    let model = load(&resolved)?;
    schema_of(&model, None, &settings(entries))
}

fn one(text: &str) -> Schema {
    read(text, &[], &[]).unwrap()
}

#[test]
fn types_follow_from_keywords() {
    for (text, ty) in [
        (r#"{"type":"integer"}"#, Type::Int64),
        (r#"{"type":"number"}"#, Type::Float64),
        (r#"{"type":"string","minLength":3}"#, Type::String),
        (r#"{"maximum":3}"#, Type::Float64),
        (r#"{"pattern":"a*"}"#, Type::String),
        (r#"{"items":{"type":"string"}}"#, Type::Array),
        (r#"{"properties":{"a":{"type":"string"}}}"#, Type::Struct),
        (r#"{"type":"string","format":"date"}"#, Type::String),
        (r#"{"type":"string","const":"a"}"#, Type::String),
        (r#"{"allOf":[{"type":"string"},{"format":"date"}]}"#, Type::String),
    ] {
        assert_eq!(one(text).ty(), ty, "{text}");
    }
    let color = one(r#"{"type":"string","enum":["a","b"]}"#);
    assert_eq!(color.parameter(&format!("{ENUM}.b")).map(|it| it.as_str()), Some("b"));
    assert!(one(r#"{"type":["null","string"]}"#).is_optional());
    assert!(one(r#"{"anyOf":[{"type":"integer"},{"type":"null"}]}"#).is_optional());
}

#[test]
fn members_come_by_index_or_in_javas_order() {
    let names = |schema: &Schema| {
        schema.fields().iter().map(|field| field.name().as_str().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let plain = r#"{"type":"object","properties":{"id":{"type":"integer"},"name":{"type":"string"},"age":{"type":"integer"}}}"#;
    assert_eq!(names(&one(plain)), "name id age");
    let indexed = r#"{"type":"object","properties":{"b":{"type":"string","connect.index":1},"a":{"type":"string","connect.index":0}}}"#;
    assert_eq!(names(&one(indexed)), "a b");
}

#[test]
fn what_is_not_required_may_be_optional() {
    let text =
        r#"{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"required":["a"]}"#;
    let optional = |schema: &Schema, name: &str| schema.field(name).unwrap().schema().is_optional();
    assert!(!optional(&one(text), "b"));
    let schema = read(text, &[], &[("use.optional.for.nonrequired", "true")]).unwrap();
    assert!(optional(&schema, "b") && !optional(&schema, "a"));
}

#[test]
fn unions_are_structs() {
    let union = one(r#"{"oneOf":[{"type":"string"},{"type":"null"},{"type":"integer"}]}"#);
    assert_eq!((union.name().map(|it| it.as_str()), union.is_optional()), (Some(ONE_OF), true));
    let fields: Vec<_> =
        union.fields().iter().map(|field| (field.name().as_str(), field.schema().ty())).collect();
    let names = [0, 1].map(|at| format!("{ONE_OF}.field.{at}"));
    assert_eq!(fields, [(names[0].as_str(), Type::String), (names[1].as_str(), Type::Int64)]);
    let general = read(
        r#"{"oneOf":[{"type":"string"},{"type":"integer"}]}"#,
        &[],
        &[("generalized.sum.type.support", "true")],
    );
    let general = general.unwrap();
    assert_eq!(general.name().map(|it| it.as_str()), Some("connect_union_0"));
    assert_eq!(general.fields()[1].name(), &"connect_union_field_1");
}

#[test]
fn references_are_followed() {
    let text =
        r##"{"type":"object","definitions":{"P":{"type":"object","properties":{"x":{"type":"integer"}}}},
        "properties":{"p":{"$ref":"#/definitions/P"},"q":{"$ref":"#/$defs/P"},"r":{"$ref":"other.json"},
        "s":{"$ref":"other.json#/definitions/S"},"t":{"$ref":"#here"}},"else":true,
        "additionalProperties":{"$id":"#here","type":"boolean"}}"##
            .replace(r#""else":true,"#, "");
    let other = r#"{"type":"string","definitions":{"S":{"type":"number"}}}"#;
    let schema = read(&text, &[("other.json", other)], &[]).unwrap();
    let ty = |name: &str| schema.field(name).unwrap().schema().ty();
    assert_eq!(
        (ty("p"), ty("q"), ty("r"), ty("s"), ty("t")),
        (Type::Struct, Type::Struct, Type::String, Type::Float64, Type::Boolean)
    );
    let shared = r##"{"allOf":[{"$ref":"#/$defs/A"},{"properties":{"b":{"type":"string"}}}],"$defs":{"A":{"properties":{"a":{"type":"integer"}}}}}"##;
    assert_eq!(one(shared).fields().len(), 2);
}

#[test]
fn what_cannot_be_is_said() {
    for (text, part) in [
        ("nonsense", "not JSON"),
        ("[]", "neither an object nor"),
        ("{}", "describes anything"),
        ("false", "describes nothing"),
        (r#"{"type":"null"}"#, "null"),
        (r#"{"type":"wrong"}"#, "unknown type: [wrong]"),
        (r#"{"type":"array"}"#, "Array schema did not specify the items type"),
        (r##"{"$ref":"#/definitions/x"}"##, "leads nowhere"),
        (r##"{"$ref":"#"}"##, "refers to itself"),
        (r##"{"properties":{"next":{"$ref":"#"}}}"##, "refers to itself"),
        (
            r##"{"properties":{"next":{"oneOf":[{"type":"null"},{"$ref":"#"}]}},"title":"Node"}"##,
            "Node refers to itself",
        ),
        (r#"{"not":{"type":"string"}}"#, "not"),
    ] {
        let error = read(text, &[], &[]).unwrap_err();
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn defaults_are_read_as_payloads() {
    let default = |text: &str| one(text).default_value().cloned();
    assert_eq!(default(r#"{"type":"integer","connect.type":"int8","default":7}"#), Some(Value::Int8(7)));
    assert_eq!(default(r#"{"oneOf":[{"type":"null"},{"type":"string","default":"x"}]}"#), Some("x".into()));
    assert_eq!(default(r#"{"type":"string","default":null}"#), None);
    assert_eq!(default(r#"{"type":"object","properties":{},"default":{}}"#), None);
}

#[test]
fn defaults_of_decimals_have_every_digit_and_the_scale_of_their_schema() {
    let default = |default: &str, scale: &str| {
        let text = format!(
            r#"{{"type":"object","properties":{{"default":{{"type":"number","title":"{}","default":{default},
            "connect.type":"bytes","connect.parameters":{{"scale":"{scale}"}}}}}}}}"#,
            Logical::DECIMAL
        );
        one(&text).field("default").unwrap().schema().default_value().cloned()
    };
    for (text, scale, expected) in [
        ("1.5", "2", Decimal::new(150, 2)),
        ("7", "2", Decimal::new(700, 2)),
        ("1.500", "2", Decimal::new(150, 2)),
        ("12345678901234567890.12", "2", Decimal::parse("12345678901234567890.12").unwrap()),
        ("5e3", "-3", Decimal::new(5, -3)),
        // More digits than the schema has room for stay, as in Java.
        ("1.125", "2", Decimal::new(1125, 3)),
        ("1", "2000000000", Decimal::new(1, 0)),
        ("\"AJY=\"", "2", Decimal::new(150, 2)),
    ] {
        assert_eq!(default(text, scale), Some(expected.into()), "{text}");
    }
}

#[test]
fn own_texts_come_back() {
    let decimal = Schema::logical_of(Logical::Decimal(3));
    let schema = Schema::structure()
        .name("org.example.Everything")
        .version(2)
        .doc("doc")
        .parameter("own", "parameter")
        .field("z", Schema::of(Type::Int16))
        .field("a", decimal.to_builder().optional().build().unwrap())
        .field("m", Schema::map(Schema::of(Type::Int32), Schema::array(Schema::optional(Type::Float32))))
        .field("d", Schema::builder(Type::Int8).default_value(Value::Int8(3)).optional().build().unwrap())
        .build()
        .unwrap();
    assert_eq!(one(&text_of(&schema, &settings(&[])).unwrap()), schema);
}

#[test]
fn strictness_looks_at_what_would_be_written() {
    let check = |registered: &str, written: &str| {
        let schema = |text: &str| SchemaText::new(SchemaType::Json, text);
        accepts(&ResolvedSchema::alone(schema(registered)), &schema(written))
    };
    let object =
        |properties: &str, rest: &str| format!(r#"{{"type":"object","properties":{{{properties}}}{rest}}}"#);
    let a = object(r#""a":{"type":"integer"}"#, "");
    for (registered, written) in [
        (r#"{"type":"number"}"#.to_owned(), r#"{"type":"integer"}"#.to_owned()),
        (r#"{"oneOf":[{"type":"null"},{"type":"string"}]}"#.into(), r#"{"type":"string"}"#.into()),
        (r#"{"type":"string"}"#.into(), r#"{"enum":["a"]}"#.into()),
        (object("", ""), a.clone()),
        (object(r#""a":{"type":"integer","default":1}"#, r#","required":["a"]"#), object("", "")),
    ] {
        assert_eq!(check(&registered, &written), Ok(()), "{registered} {written}");
    }
    for (registered, written, part) in [
        (
            r#"{"type":"integer"}"#.to_owned(),
            r#"{"type":"number"}"#.to_owned(),
            "the value would be a number",
        ),
        (r#"{"type":"string"}"#.into(), r#"{"oneOf":[{"type":"null"},{"type":"string"}]}"#.into(), "null"),
        (object("", r#","additionalProperties":false"#), a.clone(), "has no member a"),
        (object(r#""a":{"type":"string"}"#, ""), a.clone(), "member a of the value would be an integer"),
        (object(r#""b":{"type":"string"}"#, r#","required":["b"]"#), a, "member b of the value is required"),
        (r#"{"enum":["a"]}"#.into(), r#"{"enum":["a","b"]}"#.into(), "no symbol"),
    ] {
        let refused = check(&registered, &written).unwrap_err();
        assert!(refused.contains(part), "{registered} {written}: {refused}");
    }
}
