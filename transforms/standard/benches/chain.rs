//! What a chain costs a record: InsertField, ReplaceField (three renames, two excludes), Cast (three fields),
//! TimestampConverter and MaskField on 20 fields, as a struct and as a schemaless object, and RegexRouter on topics it
//! knows. `testdata/java/ChainBench.java` runs the same chain on Java's classes. Both count the time that their thread was
//! on a processor, so that other work on the machine does not.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench fails as tests do")]

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use lavka_api::config::Config;
use lavka_api::data::{Datum, Object, Record, Schema, Shape, Str, Struct, Type, Value};
use lavka_api::plugin::{Catalogue, Factory, Transform};

const BATCH: usize = 1000;

/// The time that this thread was on a processor (Linux's `schedstat`).
struct ProcessorTime;

impl ProcessorTime {
    fn now() -> Duration {
        // The kernel brings its count up to date when a thread gives up its turn.
        std::thread::yield_now();
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
    }
}

impl Measurement for ProcessorTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        Self::now()
    }

    fn end(&self, began: Duration) -> Duration {
        Self::now().saturating_sub(began)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_secs_f64() * 1e9
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        static WALL: WallTime = WallTime;
        WALL.formatter()
    }
}

fn transform(name: &str, keys: &[(&str, &str)]) -> Box<dyn Transform> {
    let catalogue = Catalogue::new(lavka_transforms::plugins());
    let class = format!("org.apache.kafka.connect.transforms.{name}");
    let plugin = catalogue.find(&class, |_| true).unwrap();
    let Factory::Transform(make) = plugin.factory else { panic!("{name} is no transform") };
    make(&keys.iter().copied().collect::<Config>()).unwrap()
}

fn chain() -> Vec<Box<dyn Transform>> {
    vec![
        transform("InsertField$Value", &[("topic.field", "topic"), ("timestamp.field", "at")]),
        transform("ReplaceField$Value", &[("renames", "f3:a,f4:b,f5:c"), ("exclude", "f6,f7")]),
        transform("Cast$Value", &[("spec", "f0:string,f1:int32,f8:float32")]),
        transform(
            "TimestampConverter$Value",
            &[("field", "f12"), ("target.type", "string"), ("format", "yyyy-MM-dd'T'HH:mm:ss.SSSX")],
        ),
        transform("MaskField$Value", &[("fields", "f10,f13")]),
    ]
}

fn values() -> Vec<Value> {
    (0..20i32)
        .map(|i| match i % 4 {
            0 if i == 12 => Value::Int64(1_700_000_000_000),
            0 => Value::Int64(i64::from(i) * 1000),
            1 => Value::Float64(f64::from(i) + 0.5),
            2 => format!("device-{i}").into(),
            _ => (i % 3 == 0).into(),
        })
        .collect()
}

fn record(value: Datum) -> Record {
    Record { partition: Some(0), timestamp: Some(1_700_000_000_000), value, ..Record::for_topic("readings") }
}

fn run(chain: &mut [Box<dyn Transform>], records: &mut [Record]) {
    for record in records {
        for transform in &mut *chain {
            black_box(transform.apply(record).unwrap());
        }
    }
}

fn chains(c: &mut Criterion<ProcessorTime>) {
    let names: Vec<Str> = (0..20).map(|i| format!("f{i}").into()).collect();
    let shape = Shape::new(names.clone());
    let types = [Type::Int64, Type::Float64, Type::String, Type::Boolean];
    let schema = names
        .iter()
        .enumerate()
        .fold(Schema::structure(), |schema, (i, name)| {
            schema.field(name.clone(), Schema::optional(types[i % 4]))
        })
        .build()
        .unwrap();
    let typed = record(Datum::new(schema.clone(), Struct::new(schema, values()).unwrap()));
    let schemaless = record(Datum::schemaless(Object::new(shape, values())));

    let mut group = c.benchmark_group("five transforms, 20 fields");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, given) in [("struct", typed), ("object", schemaless)] {
        let mut chain = chain();
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || vec![given.clone(); BATCH],
                |records| run(&mut chain, records),
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();

    let mut router = vec![transform("RegexRouter", &[("regex", "(.*)-(\\d+)"), ("replacement", "$1")])];
    let topics: Vec<Record> = (0..BATCH).map(|i| Record::for_topic(format!("readings-{}", i % 10))).collect();
    let mut group = c.benchmark_group("RegexRouter");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("ten topics in turn", |b| {
        b.iter_batched_ref(|| topics.clone(), |records| run(&mut router, records), BatchSize::LargeInput);
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(ProcessorTime);
    targets = chains
}
criterion_main!(benches);
