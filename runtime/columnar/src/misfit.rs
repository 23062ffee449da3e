//! Why a value was refused, and where.

use lavka_api::Error;
use lavka_api::data::Value;

/// A refusal on its way up from the value to the row: every level adds its name in front of the path. Boxed, because
/// it is rare and results are many.
#[derive(Debug)]
pub(crate) struct Misfit(Box<Inner>);

#[derive(Debug)]
struct Inner {
    reason: Reason,
    /// From the innermost level outwards.
    path: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Reason {
    /// A null where the layout needs a value of this type.
    Null(String),
    /// A value, described by `found`, where the layout has the type `wanted`.
    Value { found: String, wanted: String },
    /// A decimal of another scale than its schema's.
    Scale { schema: i32, value: i32 },
    /// Two values of schemaless records that share no type.
    Conflict { found: String, earlier: String },
    /// Deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    Depth,
    /// More inferred fields than a table can sensibly have.
    Fields(usize),
    /// The batch has reached the size that Arrow's 32-bit offsets can address.
    Full,
    /// A schemaless object has a key that no column stands for yet.
    NewKey,
}

pub(crate) type Fitted<T = ()> = Result<T, Misfit>;

impl Misfit {
    #[cold]
    pub(crate) fn new(reason: Reason) -> Self {
        Self(Box::new(Inner { reason, path: Vec::new() }))
    }

    /// `value` does not fit `wanted`; a number is shown, since it may be its size alone that is wrong.
    #[cold]
    pub(crate) fn of(value: &Value, wanted: String) -> Self {
        let found = match value {
            Value::Int8(_)
            | Value::Int16(_)
            | Value::Int32(_)
            | Value::Int64(_)
            | Value::Float32(_)
            | Value::Float64(_)
            | Value::Time(_) => {
                format!("{} of type {}", lavka_api::java::plain_text(value), type_name(value))
            }
            other => format!("a value of type {}", type_name(other)),
        };
        Self::new(Reason::Value { found, wanted })
    }

    /// The same refusal, seen from the level that holds `name`.
    #[cold]
    pub(crate) fn within(mut self, name: &str) -> Self {
        self.0.path.push(name.to_owned());
        self
    }

    pub(crate) fn is_full(&self) -> bool {
        matches!(self.0.reason, Reason::Full)
    }

    /// A data error that names the field's full path: `a.b`, `list[]`, `map.value`.
    pub(crate) fn into_error(self) -> Error {
        let mut path = String::new();
        for name in self.0.path.iter().rev() {
            if !path.is_empty() && name != "[]" {
                path.push('.');
            }
            path.push_str(name);
        }
        let place = if path.is_empty() { "value".to_owned() } else { format!("field \"{path}\"") };
        Error::data(match self.0.reason {
            Reason::Null(ty) => {
                format!("Invalid value: null used for required field: \"{path}\", schema type: {ty}")
            }
            Reason::Value { found, wanted } => format!("{place}: {found} does not fit {wanted}"),
            Reason::Scale { schema, value } => format!(
                "{place}: Decimal value has mismatching scale for given Decimal schema. Schema has scale {schema}, \
                 value has scale {value}."
            ),
            Reason::Conflict { found, earlier } => {
                format!("{place}: a value of type {found} conflicts with {earlier}, the type inferred so far")
            }
            Reason::Depth => format!("{place}: nested deeper than {} levels", crate::MAX_DEPTH),
            Reason::Fields(limit) => {
                format!(
                    "{place}: more than {limit} different fields; give the schema with lavka.schema=file:PATH"
                )
            }
            Reason::Full => format!("{place}: more than 2 GiB in one batch"),
            Reason::NewKey => format!("{place}: a key that the layout does not have"),
        })
    }
}

/// The type of `value` as error texts name it: Connect's names, with `STRUCT` for schemaless objects too.
pub(crate) fn type_name(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Object(_) | Value::Struct(_) => "STRUCT".into(),
        Value::Decimal(decimal) => format!("Decimal({})", decimal.scale()),
        Value::Date(_) => "Date".into(),
        Value::Time(_) => "Time".into(),
        Value::Timestamp(_) => "Timestamp".into(),
        other => other.natural_type().map_or_else(String::new, |ty| ty.name().into()),
    }
}
