//! How many allocations a chain costs a record.

use allocation_counter::measure;
use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, Record, Schema, Shape, Str, Struct, Type, Value};
use lavka_api::plugin::{Catalogue, Factory, Transform};

#[expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails, fails its test")]
fn transform(name: &str, keys: &[(&str, &str)]) -> Box<dyn Transform> {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    let class = format!("org.apache.kafka.connect.transforms.{name}");
    let Factory::Transform(make) = catalogue.find(&class, |_| true).unwrap().factory else {
        panic!("{name}")
    };
    make(&keys.iter().copied().collect::<Config>()).unwrap()
}

fn record(value: Datum) -> Record {
    Record { partition: Some(0), timestamp: Some(1_700_000_000_000), value, ..Record::for_topic("readings") }
}

fn values() -> Vec<Value> {
    (0..20i64).map(|i| if i % 2 == 0 { Value::Int64(i * 1000) } else { Value::Float64(0.5) }).collect()
}

/// The chain of the bench, each transform with the allocations it may cost.
fn chain() -> [(Box<dyn Transform>, u64); 5] {
    [
        // The fields grow by two.
        (transform("InsertField$Value", &[("topic.field", "topic"), ("timestamp.field", "at")]), 1),
        // They shrink by two.
        (transform("ReplaceField$Value", &[("renames", "f3:a,f4:b,f5:c"), ("exclude", "f6,f7")]), 1),
        // Texts of up to 24 bytes are inline, those of numbers and of instants among them.
        (transform("Cast$Value", &[("spec", "f0:string,f1:int32,f8:float32")]), 0),
        (
            transform(
                "TimestampConverter$Value",
                &[("field", "f12"), ("target.type", "string"), ("format", "yyyy-MM-dd'T'HH:mm:ss.SSSX")],
            ),
            0,
        ),
        (transform("MaskField$Value", &[("fields", "f10,f13")]), 0),
    ]
}

#[test]
fn a_struct_is_changed_in_place() {
    let types = [Type::Int64, Type::Float64];
    let schema = (0..20)
        .fold(Schema::structure(), |schema, i| schema.field(format!("f{i}"), Schema::optional(types[i % 2])));
    let schema = schema.build().unwrap();
    costs(&record(Datum::new(schema.clone(), Struct::new(schema, values()).unwrap())), 0);
}

#[test]
fn an_object_costs_its_box() {
    let shape = Shape::new((0..20).map(|i| Str::from(format!("f{i}"))).collect::<Vec<_>>());
    costs(&record(Datum::schemaless(Object::new(shape, values()))), 1);
}

/// Runs the chain on copies of `given`: the first makes the plans.
fn costs(given: &Record, more_each: u64) {
    for (mut transform, expected) in chain() {
        let mut counted = u64::MAX;
        for _ in 0..3 {
            let mut record = given.clone();
            let mut result = None;
            counted = measure(|| result = Some(transform.apply(&mut record))).count_total;
            assert!(matches!(result, Some(Ok(_))), "{result:?}");
        }
        assert!(counted <= expected + more_each, "{counted} allocations where {expected} are expected");
    }
}
