//! The configurations of Aiven's S3 sink: its keys, in the words of the lake sink.

use std::borrow::Cow;
use std::sync::Arc;

use lavka_api::config::{Check, Config, ConfigDef, ConfigSpec as _, Password, key};

use crate::config::{LakeConfig, add_ignored, add_unused};
use crate::envelope::{Envelope, OutputField, RowForm};
use crate::format::{
    AvroSettings, Codec, Compression, FileFormat, Frame, LineKind, LineSettings, ParquetSettings,
};
use crate::format_choice::{avro_codec, mapping, parquet, short_name};
use crate::name_template::{NameTemplate, Variables};
use crate::settings::Checked;
use crate::zone::Zone;

/// Its name.
pub(crate) const CLASS: &str = "io.aiven.kafka.connect.s3.AivenKafkaConnectS3SinkConnector";

const AWS: &str = "AWS";
const STS: &str = "AWS STS";
const GLOBAL_STS: &str = "https://sts.amazonaws.com";
const FILE: &str = "File";
const FORMAT: &str = "Format";
const TEMPLATE: &str = "{{topic}}-{{partition}}-{{start_offset}}";
const NAMESPACES: [&str; 2] =
    ["io.aiven.avro.output.schema.connector_records", "io.aiven.parquet.output.schema.connector_records"];

lavka_api::config! {
    /// The keys of Aiven's S3 sink. Those with underscores are its older names of others.
    pub(crate) struct AivenConfig {
        access_key: Password = key("aws.access.key.id").default("").group(AWS).display("AWS Access Key ID")
            .doc("The id of the account's key. Empty: AWS_ACCESS_KEY_ID, a web identity, or the instance's metadata."),
        secret_key: Password = key("aws.secret.access.key").default("").group(AWS).display("AWS Secret Access Key")
            .doc("The account's key."),
        bucket: Option<String> = key("aws.s3.bucket.name").high().group(AWS).display("AWS S3 Bucket name")
            .doc("The bucket; it has to be given."),
        endpoint: Option<String> = key("aws.s3.endpoint").low().group(AWS).display("AWS S3 endpoint")
            .doc("The URL of an S3 server, if that is not Amazon's; its buckets are then in the path of requests."),
        region: Option<String> = key("aws.s3.region").group(AWS).display("AWS S3 Region")
            .doc("The region of the bucket; us-east-1 where it is not given."),
        prefix: Option<String> = key("aws.s3.prefix").group(AWS).display("Prefix for stored objects")
            .doc("Older than file.name.template: what names begin with, before topic, partition and offset. It may have \
                  the variables topic, partition, start_offset, timestamp and utc_date."),
        sse_algorithm: Option<String> = key("aws.s3.sse.algorithm").group(AWS).recommend(&["AES256", "aws:kms"])
            .display("AWS S3 Server Side Encryption Algorithm")
            .doc("Encryption that S3 does: AES256 (which S3 does by itself) or aws:kms."),
        part_bytes: i32 = key("aws.s3.part.size.bytes").default(5_242_880).group(AWS)
            .check(Check::between(5_242_880, 2_000_000_000)).display("Part size")
            .doc("Bytes of a part of an upload; S3 takes none below 5 MiB."),
        backoff_ms: i64 = key("aws.s3.backoff.delay.ms").default(100).group(AWS).check(Check::at_least(1))
            .display("S3 retry backoff")
            .doc("Wait before a request is repeated; it doubles from one to the next."),
        retries: i32 = key("aws.s3.backoff.max.retries").default(3).group(AWS).check(Check::between(1, 30))
            .display("S3 retries")
            .doc("Times that a request is repeated before the batch waits for kafka.retry.backoff.ms."),
        retry_backoff_ms: i64 = key("kafka.retry.backoff.ms").default(5000).group(AWS).check(Check::at_least(0))
            .display("Retry backoff")
            .doc("Milliseconds to wait after a failure that may pass by itself."),
        role_arn: Option<String> = key("aws.sts.role.arn").group(STS).check(Check::non_empty()).display("AWS STS Role")
            .doc("A role that the account assumes: arn:aws:iam::<account>:role/<name>. It takes aws.sts.role.session.name."),
        role_session: Option<String> = key("aws.sts.role.session.name").group(STS).check(Check::non_empty())
            .display("AWS STS Session name").doc("How logs of AWS call those who have assumed the role."),
        role_seconds: i32 = key("aws.sts.role.session.duration").default(3600).group(STS)
            .check(Check::between(900, 43_200)).display("AWS STS Session duration")
            .doc("Seconds that the role's credentials count before new ones are asked for."),
        role_external_id: Option<String> = key("aws.sts.role.external.id").group(STS).check(Check::non_empty())
            .display("AWS STS External Id")
            .doc("What the owner of the role has agreed on with whoever assumes it."),
        sts_endpoint: String = key("aws.sts.config.endpoint").default(GLOBAL_STS).group(STS).check(Check::non_empty())
            .display("AWS STS Config Endpoint")
            .doc("The URL of the service that gives the role; another one than the global one takes aws.s3.region."),
        name_template: Option<String> = key("file.name.template").group(FILE).display("File name template")
            .doc("Names of objects, with the variables topic, partition (:padding=true), start_offset (:padding=true) and \
                  timestamp (:unit=yyyy, MM, dd or HH). Without it {{topic}}-{{partition}}-{{start_offset}}, with .avro and \
                  the extension of file.compression.type behind it where those are given."),
        name_prefix: String = key("file.name.prefix").default("").group(FILE).display("File name prefix")
            .doc("What names begin with, before file.name.template."),
        compression_type: Option<String> = key("file.compression.type").group(FILE)
            .check(Check::one_of_ignoring_case(&["none", "gzip", "snappy", "zstd"]))
            .recommend(&["none", "gzip", "snappy", "zstd"]).display("File compression type")
            .doc("Compression of files: none, gzip, snappy (as snappy-java frames it) or zstd. Without it gzip; Parquet, \
                  which compresses its pages, is not compressed then."),
        max_records: i32 = key("file.max.records").default(0).group(FILE).check(Check::at_least(0))
            .display("File max records")
            .doc("Records of a topic partition after which its files are finished. 0: no limit, so files are finished \
                  when offsets are committed, every offset.flush.interval.ms."),
        name_timezone: Option<String> = key("file.name.timestamp.timezone").low().group(FILE)
            .display("Time zone of names").doc("Time zone of timestamp in names; UTC where it is not given."),
        name_time: Option<String> = key("file.name.timestamp.source").low().group(FILE)
            .check(Check::one_of_ignoring_case(&["WALLCLOCK", "EVENT"])).recommend(&["WALLCLOCK", "EVENT"])
            .display("Timestamp source").doc("What timestamp in names is: WALLCLOCK, the time of writing, or EVENT, the \
                  record's."),
        output_type: String = key("format.output.type").default("csv").group(FORMAT)
            .check(Check::one_of_ignoring_case(&["avro", "csv", "json", "jsonl", "parquet"]))
            .recommend(&["avro", "csv", "json", "jsonl", "parquet"]).display("Output format")
            .doc("Format of files: csv, json (an array), jsonl, parquet or avro."),
        output_fields: Vec<String> = key("format.output.fields").default("").group(FORMAT)
            .recommend(&["key", "value", "offset", "timestamp", "headers"]).display("Output fields")
            .doc("What of a record is in a row: key, value, offset, timestamp, headers; value where it is not given."),
        value_encoding: String = key("format.output.fields.value.encoding").default("base64").group(FORMAT)
            .check(Check::one_of_ignoring_case(&["none", "base64"])).recommend(&["none", "base64"])
            .display("Value encoding").doc("How CSV has the bytes of values: base64, or none for as they are."),
        envelope: bool = key("format.output.envelope").default(true).group(FORMAT).display("Envelope")
            .doc("Whether a row has its fields by name; with false the only field of format.output.fields is the row."),
        state_dir: String = key("lavka.state.dir").default(".lavka").low().group(FILE).check(Check::non_empty())
            .display("State directory")
            .doc("Directory of the bucket for the log of commits and for unfinished objects, by which each record is \
                  written once."),
        old_access_key: Password = key("aws_access_key_id").default("").group(AWS).display("AWS Access Key ID")
            .doc("Older name of aws.access.key.id."),
        old_secret_key: Password = key("aws_secret_access_key").default("").group(AWS).display("AWS Secret Access Key")
            .doc("Older name of aws.secret.access.key."),
        old_bucket: Option<String> = key("aws_s3_bucket").group(AWS).display("AWS S3 Bucket name")
            .doc("Older name of aws.s3.bucket.name."),
        old_endpoint: Option<String> = key("aws_s3_endpoint").low().group(AWS).display("AWS S3 endpoint")
            .doc("Older name of aws.s3.endpoint."),
        old_region: Option<String> = key("aws_s3_region").group(AWS).display("AWS S3 Region")
            .doc("Older name of aws.s3.region."),
        old_prefix: Option<String> = key("aws_s3_prefix").group(AWS).display("Prefix for stored objects")
            .doc("Older name of aws.s3.prefix."),
        old_compression: Option<String> = key("output_compression").group(FILE)
            .check(Check::one_of_ignoring_case(&["none", "gzip"])).display("Output compression")
            .doc("Older name of file.compression.type."),
        old_fields: Vec<String> = key("output_fields").default("").group(FORMAT).display("Output fields")
            .doc("Older name of format.output.fields."),
        old_timezone: String = key("timestamp.timezone").default("Z").low().group(FILE).display("Time zone of prefixes")
            .doc("Time zone of timestamp in aws.s3.prefix."),
        old_time: String = key("timestamp.source").default("WALLCLOCK").low().group(FILE)
            .check(Check::one_of_ignoring_case(&["WALLCLOCK", "EVENT"])).display("Timestamp source of prefixes")
            .doc("What timestamp in aws.s3.prefix is: WALLCLOCK or EVENT."),
    }
}

/// Keys of features that are not here, with the values that are taken, and what to do instead.
const REFUSED: &[(&str, &[&str], &str)] = &[(
    "aws.credentials.provider",
    &[
        "com.amazonaws.auth.DefaultAWSCredentialsProviderChain",
        "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
    ],
    "classes of Java cannot be run; use aws.access.key.id, the environment, a web identity or the instance's role",
)];

/// Keys without effect: name, default, why.
const IGNORED: &[(&str, &str, &str)] = &[
    ("aws.s3.backoff.max.delay.ms", "20000", "Waits between repetitions end at 15 seconds."),
    ("aws.s3.fetch.page.size", "10", "It is for the source."),
    ("aws.s3.fetch.buffer.size", "1000", "It is for the source."),
    ("file.prefix.template", "", "It is for other connectors; use file.name.prefix."),
];

/// Keys of the lake sink that this one has as well.
fn is_shared(name: &str) -> bool {
    const SHARED: [&str; 4] =
        ["avro.codec", "enhanced.avro.schema.support", "connect.meta.data", "allow.optional.map.keys"];
    SHARED.contains(&name) || (name.starts_with("lavka.") && name != "lavka.schema")
}

/// Whether `config` is one of Aiven's S3 sink.
pub(crate) fn is_meant(config: &Config) -> bool {
    short_name(config) == "AivenKafkaConnectS3Sink"
}

/// The keys of Aiven's S3 sink.
pub(crate) fn definition() -> ConfigDef {
    let mut definition = ConfigDef::default();
    AivenConfig::definition().iter().for_each(|key| definition.add(key.clone()));
    let lake = LakeConfig::definition();
    lake.iter().filter(|key| is_shared(&key.name)).for_each(|key| definition.add(key.clone()));
    for (name, taken, remedy) in REFUSED {
        let only = taken.first().map_or("nothing".into(), |taken| format!("{taken} alone"));
        add_unused(&mut definition, name, "", AWS, &format!("Takes {only}: {remedy}."));
    }
    IGNORED.iter().for_each(|key| add_ignored(&mut definition, key));
    definition
}

/// The configuration in the lake sink's words, where it is one of Aiven's S3 sink; others stay as they are.
///
/// # Errors
/// The key at fault, and why.
pub(crate) fn translated(config: &Config) -> Checked<Cow<'_, Config>> {
    if !is_meant(config) {
        return Ok(Cow::Borrowed(config));
    }
    for (name, taken, remedy) in REFUSED {
        let given = config.get(name).unwrap_or_default().trim();
        if !given.is_empty() && !taken.contains(&given) {
            return Err((name, format!("this is not in this build; {remedy}")));
        }
    }
    let keys = read(config)?;
    let text = |new: &Option<String>, old: &Option<String>| {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        given(new).or_else(|| given(old))
    };
    let secret =
        |new: &Password, old: &Password| if new.reveal().is_empty() { old.clone() } else { new.clone() };
    let Some(bucket) = text(&keys.bucket, &keys.old_bucket) else {
        let text = "Neither aws.s3.bucket.name nor aws_s3_bucket properties have been set";
        return Err(("aws.s3.bucket.name", text.into()));
    };
    let mut words = config.clone();
    let rows = if keys.max_records == 0 { i32::MAX } else { keys.max_records };
    let endpoint = text(&keys.endpoint, &keys.old_endpoint).unwrap_or_default();
    words.set("s3.path.style.access.enabled", (!endpoint.is_empty()).to_string());
    words.set("store.url", endpoint);
    words.set("s3.bucket.name", bucket);
    words.set("s3.region", text(&keys.region, &keys.old_region).unwrap_or_else(|| "us-east-1".into()));
    words.set("aws.access.key.id", secret(&keys.access_key, &keys.old_access_key).reveal());
    words.set("aws.secret.access.key", secret(&keys.secret_key, &keys.old_secret_key).reveal());
    // As there, a role without the name of a session is none.
    if let (Some(arn), Some(session)) = (&keys.role_arn, &keys.role_session) {
        let region = text(&keys.region, &keys.old_region);
        if keys.sts_endpoint != GLOBAL_STS && region.is_none() {
            let text = "aws.s3.region should be specified together with aws.sts.config.endpoint";
            return Err(("aws.sts.config.endpoint", text.into()));
        }
        words.set("s3.credentials.provider.sts.role.arn", arn);
        words.set("s3.credentials.provider.sts.role.session.name", session);
        words.set(
            "s3.credentials.provider.sts.role.external.id",
            keys.role_external_id.clone().unwrap_or_default(),
        );
        words.set("s3.credentials.provider.sts.region", region.unwrap_or_default());
        words.set("lavka.sts.endpoint", keys.sts_endpoint.clone());
        words.set("lavka.sts.session.seconds", keys.role_seconds.to_string());
    }
    words.set("s3.ssea.name", keys.sse_algorithm.clone().unwrap_or_default());
    words.set("s3.part.size", keys.part_bytes.to_string());
    words.set("s3.part.retries", keys.retries.to_string());
    words.set("s3.retry.backoff.ms", keys.backoff_ms.to_string());
    words.set("retry.backoff.ms", keys.retry_backoff_ms.to_string());
    words.set("flush.size", rows.to_string());
    words.set("topics.dir", keys.state_dir.clone());
    words.set("logs.dir", format!("{}/logs", keys.state_dir.trim_end_matches('/')));
    Ok(Cow::Owned(words))
}

/// What the lake sink's keys have no words for.
#[derive(Debug)]
pub(crate) struct Aiven {
    pub(crate) format: FileFormat,
    pub(crate) compression: Option<Compression>,
    pub(crate) envelope: Envelope,
    pub(crate) names: TemplateNames,
}

/// How objects are called.
#[derive(Debug, Clone)]
pub(crate) struct TemplateNames {
    pub(crate) template: NameTemplate,
    pub(crate) zone: Zone,
    /// Whether times in names are the records'.
    pub(crate) by_event: bool,
    /// Whether the first record since a commit says what all its files are called, so that there is one file.
    pub(crate) one_file: bool,
}

fn read(config: &Config) -> Checked<AivenConfig> {
    AivenConfig::from_config(config).map_err(|error| ("aws.s3.bucket.name", error.to_string()))
}

/// What `config` says besides what [`translated`] has; `keys` are the translated ones.
///
/// # Errors
/// The key at fault, and why.
pub(crate) fn aiven(keys: &LakeConfig, config: &Config) -> Checked<Option<Aiven>> {
    if !is_meant(config) {
        return Ok(None);
    }
    let own = read(config)?;
    let compression_type = own.compression_type.as_deref();
    let compression = compression(compression_type.or(own.old_compression.as_deref()).unwrap_or("gzip"));
    let fields = fields(&own)?;
    let unwrapped = !own.envelope;
    if unwrapped && fields.len() != 1 {
        let text = "When format.output.envelope is false, format.output.fields must contain only one field";
        return Err(("format.output.envelope", text.into()));
    }
    let base64 = !own.value_encoding.eq_ignore_ascii_case("none");
    let kind = own.output_type.to_ascii_lowercase();
    let lines = |frame| {
        let kind = LineKind::Bytes;
        FileFormat::Lines(Arc::new(LineSettings { kind, frame, extension: String::new() }))
    };
    let (format, form) = match kind.as_str() {
        "json" => {
            let frame = Frame { begin: b"[\n", between: b",\n", end: b"\n]", ..Frame::default() };
            (lines(frame), RowForm::Json)
        }
        "jsonl" => (lines(Frame { between: b"\n", ..Frame::default() }), RowForm::Json),
        "avro" => {
            let settings = AvroSettings { codec: avro_codec(keys)?, mapping: mapping(keys) };
            (FileFormat::Avro(Arc::new(settings)), RowForm::Typed(NAMESPACES[0]))
        }
        "parquet" => {
            let codec = match compression_type.and_then(self::compression) {
                None => Codec::None,
                Some(Compression::Gzip(_)) => Codec::Gzip,
                Some(Compression::Snappy) => Codec::Snappy,
                Some(Compression::Zstd) => Codec::Zstd(keys.zstd_level),
            };
            let settings = ParquetSettings { codec, extension: String::new(), ..parquet(keys, false, None)? };
            (FileFormat::Parquet(Arc::new(settings)), RowForm::Typed(NAMESPACES[1]))
        }
        _ => (lines(Frame { between: b"\n", ..Frame::default() }), RowForm::Plain { base64 }),
    };
    let names = names(&own, compression, kind == "avro")?;
    let compression = compression.filter(|_| kind != "parquet");
    Ok(Some(Aiven { format, compression, envelope: Envelope { fields, form, unwrapped }, names }))
}

fn compression(name: &str) -> Option<Compression> {
    /// zlib's own default, which Java's has as well.
    const USUAL: u32 = 6;
    match name.to_ascii_lowercase().as_str() {
        "gzip" => Some(Compression::Gzip(USUAL)),
        "snappy" => Some(Compression::Snappy),
        "zstd" => Some(Compression::Zstd),
        _ => None,
    }
}

fn fields(own: &AivenConfig) -> Checked<Vec<OutputField>> {
    let given = |names: &[String]| -> Vec<String> {
        names.iter().map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty()).collect()
    };
    let (key, mut names) = ("format.output.fields", given(&own.output_fields));
    let (key, mut names) = if names.is_empty() {
        ("output_fields", given(&own.old_fields))
    } else {
        (key, std::mem::take(&mut names))
    };
    if names.is_empty() {
        names.push("value".into());
    }
    let mut fields = Vec::with_capacity(names.len());
    for name in names {
        let found = OutputField::ALL.into_iter().find(|field| field.name() == name);
        let Some(field) = found else {
            let text = format!("there is no field {name}; use key, value, offset, timestamp and headers");
            return Err((key, text));
        };
        if fields.contains(&field) {
            return Err((key, format!("{name} is there twice")));
        }
        fields.push(field);
    }
    Ok(fields)
}

fn names(own: &AivenConfig, compression: Option<Compression>, is_avro: bool) -> Checked<TemplateNames> {
    let zone = |key: &'static str, id: &str| {
        Zone::parse(id)
            .ok_or_else(|| (key, "there is no such time zone; use UTC, Europe/Prague or +02:00".to_owned()))
    };
    let prefix = [("aws.s3.prefix", &own.prefix), ("aws_s3_prefix", &own.old_prefix)];
    let format = if is_avro { ".avro" } else { "" };
    if let Some((key, prefix)) = prefix.into_iter().find_map(|(key, prefix)| Some((key, prefix.as_deref()?)))
    {
        let compression = compression.map_or("", Compression::extension);
        let behind =
            format!("{{{{topic}}}}-{{{{partition}}}}-{{{{start_offset:padding=true}}}}{format}{compression}");
        let behind = NameTemplate::parse(&behind, Variables::Name).map_err(|detail| (key, detail))?;
        let prefix = NameTemplate::parse(prefix, Variables::Prefix).map_err(|detail| (key, detail))?;
        return Ok(TemplateNames {
            template: prefix.followed_by(behind),
            zone: zone("timestamp.timezone", &own.old_timezone)?,
            by_event: own.old_time.eq_ignore_ascii_case("EVENT"),
            one_file: true,
        });
    }
    let template = match &own.name_template {
        Some(template) => template.clone(),
        // The Java sink leaves the extension out where gzip is its own choice.
        None => {
            let given = own.compression_type.as_deref().and_then(self::compression);
            format!("{TEMPLATE}{format}{}", given.map_or("", Compression::extension))
        }
    };
    let prefix = NameTemplate::parse(&own.name_prefix, Variables::Prefix);
    let prefix = prefix.map_err(|detail| ("file.name.prefix", detail))?;
    let template = NameTemplate::parse(&template, Variables::Name);
    let template = template.map_err(|detail| ("file.name.template", detail))?;
    Ok(TemplateNames {
        template: prefix.followed_by(template),
        zone: zone("file.name.timestamp.timezone", own.name_timezone.as_deref().unwrap_or("Z"))?,
        by_event: own.name_time.as_deref().is_some_and(|source| source.eq_ignore_ascii_case("EVENT")),
        one_file: false,
    })
}
