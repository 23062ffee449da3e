//! A writer that keeps its plans.

use lavka_api::Result;
use lavka_api::data::{Schema, Value};

use super::dialect::Dialect;
use super::lead::ShapeLeads;
use super::lru::Lru;
use super::plain_writer;
use super::schema_writer::write_schema;
use super::write_plan::{WriteNode, WriteOptions};

/// How `JsonConverter` decimals appear in JSON (`decimal.format`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DecimalFormat {
    /// The unscaled value as Base64 of its two's complement bytes: 1.56 is `"AJw="`.
    #[default]
    Base64,
    /// A number as `BigDecimal.toString` prints it: `1.5600`, `1E+3`.
    Numeric,
}

/// Writes values as JSON. Schemas are compiled once and found again by pointer, or by fingerprint.
///
/// ```
/// use lavka_api::data::{Schema, Struct, Type};
/// use lavka_converters::json::{JsonWriter, WriteOptions};
///
/// let schema = Schema::structure().field("a", Schema::of(Type::Int32)).build()?;
/// let record = Struct::new(schema.clone(), vec![7i32.into()])?.into();
/// let mut writer = JsonWriter::new(WriteOptions::default(), 10);
/// let mut line = Vec::new();
/// writer.write(Some(&schema), &record, &mut line)?;
/// assert_eq!(line, br#"{"a":7}"#);
/// # Ok::<(), lavka_api::Error>(())
/// ```
pub struct JsonWriter {
    options: WriteOptions,
    plans: Lru<Schema, WritePlan>,
    leads: ShapeLeads,
}

struct WritePlan {
    root: WriteNode,
    /// `{"schema":{…},"payload":`, empty until it is wanted.
    envelope: Vec<u8>,
}

impl JsonWriter {
    /// A writer that remembers the plans of `cached_schemas` schemas, one at least.
    #[must_use]
    pub fn new(options: WriteOptions, cached_schemas: usize) -> Self {
        Self { options, plans: Lru::new(cached_schemas), leads: ShapeLeads::new() }
    }

    /// Appends `value` alone, as `JsonConverter` does with `schemas.enable=false`. A null of a schema is the text
    /// `null`, or the schema's default; that a null without a schema is a null payload is the converter's business,
    /// here it is the text `null` too.
    ///
    /// # Errors
    /// A data error where the value does not fit the schema. `out` then holds a part, which the caller cuts off.
    pub fn write(&mut self, schema: Option<&Schema>, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        match schema {
            Some(schema) => self.plan(schema)?.root.write(value, out, 0),
            None => plain_writer::write(value, &mut self.leads, out, 0),
        }
    }

    /// Appends `{"schema":…,"payload":…}`.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn write_enveloped(
        &mut self,
        schema: Option<&Schema>,
        value: &Value,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        match schema {
            Some(schema) => {
                let options = self.options;
                let plan = self.plan(schema)?;
                if plan.envelope.is_empty() {
                    let mut text = b"{\"schema\":".to_vec();
                    write_schema(schema, options, &mut text)?;
                    text.extend_from_slice(b",\"payload\":");
                    plan.envelope = text;
                }
                out.extend_from_slice(&plan.envelope);
                plan.root.write(value, out, 0)?;
            }
            None => {
                out.extend_from_slice(b"{\"schema\":null,\"payload\":");
                plain_writer::write(value, &mut self.leads, out, 0)?;
            }
        }
        out.push(b'}');
        Ok(())
    }

    fn plan(&mut self, schema: &Schema) -> Result<&mut WritePlan> {
        let options = self.options;
        // Usually all records of a stream have one schema.
        self.plans.get_or_make(
            schema,
            |newest| newest.same(schema),
            || {
                Ok(WritePlan {
                    root: WriteNode::compile(schema, options, Dialect::JsonConverter, 0)?,
                    envelope: Vec::new(),
                })
            },
        )
    }
}
