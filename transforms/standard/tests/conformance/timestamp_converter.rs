use lavka_api::data::{Datum, Logical, Schema, SchemaBuilder, Type, Value};

use crate::harness::{
    Case, Keys, bare, fails, fails_with_data, gives, logical, map, of, record, refuses, run, sink, typed,
};

const NAME: &str = "TimestampConverter$Value";
const DAY: i64 = 86_400_000;
const UNIX: Keys<'static> = &[("target.type", "unix")];
const UNIX_OF_DATES: Keys<'static> = &[("target.type", "unix"), ("format", "yyyy-MM-dd")];
const TO_TIMESTAMP: Keys<'static> = &[("target.type", "Timestamp")];
const TS_TO_TIMESTAMP: Keys<'static> = &[("target.type", "Timestamp"), ("field", "ts")];

fn int(value: i64) -> Datum {
    bare(Value::Int64(value))
}

fn instant(ms: i64) -> Datum {
    bare(Value::Timestamp(ms))
}

/// S{ts} of rows TC16 and TC17.
fn ts(schema: Schema, value: Value) -> Datum {
    of(Schema::structure().field("ts", schema).build().unwrap(), vec![value])
}

fn int_or_0() -> Schema {
    Schema::builder(Type::Int64).optional().default_value(Value::Int64(0)).build().unwrap()
}

fn optional_timestamp() -> Schema {
    SchemaBuilder::logical(Logical::Timestamp).optional().build().unwrap()
}

pub(crate) fn table() -> Vec<Case> {
    const LONG: &str = "yyyy MM dd HH mm ss SSS z";
    let o = || ("o", Value::Int64(1));
    let o_only = || record([("o", Schema::of(Type::Int64), Value::Int64(1))]);
    let mut cases = vec![
        gives(
            "TC1",
            NAME,
            &[("target.type", "unix"), ("format", "yyyy-MM-dd'T'HH:mm:ss.SSSX")],
            bare("2023-01-02T03:04:05.678Z"),
            int(1_672_628_645_678),
        ),
        gives("TC2", NAME, UNIX_OF_DATES, bare("2023-13-45 junk"), int(1_707_868_800_000)),
        fails_with_data(
            "TC3",
            NAME,
            UNIX_OF_DATES,
            bare("x"),
            "Could not parse timestamp: value (x) does not match pattern (yyyy-MM-dd)",
        ),
        fails("TC4", NAME, UNIX, sink(bare("x")), "NullPointerException", "…"),
        gives(
            "TC5",
            NAME,
            &[("target.type", "Timestamp"), ("unix.precision", "microseconds")],
            int(-1),
            instant(0),
        ),
        gives(
            "TC5",
            NAME,
            &[("target.type", "Timestamp"), ("unix.precision", "nanoseconds")],
            int(-1),
            instant(0),
        ),
        gives(
            "TC6",
            NAME,
            &[("target.type", "Timestamp"), ("unix.precision", "seconds")],
            int(1),
            instant(1000),
        ),
        fails_with_data(
            "TC7",
            NAME,
            TO_TIMESTAMP,
            bare(Value::Int32(5)),
            "TimestampConverter does not support class java.lang.Integer objects as timestamps",
        ),
        gives("TC8", NAME, &[("target.type", "Date")], instant(-1), instant(-DAY)),
        gives("TC9", NAME, &[("target.type", "Time")], instant(-1), instant(DAY - 1)),
        gives(
            "TC8, TC9: with a schema",
            NAME,
            &[("target.type", "Date")],
            logical(Logical::Timestamp, Value::Timestamp(-1)),
            logical(Logical::Date, Value::Date(-1)),
        ),
        gives(
            "TC10",
            NAME,
            &[("target.type", "unix"), ("unix.precision", "seconds")],
            instant(-1500),
            int(-1),
        ),
        gives(
            "TC11",
            NAME,
            &[("target.type", "unix"), ("unix.precision", "microseconds")],
            instant(86_401_234),
            int(86_401_234_000),
        ),
        gives(
            "TC12",
            NAME,
            &[("target.type", "string"), ("format", LONG)],
            instant(86_401_234),
            bare("1970 01 02 00 00 01 234 UTC"),
        ),
        gives(
            "TC13",
            NAME,
            &[("target.type", "unix"), ("field", "ts")],
            map([("ts", Value::Timestamp(5)), o()]),
            map([("ts", Value::Int64(5)), o()]),
        ),
        gives(
            "TC14",
            NAME,
            &[("target.type", "unix"), ("field", "zz")],
            map([o()]),
            map([o(), ("zz", Value::Null)]),
        ),
        gives("TC15", NAME, &[("target.type", "unix"), ("field", "zz")], o_only(), o_only()),
        gives(
            "TC16",
            NAME,
            TS_TO_TIMESTAMP,
            ts(int_or_0(), Value::Null),
            ts(optional_timestamp(), Value::Timestamp(0)),
        ),
        gives(
            "TC17",
            NAME,
            &[("target.type", "Timestamp"), ("field", "ts"), ("replace.null.with.default", "false")],
            ts(int_or_0(), Value::Null),
            ts(optional_timestamp(), Value::Null),
        ),
        gives(
            "TC18",
            NAME,
            UNIX,
            Datum::new(Schema::optional(Type::Int64), Value::Null),
            Datum::new(Schema::optional(Type::Int64), Value::Null),
        ),
        gives(
            "TC19",
            NAME,
            UNIX,
            logical(Logical::Date, Value::Date(1)),
            typed(Type::Int64, Value::Int64(DAY)),
        ),
        refuses(
            "TC20",
            NAME,
            &[("target.type", "x")],
            "Invalid value x for configuration target.type: String must be one of: string, unix, Date, Time, Timestamp",
        ),
        refuses(
            "TC20",
            NAME,
            &[("target.type", "string")],
            "TimestampConverter requires format option to be specified when using string timestamps",
        ),
        refuses(
            "TC20",
            NAME,
            &[("target.type", "unix"), ("format", "yyyy-MM-ddTHH")],
            "TimestampConverter requires a SimpleDateFormat-compatible pattern for string timestamps: yyyy-MM-ddTHH",
        ),
        refuses(
            "TC20",
            NAME,
            &[],
            "Missing required configuration \"target.type\" which has no default value.",
        ),
        refuses(
            "TC20",
            NAME,
            &[("target.type", "unix"), ("unix.precision", "invalid")],
            "Invalid value invalid for configuration unix.precision: String must be one of: nanoseconds, microseconds, \
             milliseconds, seconds",
        ),
        fails_with_data(
            "TC21",
            NAME,
            UNIX,
            map([]),
            "TimestampConverter does not support class java.util.HashMap objects as timestamps",
        ),
        fails_with_data(
            "TC21",
            NAME,
            UNIX,
            bare(true),
            "TimestampConverter does not support class java.lang.Boolean objects as timestamps",
        ),
        fails(
            "a schema that is of no time",
            NAME,
            UNIX,
            sink(Datum::new(Schema::optional(Type::Int32), Value::Null)),
            "ConnectException",
            "Schema Schema{INT32} does not correspond to a known timestamp type format",
        ),
        gives("null without a schema", NAME, TS_TO_TIMESTAMP, Datum::NULL, Datum::NULL),
        gives(
            "numbers end where 64 bits do",
            NAME,
            &[("target.type", "unix"), ("unix.precision", "nanoseconds")],
            instant(i64::MAX),
            int(i64::MAX),
        ),
    ];
    for (precision, result) in [
        ("microseconds", 86_401_234_000),
        ("nanoseconds", 86_401_234_000_000),
        ("seconds", 86_401),
        ("milliseconds", 86_401_234),
    ] {
        let keys: Keys<'static> = match precision {
            "microseconds" => {
                &[("target.type", "unix"), ("format", LONG), ("unix.precision", "microseconds")]
            }
            "nanoseconds" => &[("target.type", "unix"), ("format", LONG), ("unix.precision", "nanoseconds")],
            "seconds" => &[("target.type", "unix"), ("format", LONG), ("unix.precision", "seconds")],
            _ => &[("target.type", "unix"), ("format", LONG)],
        };
        cases.push(gives("TC22", NAME, keys, bare("1970 01 02 00 00 01 234 UTC"), int(result)));
    }
    cases.extend([with_a_default(), null_struct()]);
    cases
}

/// The default of a struct is converted with its schema.
fn with_a_default() -> Case {
    let fields =
        |ty| SchemaBuilder::field(Schema::structure().name("n").version(1), "ts", Schema::of(ty)).optional();
    let with_default = |ty, value: Value| {
        let default = of(fields(ty).build().unwrap(), vec![value]).value;
        fields(ty).default_value(default).build().unwrap()
    };
    let given = of(with_default(Type::Int64, Value::Int64(0)), vec![Value::Int64(DAY)]);
    let expected = of(with_default(Type::String, "1970-01-01".into()), vec!["1970-01-02".into()]);
    gives(
        "a struct with a default",
        NAME,
        &[("target.type", "string"), ("field", "ts"), ("format", "yyyy-MM-dd")],
        given,
        expected,
    )
}

fn null_struct() -> Case {
    let null = |schema| {
        let schema = Schema::structure().field("ts", schema).optional().build().unwrap();
        Datum::new(schema, Value::Null)
    };
    gives("a null struct", NAME, TS_TO_TIMESTAMP, null(int_or_0()), null(optional_timestamp()))
}

#[test]
fn rows() {
    run(table());
}
