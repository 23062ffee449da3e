//! The converters that statements name.

/// What Lenses calls a converter: from payloads to keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversion {
    /// The payload as it is.
    Bytes,
    /// JSON as structs whose fields may all be null.
    JsonSimple,
    /// JSON as structs in which only what is null may be.
    JsonOptNull,
    /// As `JsonSimple`, with the fields of earlier messages.
    JsonEvolving,
    /// JSON as the text that it is.
    JsonPassThrough,
    /// Avro without a header, of schemas in files.
    Avro,
}

/// Packages in which releases had the converters.
const PACKAGES: [&str; 3] = [
    "io.lenses.streamreactor.connect.converters.source.",
    "com.datamountaineer.streamreactor.connect.converters.source.",
    "com.datamountaineer.streamreactor.common.converters.source.",
];

impl Conversion {
    /// By the name of the class, with or without its package.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn of_class(class: &str) -> Result<Self, String> {
        let simple = PACKAGES.iter().find_map(|package| class.strip_prefix(package)).unwrap_or(class);
        Ok(match simple {
            "BytesConverter" => Self::Bytes,
            "JsonSimpleConverter" => Self::JsonSimple,
            "JsonOptNullConverter" => Self::JsonOptNull,
            "JsonConverterWithSchemaEvolution" => Self::JsonEvolving,
            "JsonPassThroughConverter" => Self::JsonPassThrough,
            "AvroConverter" => Self::Avro,
            "JsonResilientConverter" => {
                return Err(format!("{class} is a converter of Kafka Connect: it goes into value.converter"));
            }
            _ => {
                return Err(format!(
                    "{class} is not known (BytesConverter, AvroConverter, JsonSimpleConverter, JsonOptNullConverter, \
                     JsonConverterWithSchemaEvolution and JsonPassThroughConverter are)"
                ));
            }
        })
    }
}
