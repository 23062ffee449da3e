//! Where predictions go.

use lavka_api::data::{Datum, Object, Record, Schema, Shape, ShapeTable, Str, Struct, Type, Value};
use lavka_api::error::exception;
use lavka_api::{Error, Result};
use lavka_models::{ElementType, Prediction, Predictions, Selection, Signature};

/// Input schemas, and shapes, whose plans are kept.
const PLANS: usize = 16;
/// Key transitions that shared output shapes may take.
const SHAPES: usize = 4096;

/// One prediction to add.
struct Output {
    selection: Selection,
    name: Str,
    /// Values: 1, or as many as the output has.
    width: usize,
    schema: Schema,
}

/// Adds predictions to records.
pub(crate) struct Target {
    outputs: Vec<Output>,
    headers: bool,
    structs: Vec<(Schema, Schema)>,
    objects: Vec<(Shape, Shape, Vec<usize>)>,
    shapes: ShapeTable,
}

impl Target {
    pub(crate) fn new(
        chosen: Vec<(Selection, String)>,
        signature: &Signature,
        headers: bool,
    ) -> Result<Self> {
        let mut outputs = Vec::with_capacity(chosen.len());
        for (selection, name) in chosen {
            let Some(spec) = signature.outputs().get(selection.output) else { continue };
            let ty = match spec.element {
                ElementType::Float32 => Type::Float32,
                ElementType::Float64 => Type::Float64,
                ElementType::Bool => Type::Boolean,
                ElementType::String => Type::String,
                _ => Type::Int64,
            };
            let width = if selection.column.is_some() { 1 } else { spec.width };
            let schema = if width == 1 {
                Schema::optional(ty)
            } else {
                Schema::array(Schema::optional(ty)).to_builder().optional().build()?
            };
            outputs.push(Output { selection, name: name.into(), width, schema });
        }
        Ok(Self {
            outputs,
            headers,
            structs: Vec::new(),
            objects: Vec::new(),
            shapes: ShapeTable::new(SHAPES),
        })
    }

    /// Adds the predictions of `row`, or nulls where the record was not scored.
    ///
    /// # Errors
    /// A data error where the value is neither a struct nor a map, or has a field of an output's name already (structs
    /// only: the schemaless field is overwritten, as `InsertField` does).
    pub(crate) fn write(&mut self, record: &mut Record, scored: Option<(&Predictions, usize)>) -> Result<()> {
        let values = self.outputs.iter().map(|output| output.value(scored));
        if self.headers {
            let headers: Vec<_> = self
                .outputs
                .iter()
                .zip(values)
                .map(|(o, value)| (o.name.clone(), o.schema.clone(), value))
                .collect();
            for (name, schema, value) in headers {
                record.headers.add(name, Datum::new(schema, value));
            }
            return Ok(());
        }
        let values: Vec<Value> = values.collect();
        match &record.value.value {
            Value::Struct(input) => {
                let schema = self.struct_schema(&input.schema().clone())?;
                if let Value::Struct(input) = record.value.value.take() {
                    let mut all = input.into_values().into_vec();
                    all.extend(values);
                    record.value = Datum::new(schema.clone(), Struct::new(schema, all)?);
                }
                Ok(())
            }
            Value::Object(input) => {
                let (shape, places) = self.object_plan(&input.shape().clone());
                if let Value::Object(input) = record.value.value.take() {
                    let mut all = input.into_parts().1.into_vec();
                    all.resize(shape.len(), Value::Null);
                    for (place, value) in places.iter().zip(values) {
                        if let Some(slot) = all.get_mut(*place) {
                            *slot = value;
                        }
                    }
                    record.value.value = Object::new(shape, all).into();
                }
                Ok(())
            }
            other => Err(unsupported(other)),
        }
    }

    fn struct_schema(&mut self, input: &Schema) -> Result<Schema> {
        if let Some((_, output)) = self.structs.iter().find(|(seen, _)| seen.same(input)) {
            return Ok(output.clone());
        }
        let mut builder = Schema::structure().basics_of(input);
        for field in input.fields() {
            builder = builder.field(field.name().clone(), field.schema().clone());
        }
        for output in &self.outputs {
            builder = builder.field(output.name.clone(), output.schema.clone());
        }
        let output = builder.build().map_err(|error| {
            let hint = "Score adds fields; set output.prefix or rename them in 'outputs'";
            error.wrapped_in(exception::DATA, hint)
        })?;
        if self.structs.len() >= PLANS {
            self.structs.remove(0);
        }
        self.structs.push((input.clone(), output.clone()));
        Ok(output)
    }

    /// The output shape, and the place of each prediction in it.
    fn object_plan(&mut self, input: &Shape) -> (Shape, Vec<usize>) {
        if let Some((_, shape, places)) = self.objects.iter().find(|(seen, ..)| seen.same(input)) {
            return (shape.clone(), places.clone());
        }
        let new = self.outputs.iter().map(|o| o.name.as_str()).filter(|name| input.index_of(name).is_none());
        let names: Vec<&str> = input.keys().iter().map(Str::as_str).chain(new).collect();
        let shape = self.shapes.intern(names.iter().copied());
        let places =
            self.outputs.iter().filter_map(|output| shape.index_of(&output.name)).collect::<Vec<_>>();
        if self.objects.len() >= PLANS {
            self.objects.remove(0);
        }
        self.objects.push((input.clone(), shape.clone(), places.clone()));
        (shape, places)
    }
}

pub(crate) fn unsupported(value: &Value) -> Error {
    Error::data(format!(
        "Only Struct or Map objects supported for [scoring], found: {}. Decode the payload first: a JSON converter, or \
         lavka.payload.format=json of the MQTT source",
        value.java_class()
    ))
}

impl Output {
    fn value(&self, scored: Option<(&Predictions, usize)>) -> Value {
        let Some((predictions, row)) = scored else { return Value::Null };
        let one = |column: Option<usize>| {
            let selection = Selection { output: self.selection.output, column };
            match predictions.value(selection, row) {
                Some(Prediction::Float(value)) => Value::Float32(value),
                Some(Prediction::Double(value)) => Value::Float64(value),
                Some(Prediction::Integer(value)) => Value::Int64(value),
                Some(Prediction::Bool(value)) => Value::Boolean(value),
                Some(Prediction::Text(value)) => value.into(),
                Some(Prediction::Missing) | None => Value::Null,
            }
        };
        if self.width == 1 {
            return one(self.selection.column);
        }
        Value::Array((0..self.width).map(|column| one(Some(column))).collect())
    }
}
