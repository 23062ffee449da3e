//! What benches of converters measure with: the same records for all, and the processor's time.

use std::time::Duration;

use lavka_api::Result;
use lavka_api::data::{Logical, Schema, Struct, Type, Value};

use crate::failure::{Context as _, Failure, OrFail as _};

/// The schema `org.example.Reading`: 20 fields of mixed types, four of them optional.
#[track_caller]
pub fn reading_schema() -> Schema {
    let (of, optional) = (Schema::of, Schema::optional);
    let fields = [
        ("id", of(Type::Int64)),
        ("device", of(Type::String)),
        ("site", of(Type::String)),
        ("sequence", of(Type::Int32)),
        ("at", Schema::logical_of(Logical::Timestamp)),
        ("temperature", of(Type::Float64)),
        ("humidity", of(Type::Float64)),
        ("pressure", of(Type::Float32)),
        ("valid", of(Type::Boolean)),
        ("alarm", of(Type::Boolean)),
        ("count", of(Type::Int32)),
        ("total", of(Type::Int64)),
        ("latitude", of(Type::Float64)),
        ("longitude", of(Type::Float64)),
        ("status", optional(Type::String)),
        ("note", optional(Type::String)),
        ("level", of(Type::Int32)),
        ("day", Schema::logical_of(Logical::Date)),
        ("code", optional(Type::Int64)),
        ("operator", of(Type::String)),
    ];
    let builder = Schema::structure().name("org.example.Reading");
    let builder = fields.into_iter().fold(builder, |builder, (name, schema)| builder.field(name, schema));
    builder.build().context(|| "the schema of readings".into()).or_fail()
}

/// `count` records of [`reading_schema`], all different and always the same.
#[track_caller]
pub fn readings(schema: &Schema, count: u16) -> Vec<Value> {
    let records: Result<Vec<Value>> = (0..count).map(|at| reading(schema, at)).collect();
    records.map_err(|error| Failure::new(format!("readings: {error}"))).or_fail()
}

fn reading(schema: &Schema, at: u16) -> Result<Value> {
    let (n, x) = (i32::from(at), f64::from(at));
    let site = match at % 3 {
        0 => "Praha",
        1 => "Brno",
        _ => "Ostrava",
    };
    let values: [Value; 20] = [
        (i64::from(n) * 7919 + 1_000_000).into(),
        format!("device-{:04}", n % 500).into(),
        site.into(),
        n.into(),
        Value::Timestamp(1_760_000_000_000 + i64::from(n) * 250),
        (20.0 + x / 100.0).into(),
        (40.0 + x / 50.0).into(),
        1013.25_f32.into(),
        at.is_multiple_of(2).into(),
        at.is_multiple_of(17).into(),
        (n * 31).into(),
        (i64::from(n) * 1_000_003).into(),
        (50.0 + x / 1e4).into(),
        (14.0 + x / 1e4).into(),
        Value::Null,
        "measured by the second probe".into(),
        (n % 7).into(),
        Value::Date(20_000 + n % 30),
        if at.is_multiple_of(3) { Value::Null } else { Value::Int64(i64::from(n) * 11) },
        "night shift".into(),
    ];
    Ok(Struct::new(schema.clone(), values)?.into())
}

/// The time for which the calling thread has the processor while it does `once` as often as `rounds` says: on a busy
/// machine the clock on the wall says more of the others. For criterion's `iter_custom`.
pub fn processor_time(rounds: u64, mut once: impl FnMut()) -> Duration {
    let began = so_far();
    for _ in 0..rounds {
        once();
    }
    so_far().saturating_sub(began).max(Duration::from_nanos(1))
}

/// What this thread has had since it began.
fn so_far() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split_whitespace().next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0))
}
