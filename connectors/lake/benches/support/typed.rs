//! The way by hand: a struct, a builder for each field, the arrow writer.

use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use lavka_api::data::Blob;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};

/// Rows of an Arrow batch, as many as the sink collects.
const BATCH_ROWS: usize = 8192;

/// A reading: eight doubles, six integers, four texts, two booleans, as sensors send them.
#[derive(Serialize, Deserialize)]
pub(crate) struct Reading {
    device: String,
    site: String,
    status: String,
    message: String,
    sequence: i64,
    time: i64,
    firmware: i64,
    uptime: i64,
    restarts: i64,
    battery: i64,
    temperature: Option<f64>,
    humidity: f64,
    pressure: f64,
    vibration_x: f64,
    vibration_y: f64,
    vibration_z: f64,
    current: f64,
    voltage: f64,
    online: bool,
    alarm: bool,
}

/// A fixed pseudo-random number below `limit` (SplitMix64), for data that neither repeat nor compress unnaturally.
fn noise(seed: u32, salt: u64, limit: u32) -> u32 {
    let mut z = (u64::from(seed) ^ (salt << 32)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    u32::try_from((z ^ (z >> 31)) % u64::from(limit)).unwrap_or(0)
}

impl Reading {
    /// The reading number `i`.
    pub(crate) fn sample(i: u32) -> Self {
        let tenths = |salt, limit| f64::from(noise(i, salt, limit)) / 10.0;
        let fine = |salt| f64::from(noise(i, salt, u32::MAX)) / f64::from(u32::MAX);
        Self {
            device: format!("device-{:04}", noise(i, 1, 300)),
            site: ["prague", "brno", "ostrava"][(i % 3) as usize].into(),
            status: if noise(i, 2, 50) == 0 { "degraded" } else { "ok" }.into(),
            message: format!("reading {i} of line {}, shift {}", noise(i, 3, 40), i % 4),
            sequence: i.into(),
            time: 1_700_000_000_000 + i64::from(i) * 37 + i64::from(noise(i, 4, 30)),
            firmware: 1_040_000 + i64::from(noise(i, 5, 4)),
            uptime: i64::from(noise(i, 6, 10_000_000)),
            restarts: noise(i, 7, 5).into(),
            battery: noise(i, 8, 101).into(),
            temperature: (noise(i, 9, 10) > 0).then(|| 15.0 + tenths(10, 200)),
            humidity: tenths(11, 1000),
            pressure: 950.0 + tenths(12, 1000),
            vibration_x: fine(13),
            vibration_y: fine(14),
            vibration_z: fine(15),
            current: fine(16) * 16.0,
            voltage: 220.0 + tenths(17, 200),
            online: noise(i, 18, 100) > 0,
            alarm: noise(i, 19, 1000) == 0,
        }
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("nothing in it that JSON cannot say")
    }
}

#[derive(Default)]
struct Columns {
    texts: [StringBuilder; 4],
    integers: [Int64Builder; 6],
    doubles: [Float64Builder; 8],
    flags: [BooleanBuilder; 2],
}

impl Columns {
    fn append(&mut self, reading: &Reading) {
        let r = reading;
        for (column, text) in self.texts.iter_mut().zip([&r.device, &r.site, &r.status, &r.message]) {
            column.append_value(text);
        }
        let integers = [r.sequence, r.time, r.firmware, r.uptime, r.restarts, r.battery];
        for (column, number) in self.integers.iter_mut().zip(integers) {
            column.append_value(number);
        }
        let doubles = [
            r.temperature,
            Some(r.humidity),
            Some(r.pressure),
            Some(r.vibration_x),
            Some(r.vibration_y),
            Some(r.vibration_z),
            Some(r.current),
            Some(r.voltage),
        ];
        for (column, number) in self.doubles.iter_mut().zip(doubles) {
            column.append_option(number);
        }
        for (column, flag) in self.flags.iter_mut().zip([r.online, r.alarm]) {
            column.append_value(flag);
        }
    }

    fn finish(&mut self, schema: &Arc<Schema>) -> RecordBatch {
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(20);
        arrays.extend(self.texts.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        arrays.extend(self.integers.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        arrays.extend(self.doubles.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        arrays.extend(self.flags.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef));
        RecordBatch::try_new(Arc::clone(schema), arrays).expect("columns of the schema")
    }
}

fn schema() -> Arc<Schema> {
    let names = "device site status message sequence time firmware uptime restarts battery temperature humidity \
                 pressure vibration_x vibration_y vibration_z current voltage online alarm";
    let types = [(DataType::Utf8, 4), (DataType::Int64, 6), (DataType::Float64, 8), (DataType::Boolean, 2)];
    let types = types.into_iter().flat_map(|(ty, count)| std::iter::repeat_n(ty, count));
    let fields: Vec<Field> =
        names.split_whitespace().zip(types).map(|(name, ty)| Field::new(name, ty, true)).collect();
    Arc::new(Schema::new(fields))
}

/// Writes `texts` as one file, which is returned.
pub(crate) fn write(texts: &[Blob], codec: &str) -> Vec<u8> {
    let compression = match codec {
        "zstd" => Compression::ZSTD(ZstdLevel::try_new(1).expect("a level of zstd")),
        _ => Compression::SNAPPY,
    };
    let schema = schema();
    let properties = WriterProperties::builder().set_compression(compression).build();
    let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&schema), Some(properties));
    let mut writer = writer.expect("a schema that Parquet can express");
    let mut columns = Columns::default();
    for texts in texts.chunks(BATCH_ROWS) {
        for text in texts {
            columns.append(&serde_json::from_slice(text).expect("a reading"));
        }
        writer.write(&columns.finish(&schema)).expect("memory to write to");
    }
    writer.into_inner().expect("memory to write to")
}
