//! SenML packs (RFC 8428) of hostile devices: they have the right shape and wrong contents, which random bytes rarely do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails, fails its test"
)]

use lavka_api::data::{Blob, Value};
use lavka_converters::payload::{Format, PayloadDecoder};
use proptest::prelude::*;

/// When the pack came, in epoch milliseconds.
const RECEIVED: i64 = 1_790_000_000_000;

/// What becomes of a pack of `records`: an error, or as many readings at the most, in bounded memory.
fn check(format: Format, bytes: &[u8], records: usize) -> Result<(), TestCaseError> {
    let Ok(datum) = PayloadDecoder::new().decode(format, &Blob::from(bytes), RECEIVED) else { return Ok(()) };
    let Value::Array(readings) = &datum.value else { panic!("{datum:?}") };
    prop_assert!(readings.len() <= records, "{} of {records}", readings.len());
    // A name is a base name and a name, and the sum of all base names is not the product of their lengths.
    prop_assert!(datum.value.heap_size() <= 1024 + records * (bytes.len() + 1024));
    Ok(())
}

/// A member of a SenML record as JSON, with a value that may be of the wrong type or beyond all bounds.
fn member() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut", "other",
        "must_",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "0",
            "-0",
            "1",
            "-1",
            "1e308",
            "-1e308",
            "1e-308",
            "1e9999",
            "268435456",
            "-268435456",
            "1.5",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551616",
            "true",
            "false",
            "null",
            "[]",
            "{}",
            "\"\"",
            "\"x\"",
            "\"urn:dev:ow:10\"",
            "\"AA==\"",
            "\"AA\"",
            "\"%\"",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "[[[[]]]]",
            "99999999999999999999999999999999999999999999",
        ])
        .prop_map(str::to_owned),
        any::<f64>().prop_map(|number| format!("{number:e}")),
        "[a-zA-Z0-9:./_-]{0,40}".prop_map(|text| format!("\"{text}\"")),
    ];
    (name, value).prop_map(|(name, value)| format!("\"{name}\":{value}"))
}

/// The same as CBOR: a label, by number or by name, and an item.
fn entry() -> impl Strategy<Value = Vec<u8>> {
    let label = prop_oneof![
        (0u8..10),
        // Negative numbers: the base fields.
        0x20u8..0x28,
    ]
    .prop_map(|label| vec![label]);
    let named = prop::sample::select(vec!["bn", "v", "t", "must_"])
        .prop_map(|name| [&[0x60 | name.len() as u8], name.as_bytes()].concat());
    let item = prop_oneof![
        any::<f64>().prop_map(|number| [&[0xfb][..], &number.to_be_bytes()].concat()),
        any::<u16>().prop_map(|half| [&[0xf9][..], &half.to_be_bytes()].concat()),
        any::<u64>().prop_map(|number| [&[0x1b][..], &number.to_be_bytes()].concat()),
        any::<u64>().prop_map(|number| [&[0x3b][..], &number.to_be_bytes()].concat()),
        prop::collection::vec(any::<u8>(), 0..20)
            .prop_map(|bytes| [&[0x40 | bytes.len() as u8], &bytes[..]].concat()),
        "[ -~]{0,20}".prop_map(|text| [&[0x60 | text.len() as u8], text.as_bytes()].concat()),
        // true, null, undefined, an empty list and map, a decimal fraction, an open-ended text, something cut off.
        prop::sample::select(vec![
            vec![0xf5],
            vec![0xf6],
            vec![0xf7],
            vec![0x80],
            vec![0xa0],
            vec![0xc4, 0x82, 0x38, 0xff, 0x01],
            vec![0x7f, 0x61, b'x', 0xff],
            vec![0x5b, 0xff],
        ]),
    ];
    (prop_oneof![4 => label, 1 => named], item).prop_map(|(label, item)| [label, item].concat())
}

/// Mostly good records, and hostile ones among them: a pack is refused at the first that is wrong.
fn json_record() -> impl Strategy<Value = Vec<String>> {
    let good =
        [r#""bn":"urn:dev:ow:""#, r#""n":"10""#, r#""v":21.5"#, r#""t":-5"#].map(str::to_owned).to_vec();
    let nearly = (0..good.len(), member()).prop_map({
        let good = good.clone();
        move |(place, member)| {
            let mut record = good.clone();
            record[place] = member;
            record
        }
    });
    prop_oneof![6 => Just(good), 2 => nearly, 1 => prop::collection::vec(member(), 0..8)]
}

/// The same as CBOR.
fn cbor_record() -> impl Strategy<Value = Vec<Vec<u8>>> {
    // Base name "a", name "b", value 21, time -5.
    let good = [&[0x21, 0x61, b'a'][..], &[0, 0x61, b'b'], &[2, 21], &[6, 0x24]].map(<[u8]>::to_vec).to_vec();
    let nearly = (0..good.len(), entry()).prop_map({
        let good = good.clone();
        move |(place, entry)| {
            let mut record = good.clone();
            record[place] = entry;
            record
        }
    });
    prop_oneof![6 => Just(good), 2 => nearly, 1 => prop::collection::vec(entry(), 0..8)]
}

proptest! {
    #[test]
    fn json_packs(records in prop::collection::vec(json_record(), 0..12)) {
        let texts: Vec<String> = records.iter().map(|members| format!("{{{}}}", members.join(","))).collect();
        check(Format::SenmlJson, format!("[{}]", texts.join(",")).as_bytes(), records.len())?;
    }

    #[test]
    fn cbor_packs(records in prop::collection::vec(cbor_record(), 0..12)) {
        let mut bytes = vec![0x80 | records.len() as u8];
        for entries in &records {
            bytes.push(0xa0 | entries.len() as u8);
            bytes.extend(entries.iter().flatten());
        }
        check(Format::SenmlCbor, &bytes, records.len())?;
    }

    /// What devices send by accident, and on purpose.
    #[test]
    fn any_bytes_in_any_format(bytes: Vec<u8>, text: String) {
        for format in Format::NAMES.map(|name| Format::named(name).unwrap()) {
            for payload in [bytes.as_slice(), text.as_bytes()] {
                let _ = PayloadDecoder::new().decode(format, &Blob::from(payload), RECEIVED);
            }
        }
    }
}
