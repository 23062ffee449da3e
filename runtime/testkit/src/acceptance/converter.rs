//! Rules on converters of keys and values.

use lavka_api::Result;
use lavka_api::config::Config;
use lavka_api::data::{Blob, Datum, Headers, Topic, Value};
use lavka_api::plugin::{Converter, ConverterRole, Factory, Plugin, Undecoded};
use tokio::runtime::Runtime;

use super::configuration::Subject;
use super::hostile;
use super::suite::{Report, Suite, panic_of};
use super::{PATIENCE, done};

/// What is in `out` before a converter appends to it.
const BEFORE: &[u8] = b"before";

/// The checks of a converter; see [the module](super).
#[must_use = "check() looks at the rules"]
pub struct ConverterAcceptance {
    subject: Subject,
    topic: Topic,
    /// What is encoded, and what comes back.
    samples: Vec<(Datum, Datum)>,
}

impl ConverterAcceptance {
    pub(super) fn new(plugin: Plugin) -> Self {
        Self { subject: Subject::new(plugin), topic: Topic::from("acceptance"), samples: Vec::new() }
    }

    /// A configuration that works, without the prefix that it has in a worker's or connector's. `converter.type` is
    /// added, as the worker does.
    pub fn config(mut self, config: impl Into<Config>) -> Self {
        self.subject.sample = config.into();
        self
    }

    /// A value of the sample that the factory refuses, by an error that names the key.
    pub fn refuses(mut self, key: &str, value: &str) -> Self {
        self.subject.refused.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Data that comes back as it was.
    pub fn keeps(self, datum: Datum) -> Self {
        self.changes(datum.clone(), datum)
    }

    /// Data that comes back as something else: without its schema, as another type.
    pub fn changes(mut self, datum: Datum, back: Datum) -> Self {
        self.samples.push((datum, back));
        self
    }

    fn make(&self, role: ConverterRole) -> Result<Box<dyn Converter>, String> {
        let Factory::Converter(make) = self.subject.plugin.factory else {
            return Err("this is no converter".into());
        };
        let mut config = self.subject.complete(&self.subject.sample);
        config.set("converter.type", if role == ConverterRole::Key { "key" } else { "value" });
        make(&config, role).map_err(|error| format!("it cannot be made of the sample: {error}"))
    }

    /// Looks at all rules.
    #[track_caller]
    pub fn check(self) -> Report {
        let mut suite = Suite::new(&self.subject.plugin);
        self.subject.look(&mut suite);
        suite.look("no bytes are a null", |runtime| self.nulls(runtime).err());
        suite.look("samples come back as said, behind what was there", |runtime| self.samples(runtime));
        suite.look("the same gives the same again", |runtime| self.stateless(runtime).err());
        suite.look("hostile bytes never panic", |runtime| self.hostile_bytes(runtime));
        suite.look("hostile data never panics", |runtime| self.hostile_data(runtime));
        suite.finish()
    }

    /// As the engine decodes a batch of one.
    fn decode(
        &self,
        runtime: &Runtime,
        converter: &mut dyn Converter,
        payload: Option<&Blob>,
    ) -> Result<Datum, String> {
        let undecoded = Undecoded { topic: &self.topic, payload, headers: &[] };
        runtime.block_on(done(PATIENCE, "prepare_decode", converter.prepare_decode(&[undecoded])))?;
        converter.decode_record(&undecoded).map_err(|error| format!("decode failed: {error}"))
    }

    /// As the engine encodes a batch of one; what was appended, or none.
    fn encode(
        &self,
        runtime: &Runtime,
        converter: &mut dyn Converter,
        datum: &Datum,
    ) -> Result<Option<Vec<u8>>, String> {
        runtime.block_on(done(
            PATIENCE,
            "prepare_encode",
            converter.prepare_encode(&[(&self.topic, datum)]),
        ))?;
        let mut out = BEFORE.to_vec();
        let (mut headers, schema) = (Headers::new(), datum.schema.as_ref());
        let wrote = converter
            .encode(&self.topic, &mut headers, schema, &datum.value, &mut out)
            .map_err(|error| format!("encode failed: {error}"))?;
        let Some(appended) = out.strip_prefix(BEFORE) else {
            return Err("encode has to append, and changed what was there".into());
        };
        match (wrote, appended) {
            (true, bytes) => Ok(Some(bytes.to_vec())),
            (false, []) => Ok(None),
            (false, bytes) => Err(format!("encode says null bytes, and appended {}", bytes.len())),
        }
    }

    fn nulls(&self, runtime: &Runtime) -> Result<(), String> {
        for role in [ConverterRole::Key, ConverterRole::Value] {
            let mut converter = self.make(role)?;
            let datum = self.decode(runtime, &mut *converter, None)?;
            if !datum.is_null() {
                return Err(format!("no bytes become {datum:?}"));
            }
            if let Some(bytes) = self.encode(runtime, &mut *converter, &Datum::NULL)? {
                return Err(format!("a null without a schema becomes {} bytes", bytes.len()));
            }
        }
        Ok(())
    }

    fn samples(&self, runtime: &Runtime) -> Vec<String> {
        if self.samples.is_empty() {
            return vec!["there is no sample: name one by keeps()".into()];
        }
        let one = |(datum, back): &(Datum, Datum)| -> Result<(), String> {
            for role in [ConverterRole::Key, ConverterRole::Value] {
                let mut converter = self.make(role)?;
                let bytes = self.encode(runtime, &mut *converter, datum)?.map(Blob::from);
                let decoded = self.decode(runtime, &mut *converter, bytes.as_ref())?;
                if format!("{decoded:?}") != format!("{back:?}") {
                    return Err(format!("{datum:?} comes back as {decoded:?}, and not as {back:?}"));
                }
            }
            Ok(())
        };
        self.samples.iter().filter_map(|sample| one(sample).err()).collect()
    }

    fn stateless(&self, runtime: &Runtime) -> Result<(), String> {
        let mut experienced = self.make(ConverterRole::Value)?;
        let first: Vec<_> =
            self.samples.iter().map(|(datum, _)| self.encode(runtime, &mut *experienced, datum)).collect();
        for datum in hostile::data() {
            // What fails leaves nothing behind either.
            let _ = self.encode(runtime, &mut *experienced, &datum);
        }
        for ((datum, _), first) in self.samples.iter().zip(first) {
            let again = self.encode(runtime, &mut *experienced, datum);
            if again != first {
                return Err(format!("{datum:?} becomes {first:?} at first, and {again:?} after others"));
            }
        }
        Ok(())
    }

    fn hostile_bytes(&self, runtime: &Runtime) -> Vec<String> {
        // Whole encodings, cut off and with each of the first bytes changed.
        let mut payloads = hostile::bytes();
        if let Ok(mut converter) = self.make(ConverterRole::Value) {
            for (datum, _) in &self.samples {
                let Ok(Some(bytes)) = self.encode(runtime, &mut *converter, datum) else { continue };
                payloads
                    .extend((0..bytes.len().min(64)).map(|cut| bytes.iter().take(cut).copied().collect()));
                payloads.extend((0..bytes.len().min(64)).map(|at| {
                    let flip = |(index, byte): (usize, &u8)| if index == at { !byte } else { *byte };
                    bytes.iter().enumerate().map(flip).collect()
                }));
            }
        }
        self.hostile(&payloads, |converter, payload| {
            let _ = self.decode(runtime, converter, Some(&Blob::from(payload.as_slice())));
        })
    }

    fn hostile_data(&self, runtime: &Runtime) -> Vec<String> {
        self.hostile(&hostile::data(), |converter, datum| {
            let _ = self.encode(runtime, converter, datum);
            // A value that its schema does not describe at all.
            let lying = Datum { schema: datum.schema.clone(), value: Value::Int64(1) };
            let _ = self.encode(runtime, converter, &lying);
        })
    }

    fn hostile<T: std::fmt::Debug>(
        &self,
        inputs: &[T],
        work: impl Fn(&mut dyn Converter, &T),
    ) -> Vec<String> {
        let mut converter = self.make(ConverterRole::Value).ok();
        let one = |input: &T| {
            let panic = panic_of(|| {
                if let Some(converter) = &mut converter {
                    work(&mut **converter, input);
                }
            })?;
            converter = self.make(ConverterRole::Value).ok();
            let shown: String = format!("{input:?}").chars().take(200).collect();
            Some(format!("{panic}, by {shown}"))
        };
        inputs.iter().filter_map(one).collect()
    }
}
