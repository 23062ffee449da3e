//! Lenses' `AvroConverter` for sinks beside its released class; see the source's comparison for what it needs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lavka_api::data::{Datum, Schema, Struct, Type};
use lavka_testkit::temp_dir;
use serde_json::json;

use super::super::publication::tests::record;
use super::super::publication::{MakePublications as _, Manner};
use super::publication::LensesPublications;
use super::statement::Statement;
use crate::lenses::java::{AVRO_SCHEMA, Oracle, envelope};
use crate::lenses::schema_files::SchemaFiles;
use crate::message::Qos;

#[test]
fn avro_as_java_writes_it() {
    let Some(java) = Oracle::find("the comparison with Lenses' AvroConverter for sinks") else { return };
    let folder = temp_dir();
    let file = folder.path().join("reading.avsc");
    std::fs::write(&file, AVRO_SCHEMA).unwrap();
    let list = format!("Readings={}", file.display());
    let schema = Schema::structure()
        .name("Reading")
        .field("id", Schema::of(Type::Int64))
        .field("t", Schema::optional(Type::Float64))
        .field("name", Schema::of(Type::String))
        .build()
        .unwrap();
    let reading = |t: Option<f64>, name: &str| {
        let values = vec![7i64.into(), t.into(), name.into()];
        Datum::new(schema.clone(), Struct::new(schema.clone(), values).unwrap())
    };
    let values = [reading(Some(21.5), "hi"), reading(None, ""), reading(Some(-1e300), "ä")];
    let cases: Vec<_> = values
        .iter()
        .map(|value| {
            let payload = BASE64.encode(envelope(value).to_string());
            json!({ "kind": "sink", "topic": "readings", "payload": payload, "schemas": list })
        })
        .collect();
    let kcql = "INSERT INTO t SELECT * FROM readings WITHCONVERTER=`AvroConverter`";
    let manner = Manner { qos: Qos::AtLeastOnce, retain: false };
    let schemas = SchemaFiles::parse(&list).unwrap().read().unwrap();
    let mut maker = LensesPublications::new(Statement::parse_all(kcql).unwrap(), &schemas, manner).unwrap();
    for (value, theirs) in values.into_iter().zip(java.run(&cases)) {
        let mut out = Vec::new();
        maker.publications(&record("readings", value), &mut out).unwrap();
        let ours = out.first().map(|message| BASE64.encode(&message.payload));
        assert_eq!(ours.as_deref(), theirs["bytes"].as_str(), "{theirs}");
    }
}
