//! Gather, score, write.

use lavka_api::config::{Config, ConfigSpec};
use lavka_api::data::{Record, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};
use lavka_models::{Feature, FeatureBatch, Predictions, Scorer};

use crate::config::{Missing, ScoreConfig};
use crate::path::FieldPath;
use crate::target::{Target, unsupported};

/// The transform of one task.
pub(crate) struct Score {
    paths: Vec<FieldPath>,
    missing: Missing,
    target: Target,
    scorer: Box<dyn Scorer>,
    features: FeatureBatch,
    predictions: Predictions,
}

/// What gathering a record's features came to.
enum Gathered {
    /// The row that was filled.
    Row(usize),
    /// A feature is missing, and the predictions will be null.
    Unscored,
    /// A tombstone.
    Nothing,
}

impl Score {
    pub(crate) fn new(config: &Config) -> Result<Self> {
        let keys = ScoreConfig::from_config(config)?;
        let model = keys.load()?;
        let chosen = keys.selections(&*model)?;
        Ok(Self {
            paths: keys.feature_paths(model.inputs())?,
            missing: keys.missing(),
            target: Target::new(chosen, model.signature(), keys.output_to == "headers")?,
            scorer: model.scorer(),
            features: FeatureBatch::new(model.signature()),
            predictions: Predictions::new(model.signature()),
        })
    }

    fn gather(&mut self, record: &Record) -> Result<Gathered> {
        let value = &record.value.value;
        if value.is_null() {
            return Ok(Gathered::Nothing);
        }
        if !matches!(value, Value::Struct(_) | Value::Object(_)) {
            return Err(unsupported(value));
        }
        let row = self.features.push_row();
        for (column, path) in self.paths.iter_mut().enumerate() {
            let found = path.get(value).filter(|found| !found.is_null());
            let problem = match found.map(feature) {
                Some(Some(feature)) => match self.features.set(row, column, feature) {
                    Ok(()) => continue,
                    Err(error) => error.to_string(),
                },
                Some(None) => found.map_or_else(String::new, |found| {
                    format!("a value of {} is no feature", found.java_class())
                }),
                None => "it is missing".to_owned(),
            };
            match self.missing {
                Missing::Default(number) if number.is_nan() => {}
                Missing::Default(number) => {
                    self.features.set(row, column, Feature::Number(number)).map_err(|error| {
                        Error::data(format!("missing.default does not fit the feature '{path}': {error}"))
                    })?;
                }
                Missing::Null => {
                    self.features.pop_row();
                    return Ok(Gathered::Unscored);
                }
                Missing::Fail => {
                    let text = format!(
                        "The field '{path}' cannot be scored: {problem}. Correct it, or set 'missing' to null or default"
                    );
                    self.features.pop_row();
                    return Err(Error::data(text));
                }
            }
        }
        Ok(Gathered::Row(row))
    }

    fn finish(&mut self, record: &mut Record, gathered: &Gathered) -> Result<Verdict> {
        match gathered {
            Gathered::Nothing => {}
            Gathered::Unscored => self.target.write(record, None)?,
            Gathered::Row(row) => self.target.write(record, Some((&self.predictions, *row)))?,
        }
        Ok(Verdict::Keep)
    }

    fn run_model(&mut self) -> Result<()> {
        if self.features.rows() == 0 {
            return Ok(());
        }
        let scored = self.scorer.score(&self.features, &mut self.predictions);
        scored.map_err(|error| Error::data(format!("The model cannot score the record: {error}")))
    }
}

/// The value as a feature; `None` for what is no single value.
fn feature(value: &Value) -> Option<Feature<'_>> {
    Some(match value {
        Value::Boolean(v) => Feature::Bool(*v),
        Value::Int8(v) => Feature::Integer((*v).into()),
        Value::Int16(v) => Feature::Integer((*v).into()),
        Value::Int32(v) | Value::Date(v) | Value::Time(v) => Feature::Integer((*v).into()),
        Value::Int64(v) | Value::Timestamp(v) => Feature::Integer(*v),
        Value::Float32(v) => Feature::Number((*v).into()),
        Value::Float64(v) => Feature::Number(*v),
        Value::Decimal(v) => Feature::Number(v.to_f64()),
        Value::String(v) => Feature::Text(v),
        _ => return None,
    })
}

impl Transform for Score {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        self.features.clear();
        let gathered = self.gather(record)?;
        self.run_model()?;
        self.finish(record, &gathered)
    }

    fn apply_batch(&mut self, records: &mut [&mut Record]) -> Vec<Result<Verdict>> {
        self.features.clear();
        let gathered: Vec<Result<Gathered>> = records.iter().map(|record| self.gather(record)).collect();
        if self.run_model().is_err() {
            // One row is refused: find out which, record by record.
            return records.iter_mut().map(|record| self.apply(record)).collect();
        }
        records
            .iter_mut()
            .zip(gathered)
            .map(|(record, gathered)| gathered.and_then(|gathered| self.finish(record, &gathered)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use lavka_api::data::{Datum, Object, Schema, Struct, Type};

    use super::*;

    fn model(name: &str) -> String {
        format!("{}/../../tests/data/onnx/{name}.onnx", env!("CARGO_MANIFEST_DIR"))
    }

    /// Rows of a golden model, NaN where blank.
    fn rows(name: &str) -> Vec<Vec<f64>> {
        let path = model(name).replace(".onnx", ".rows.csv");
        let text = std::fs::read_to_string(path).unwrap();
        text.lines()
            .skip(1)
            .map(|line| line.split(',').map(|x| x.parse().unwrap_or(f64::NAN)).collect())
            .collect()
    }

    fn expected(name: &str, output: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(model(name).replace(".onnx", ".expected.json")).unwrap();
        let all: serde_json::Value = serde_json::from_str(&text).unwrap();
        let found = all["outputs"].as_array().unwrap().iter().find(|o| o["name"] == output).unwrap();
        found["data"].as_array().unwrap().clone()
    }

    fn score(entries: &[(&str, &str)]) -> Result<Score> {
        Score::new(&entries.iter().copied().collect())
    }

    fn object(row: &[f64]) -> Record {
        let values = row
            .iter()
            .enumerate()
            .map(|(i, x)| (format!("x{i}"), if x.is_nan() { Value::Null } else { Value::Float64(*x) }));
        let mut record = Record::for_topic("t");
        record.value = Datum::schemaless(Object::from_entries(values));
        record
    }

    fn structure(row: &[f64]) -> Record {
        let mut builder = Schema::structure().name("reading");
        for i in 0..row.len() {
            builder = builder.field(format!("x{i}"), Schema::optional(Type::Float64));
        }
        let schema = builder.build().unwrap();
        let values: Vec<Value> =
            row.iter().map(|x| if x.is_nan() { Value::Null } else { Value::Float64(*x) }).collect();
        let mut record = Record::for_topic("t");
        record.value = Datum::new(schema.clone(), Struct::new(schema, values).unwrap());
        record
    }

    fn float(value: Option<&Value>) -> f64 {
        match value {
            Some(Value::Float32(v)) => (*v).into(),
            Some(Value::Float64(v)) => *v,
            other => panic!("not a number: {other:?}"),
        }
    }

    fn field<'r>(record: &'r Record, name: &str) -> Option<&'r Value> {
        match &record.value.value {
            Value::Object(object) => object.get(name),
            Value::Struct(record) => record.get(name),
            _ => None,
        }
    }

    #[test]
    fn golden_values_come_out_of_structs_objects_and_batches() {
        let model = model("lgbm_binary");
        let config = [
            ("model", model.as_str()),
            ("missing", "default"),
            ("outputs", "label,probabilities[1]:p"),
            ("output.prefix", "score_"),
        ];
        let labels = expected("lgbm_binary", "label");
        let probabilities = expected("lgbm_binary", "probabilities");
        for make in [object, structure] {
            let mut alone: Vec<Record> = rows("lgbm_binary").iter().map(|row| make(row)).collect();
            let mut together = alone.clone();
            let mut transform = score(&config).unwrap();
            for (i, record) in alone.iter_mut().enumerate() {
                assert_eq!(transform.apply(record).unwrap(), Verdict::Keep);
                assert_eq!(field(record, "score_label").and_then(Value::as_i64), labels[i].as_i64());
                let wanted = probabilities[i][1].as_f64().unwrap();
                assert!((float(field(record, "score_p")) - wanted).abs() < 1e-5);
            }
            let mut batch: Vec<&mut Record> = together.iter_mut().collect();
            assert!(transform.apply_batch(&mut batch).iter().all(Result::is_ok));
            assert_eq!(alone, together);
        }
    }

    #[test]
    fn nested_features_and_headers() {
        let model = model("autoencoder");
        let features: Vec<String> = (0..20).map(|i| format!("x{i}:r.x{i}")).collect();
        let mut transform = score(&[
            ("model", &model),
            ("features", &features.join(",")),
            ("outputs", "mse:anomaly"),
            ("output.to", "headers"),
        ])
        .unwrap();
        let wanted = expected("autoencoder", "mse");
        for (row, wanted) in rows("autoencoder").iter().zip(wanted) {
            let inner = object(row).value.value;
            let mut record = Record::for_topic("t");
            record.value = Datum::schemaless(Object::from_entries([("r", inner)]));
            let before = record.value.clone();
            transform.apply(&mut record).unwrap();
            assert_eq!(record.value, before);
            let header = record.headers.last("anomaly").unwrap();
            assert!((float(Some(&header.value)) - wanted.as_f64().unwrap()).abs() < 1e-5);
        }
    }

    #[test]
    fn policies_for_missing_features() {
        let model = model("autoencoder");
        let broken = || {
            let mut record = object(&rows("autoencoder")[0]);
            if let Value::Object(object) = &mut record.value.value {
                object.values_mut()[3] = "warm".into();
            }
            record
        };
        let mut fail = score(&[("model", &model)]).unwrap();
        let mut record = broken();
        let error = fail.apply(&mut record).unwrap_err();
        assert!(error.message().is_some_and(|text| text.contains("'x3'")), "{error}");
        assert_eq!(record, broken());
        let mut good = object(&rows("autoencoder")[0]);
        let outcomes = fail.apply_batch(&mut [&mut record, &mut good]);
        assert!(outcomes[0].is_err() && outcomes[1].is_ok());
        assert!(field(&good, "mse").is_some());

        let mut null = score(&[("model", &model), ("missing", "null"), ("outputs", "mse")]).unwrap();
        null.apply(&mut record).unwrap();
        assert_eq!(field(&record, "mse"), Some(&Value::Null));

        let mut default =
            score(&[("model", &model), ("missing", "default"), ("missing.default", "0"), ("outputs", "mse")])
                .unwrap();
        let mut record = broken();
        default.apply(&mut record).unwrap();
        assert!(float(field(&record, "mse")) > 0.0);
    }

    #[test]
    fn tombstones_pass_and_other_values_are_refused() {
        let mut transform = score(&[("model", &model("autoencoder"))]).unwrap();
        let mut tombstone = Record::for_topic("t");
        assert_eq!(transform.apply(&mut tombstone).unwrap(), Verdict::Keep);
        assert!(tombstone.value.is_null());
        let mut text = Record::for_topic("t");
        text.value = Datum::schemaless("x");
        let error = transform.apply(&mut text).unwrap_err();
        assert!(error.message().is_some_and(|m| m.contains("found: java.lang.String")), "{error}");
    }

    #[test]
    fn mistakes_are_found_before_the_first_record() {
        let model = model("autoencoder");
        let message = |entries: &[(&str, &str)]| score(entries).err().unwrap().to_string();
        assert!(message(&[("model", "/no/such/model.onnx")]).contains("configuration model"));
        assert!(message(&[("model", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))]).contains("model"));
        let arity = message(&[("model", &model), ("features", "x0,x1")]);
        assert!(arity.contains("20 inputs") && arity.contains("x19"), "{arity}");
        let unknown = message(&[("model", &model), ("features", "temperature")]);
        assert!(unknown.contains("no input 'temperature'"), "{unknown}");
        let output = message(&[("model", &model), ("outputs", "msee")]);
        assert!(output.contains("msee") && output.contains("mse"), "{output}");
        let twice = message(&[("model", &model), ("outputs", "mse,mse")]);
        assert!(twice.contains("two predictions"), "{twice}");
    }
}
