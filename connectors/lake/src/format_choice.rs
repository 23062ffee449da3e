//! `format.class` and the keys of each format.

use std::sync::Arc;

use lavka_api::config::Config;
use lavka_api::data::Schema;
use lavka_avro::Mapping;
use lavka_converters::json::{DecimalFormat, WriteOptions};

use crate::config::LakeConfig;
use crate::format::{
    AvroCodec, AvroSettings, BloomFilters, Codec, Compression, FileFormat, Frame, LineKind, LineSettings,
    OrcSettings, ParquetSettings,
};
use crate::s3_dialect::S3Config;
use crate::settings::{Checked, size};

/// The sinks of these short names write Avro where no format is given.
const AVRO_BY_DEFAULT: [&str; 2] = ["HdfsSink", "Hdfs3Sink"];

/// The format of the files; `s3` is what the S3 sink has of its own, where this is one. `declared` is the schema of records without one, which Parquet asks for.
///
/// # Errors
/// The key that is wrong, and why.
pub(crate) fn format(
    keys: &LakeConfig,
    config: &Config,
    s3: Option<&S3Config>,
    declared: Option<Arc<Schema>>,
) -> Checked<FileFormat> {
    let class = match &keys.format_class {
        Some(class) => class.0.as_str(),
        None if AVRO_BY_DEFAULT.contains(&short_name(config)) => "Avro",
        None => "Parquet",
    };
    format_of_class(class, keys, s3, declared)
}

/// The last part of a format's class, without `Format`.
pub(crate) fn simple_name(class: &str) -> &str {
    let simple = class.rsplit('.').next().unwrap_or_default();
    simple.strip_suffix("Format").unwrap_or(simple)
}

/// The format of this class, see [`format`].
///
/// # Errors
/// The key that is wrong, and why.
pub(crate) fn format_of_class(
    class: &str,
    keys: &LakeConfig,
    s3: Option<&S3Config>,
    declared: Option<Arc<Schema>>,
) -> Checked<FileFormat> {
    let suffix = s3.and_then(S3Config::compression).map_or("", Compression::extension);
    let lines = |kind, extension: Option<&str>| LineSettings::new(kind, extension, suffix);
    let file = |settings| FileFormat::Lines(Arc::new(settings));
    match simple_name(class).to_ascii_lowercase().as_str() {
        "parquet" => Ok(FileFormat::Parquet(Arc::new(parquet(keys, s3.is_some(), declared)?))),
        "avro" => {
            Ok(FileFormat::Avro(Arc::new(AvroSettings { codec: avro_codec(keys)?, mapping: mapping(keys) })))
        }
        "json" => {
            let numeric = keys.json_decimal_format.eq_ignore_ascii_case("NUMERIC");
            let decimal_format = if numeric { DecimalFormat::Numeric } else { DecimalFormat::Base64 };
            Ok(file(lines(LineKind::Json(WriteOptions { decimal_format, ..WriteOptions::default() }), None)))
        }
        "csv" => Ok(file(lines(LineKind::Csv, None))),
        "string" => Ok(file(lines(LineKind::Text, None))),
        "bytearray" => {
            let separator = keys.bytearray_separator.as_deref().unwrap_or("\n");
            let frame = Frame::lines(separator.as_bytes());
            Ok(file(LineSettings { frame, ..lines(LineKind::Bytes, Some(extension(keys)?)) }))
        }
        // The S3 sink has no such format.
        "orc" if s3.is_none() => Ok(FileFormat::Orc(Arc::new(OrcSettings { declared }))),
        _ => Err((
            "format.class",
            "there is no such format; use Parquet, Orc, Avro, Json, Csv, String or ByteArray".into(),
        )),
    }
}

/// The shortest name under which the worker finds the connector that `config` is for.
pub(crate) fn short_name(config: &Config) -> &str {
    let class = config.get("connector.class").map_or("", str::trim);
    let simple = class.rsplit('.').next().unwrap_or(class);
    simple.strip_suffix("Connector").unwrap_or(simple)
}

fn extension(keys: &LakeConfig) -> Checked<&str> {
    let extension = keys.bytearray_extension.as_str();
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    // File names are read back with one extension.
    match extension.strip_prefix('.') {
        Some(name) if !name.is_empty() && name.chars().all(word) => Ok(extension),
        _ => {
            Err(("format.bytearray.extension", "it has to be a dot and letters or digits, as in .bin".into()))
        }
    }
}

pub(crate) fn mapping(keys: &LakeConfig) -> Mapping {
    Mapping {
        enhanced_avro_schema_support: keys.enhanced_avro_schema_support,
        connect_meta_data: keys.connect_meta_data,
        allow_optional_map_keys: keys.allow_optional_map_keys,
        ..Mapping::default()
    }
}

pub(crate) fn parquet(
    keys: &LakeConfig,
    names_codec: bool,
    declared: Option<Arc<Schema>>,
) -> Checked<ParquetSettings> {
    let codec = codec(keys)?;
    let named = match codec {
        _ if !names_codec => "",
        Codec::None => "",
        Codec::Snappy => ".snappy",
        Codec::Gzip => ".gz",
        Codec::Zstd(_) => ".zstd",
    };
    Ok(ParquetSettings {
        codec,
        extension: format!("{named}.parquet"),
        row_group_bytes: size(keys.row_group_bytes),
        page_bytes: size(keys.page_bytes),
        bloom_filters: BloomFilters {
            columns: keys.bloom_filter_columns.iter().filter(|name| !name.is_empty()).cloned().collect(),
            distinct: u64::try_from(keys.bloom_filter_distinct).unwrap_or(1),
        },
        declared,
        mapping: mapping(keys),
    })
}

fn codec(keys: &LakeConfig) -> Checked<Codec> {
    match keys.parquet_codec.to_ascii_lowercase().as_str() {
        "snappy" => Ok(Codec::Snappy),
        "zstd" => Ok(Codec::Zstd(keys.zstd_level)),
        "gzip" => Ok(Codec::Gzip),
        "none" | "uncompressed" => Ok(Codec::None),
        "lzo" | "brotli" | "lz4" | "lz4_raw" => {
            Err(("parquet.codec", "this codec is not in this build; use snappy, zstd, gzip or none".into()))
        }
        _ => Err(("parquet.codec", "there is no such codec; use snappy, zstd, gzip or none".into())),
    }
}

pub(crate) fn avro_codec(keys: &LakeConfig) -> Checked<AvroCodec> {
    let name = keys.avro_codec.as_deref().unwrap_or("null");
    AvroCodec::of(name)
        .ok_or_else(|| ("avro.codec", "there is no such codec; use null, deflate, snappy or bzip2".into()))
}

#[cfg(test)]
mod tests {
    use lavka_api::config::ConfigSpec as _;

    use super::*;

    #[test]
    fn the_hdfs_sinks_write_avro_by_default_under_each_of_their_names() {
        let chosen = |class: &str| {
            let config = Config::from([("connector.class", class), ("flush.size", "1")]);
            let keys = LakeConfig::from_config(&config).unwrap();
            format(&keys, &config, None, None).unwrap()
        };
        for class in [
            "io.confluent.connect.hdfs.HdfsSinkConnector",
            "io.confluent.connect.hdfs3.Hdfs3SinkConnector",
            "HdfsSinkConnector",
            "HdfsSink",
            "Hdfs3SinkConnector",
            " Hdfs3Sink ",
        ] {
            assert!(matches!(chosen(class), FileFormat::Avro(_)), "{class}");
        }
        for class in ["io.lavka.connect.lake.LakeSinkConnector", "LakeSink"] {
            assert!(matches!(chosen(class), FileFormat::Parquet(_)), "{class}");
        }
    }
}
