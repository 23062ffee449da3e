//! The transform.

use lavka_api::data::{Datum, Object, Record, Schema, ShapeTable, Struct, Type, Value};
use lavka_api::plugin::{Transform, Verdict};
use lavka_api::{Error, Result};

use crate::GeohashConfig;
use crate::encode::encode;

pub(crate) struct Geohash {
    config: GeohashConfig,
    precision: usize,
    /// Plans of the schemas seen last. A stream has one most of the time, or a few.
    plans: Vec<Plan>,
    /// Keeps the key lists of schemaless objects shared after a key was added.
    shapes: ShapeTable,
}

/// Bounds what a stream of ever new schemas costs.
const MOST_PLANS: usize = 16;

/// What is worked out once for a schema, and found again by comparing a pointer.
struct Plan {
    /// Kept, so that its address cannot come to mean another schema.
    from: Schema,
    /// `None` where a coordinate is missing: records of this schema are left alone.
    change: Option<Change>,
}

struct Change {
    to: Schema,
    latitude: usize,
    longitude: usize,
    /// Where a field of the new one's name was.
    replaced: Option<usize>,
}

impl Geohash {
    pub(crate) fn new(config: GeohashConfig) -> Self {
        let precision = usize::try_from(config.precision).unwrap_or(1);
        Self { config, precision, plans: Vec::new(), shapes: ShapeTable::new(1024) }
    }

    /// The place of the plan for records of `from`.
    fn plan_for(&mut self, from: &Schema) -> Result<usize> {
        if let Some(at) = self.plans.iter().position(|plan| plan.from.same(from)) {
            return Ok(at);
        }
        let plan = self.compile(from)?;
        if self.plans.len() == MOST_PLANS {
            self.plans.remove(0);
        }
        self.plans.push(plan);
        Ok(self.plans.len() - 1)
    }

    fn compile(&self, from: &Schema) -> Result<Plan> {
        let coordinates = from.index_of(&self.config.latitude).zip(from.index_of(&self.config.longitude));
        let change = coordinates.map(|(latitude, longitude)| {
            let name = &self.config.field;
            let to = from
                .to_builder()
                // A default is a struct of the old schema, and would not fit the new one.
                .default_value(None::<Value>)
                .retain_fields(|field| field.name() != name.as_str())
                .field(name.as_str(), Schema::optional(Type::String))
                .build()?;
            Ok::<_, Error>(Change { to, latitude, longitude, replaced: from.index_of(name) })
        });
        Ok(Plan { from: from.clone(), change: change.transpose()? })
    }

    fn apply_struct(&mut self, datum: &mut Datum) -> Result<()> {
        let Value::Struct(old) = &mut datum.value else { return Ok(()) };
        let at = self.plan_for(old.schema())?;
        let Some(change) = self.plans.get(at).and_then(|plan| plan.change.as_ref()) else { return Ok(()) };
        let at = |index: usize| old.values().get(index).unwrap_or(&Value::Null);
        // All that can fail comes before the first change: on an error the record has to be as it was.
        let geohash = geohash(&self.config, self.precision, at(change.latitude), at(change.longitude))?;
        let mut values = Vec::with_capacity(change.to.fields().len());
        for (index, value) in old.values_mut().iter_mut().enumerate() {
            if change.replaced != Some(index) {
                values.push(value.take());
            }
        }
        values.push(geohash);
        *datum = Datum::new(change.to.clone(), Struct::new(change.to.clone(), values)?);
        Ok(())
    }

    fn apply_object(&mut self, object: &mut Object) -> Result<()> {
        let coordinates = object.get(&self.config.latitude).zip(object.get(&self.config.longitude));
        let Some((latitude, longitude)) = coordinates else { return Ok(()) };
        let geohash = geohash(&self.config, self.precision, latitude, longitude)?;
        object.insert(&self.config.field, geohash, &mut self.shapes);
        Ok(())
    }
}

impl Transform for Geohash {
    fn apply(&mut self, record: &mut Record) -> Result<Verdict> {
        match &mut record.value {
            datum @ Datum { value: Value::Struct(_), .. } => self.apply_struct(datum)?,
            Datum { schema: None, value: Value::Object(object) } => self.apply_object(object)?,
            // Tombstones (null), a map whose schema leaves no room for text, and whatever has no fields pass.
            _ => {}
        }
        Ok(Verdict::Keep)
    }
}

/// The value of the new field.
fn geohash(config: &GeohashConfig, precision: usize, latitude: &Value, longitude: &Value) -> Result<Value> {
    let (Some(latitude), Some(longitude)) =
        (degrees(&config.latitude, latitude)?, degrees(&config.longitude, longitude)?)
    else {
        return Ok(Value::Null);
    };
    let hash = encode(latitude, longitude, precision).ok_or_else(|| {
        Error::data(format!(
            "latitude {latitude}, longitude {longitude} is no position: a latitude is from -90 to 90 \
                             degrees, a longitude from -180 to 180"
        ))
    })?;
    Ok(hash.into())
}

fn degrees(field: &str, value: &Value) -> Result<Option<f64>> {
    if value.is_null() {
        return Ok(None);
    }
    let degrees = value.as_f64();
    let refused =
        || Error::data(format!("the field '{field}' has to be a number, not {}", value.java_class()));
    degrees.map(Some).ok_or_else(refused)
}
