//! Plans are compiled once: records of one schema or shape come out with one schema or shape.

use lavka_api::data::{Datum, Object, Schema, Shape, Struct, Type, Value};

use crate::harness::{sink, transform};

const CHAIN: [(&str, &[(&str, &str)]); 3] = [
    ("InsertField$Value", &[("topic.field", "topic"), ("timestamp.field", "at")]),
    ("ReplaceField$Value", &[("renames", "a:alpha"), ("exclude", "c")]),
    ("Cast$Value", &[("spec", "alpha:string,zz:int8")]),
];

#[test]
fn structs_share_a_schema() {
    let schema = |name: &str| {
        let schema = Schema::structure().name(name).field("a", Schema::of(Type::Int32));
        schema.field("b", Schema::of(Type::Int32)).field("c", Schema::of(Type::Int32)).build().unwrap()
    };
    for (name, keys) in CHAIN {
        let mut transform = transform(name, keys).unwrap();
        // Twenty schemas, more than are kept; the second is equal to the first but another allocation.
        let schemas: Vec<Schema> =
            ["s0", "s0"].into_iter().map(schema).chain((1..20).map(|i| schema(&format!("s{i}")))).collect();
        let mut run = |schema: &Schema| {
            let values = vec![Value::Int32(1), Value::Int32(2), Value::Int32(3)];
            let value = Struct::new(schema.clone(), values).unwrap();
            let mut record = sink(Datum::new(schema.clone(), value));
            transform.apply(&mut record).unwrap();
            let Value::Struct(value) = &record.value.value else { panic!() };
            assert!(value.schema().same(record.value.schema.as_ref().unwrap()));
            value.schema().clone()
        };
        let first = run(&schemas[0]);
        assert!(first.same(&run(&schemas[0])), "{name}");
        assert!(first.same(&run(&schemas[1])), "{name}: an equal schema is known");
        for schema in &schemas[2..] {
            assert_eq!(run(schema).name(), schema.name());
        }
        assert_eq!(run(&schemas[0]), first, "{name}: compiled again after it had to give way");
    }
}

#[test]
fn objects_share_a_shape() {
    for (name, keys) in CHAIN {
        let mut transform = transform(name, keys).unwrap();
        let mut run = |keys: &[&str]| {
            let shape = Shape::new(keys.iter().map(|&key| key.into()).collect::<Vec<_>>());
            let mut record = sink(Datum::schemaless(Object::new(shape, vec![Value::Int32(1); keys.len()])));
            transform.apply(&mut record).unwrap();
            let Value::Object(value) = record.value.value else { panic!() };
            value.shape().clone()
        };
        let first = run(&["a", "b", "c"]);
        for i in 0..100 {
            assert!(first.same(&run(&["a", "b", "c"])), "{name}");
            run(&["a", format!("k{i}").as_str()]);
        }
    }
}

#[test]
fn filter_drops() {
    let mut filter = transform("Filter", &[]).unwrap();
    assert_eq!(filter.apply(&mut sink(Datum::NULL)).ok(), Some(lavka_api::plugin::Verdict::Drop));
}

/// Debezium has a Filter too.
#[test]
fn the_short_name_filter_is_kafkas() {
    let catalogue = lavka_api::plugin::Catalogue::new(lavka_transforms::plugins());
    let found = catalogue.find("Filter", |_| true).map(|plugin| plugin.class);
    assert_eq!(found, Ok("org.apache.kafka.connect.transforms.Filter"));
    for plugin in catalogue.iter() {
        let simple = plugin.class.rsplit('.').next().unwrap();
        assert_eq!(catalogue.find(simple, |_| true).map(|plugin| plugin.class), Ok(plugin.class));
    }
}
