//! From text to types, as Java's `Schema.Parser` reads it.
//!
//! Written here since apache-avro's parser drops what Connect's mapping lives on: properties of primitive types
//! (`connect.type`, `connect.name`, `connect.default`), the order of properties, and defaults that do not fit.

use std::collections::{HashMap, HashSet};

use lavka_api::Result;
use serde_json::{Map, Value as Json};

use super::name::{parse_error, valid};
use super::{AvroSchema, EnumType, FixedType, Kind, Name, Props, RecordField, RecordType, TypeId, Types};

/// What the format itself uses; the rest are properties.
const OF_TYPES: &[&str] =
    &["doc", "fields", "items", "name", "namespace", "size", "symbols", "values", "type", "aliases"];
const OF_FIELDS: &[&str] = &["default", "doc", "name", "order", "type", "aliases"];

/// The longest text that is read. Registries refuse what is longer (`kafkastore` keeps schemas in Kafka records).
const MAX_TEXT: usize = 16 << 20;

impl AvroSchema {
    /// Reads a schema from its JSON text. A bare type name without quotes is read too, as Java's parser does not, but
    /// some registries hold it.
    ///
    /// # Errors
    /// A data error (`SchemaParseException`) that says what is wrong.
    pub fn parse(text: &str) -> Result<Self> {
        Self::parse_with(text, &[])
    }

    /// Reads a schema whose named types may be defined in others: the texts of its references, each behind those it
    /// refers to itself.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_with(text: &str, references: &[&str]) -> Result<Self> {
        let mut parser = Parser { types: Types::default(), names: HashMap::new() };
        for reference in references {
            parser.read(reference)?;
        }
        let root = parser.read(text)?;
        parser.types.check_depth(root)?;
        Ok(parser.types.finish(root))
    }
}

struct Parser {
    types: Types,
    names: HashMap<String, TypeId>,
}

impl Parser {
    fn read(&mut self, text: &str) -> Result<TypeId> {
        if text.len() > MAX_TEXT {
            return Err(parse_error(format!("a schema of {} bytes is longer than {MAX_TEXT}", text.len())));
        }
        if let Some(kind) = Kind::primitive(text.trim()) {
            return Ok(self.types.add(kind));
        }
        // The depth of the JSON, and with it of this parser, is bounded by serde_json: 128 levels.
        let json: Json =
            serde_json::from_str(text).map_err(|error| parse_error(format!("not JSON: {error}")))?;
        self.any(&json, None)
    }

    fn any(&mut self, json: &Json, space: Option<&str>) -> Result<TypeId> {
        match json {
            Json::String(name) => self.named(name, space),
            Json::Array(members) => self.union(members, space),
            Json::Object(entries) => self.object(entries, space),
            other => Err(parse_error(format!("Schema not yet supported: {other}"))),
        }
    }

    fn named(&mut self, name: &str, space: Option<&str>) -> Result<TypeId> {
        if let Some(kind) = Kind::primitive(name) {
            return Ok(self.types.add(kind));
        }
        let full = match space {
            Some(space) if !name.contains('.') => self.names.get(&format!("{space}.{name}")),
            _ => None,
        };
        full.or_else(|| self.names.get(name)).copied().ok_or_else(|| {
            parse_error(format!(
                "\"{name}\" is not a defined name. The type of a field must be a defined name or a {{\"type\": ...}} \
                 expression."
            ))
        })
    }

    fn union(&mut self, members: &[Json], space: Option<&str>) -> Result<TypeId> {
        let members: Vec<TypeId> = members.iter().map(|it| self.any(it, space)).collect::<Result<_>>()?;
        self.types.check_union(&members)?;
        Ok(self.types.add(Kind::Union(members)))
    }

    fn object(&mut self, entries: &Map<String, Json>, space: Option<&str>) -> Result<TypeId> {
        let ty = match entries.get("type") {
            Some(Json::String(ty)) => ty,
            _ => return Err(parse_error(format!("No type: {}", Json::Object(entries.clone())))),
        };
        let mut reserved = OF_TYPES;
        let id = match ty.as_str() {
            "record" | "error" => self.record(entries, space, ty == "error")?,
            "enum" => {
                reserved = &[
                    "doc",
                    "fields",
                    "items",
                    "name",
                    "namespace",
                    "size",
                    "symbols",
                    "values",
                    "type",
                    "aliases",
                    "default",
                ];
                self.enumeration(entries, space)?
            }
            "fixed" => self.fixed(entries, space)?,
            "array" | "map" => {
                let key = if ty == "array" { "items" } else { "values" };
                let inner = entries.get(key).ok_or_else(|| parse_error(format!("{ty} has no {key} type")))?;
                let inner = self.any(inner, space)?;
                self.types.add(if ty == "array" { Kind::Array(inner) } else { Kind::Map(inner) })
            }
            other => match Kind::primitive(other) {
                Some(kind) => self.types.add(kind),
                // A reference: properties beside it belong to nobody.
                None => return self.named(other, space),
            },
        };
        let props = props(entries, reserved);
        if let Some(ty) = self.types.get_mut(id) {
            ty.props = props;
        }
        Ok(id)
    }

    /// The name of a named type and those it had.
    fn name(&self, entries: &Map<String, Json>, space: Option<&str>) -> Result<(Name, Vec<Name>)> {
        let name = text(entries, "name").ok_or_else(|| parse_error("No name in schema"))?;
        let name = Name::new(name, text(entries, "namespace").or(space))?;
        if self.names.contains_key(name.full()) {
            return Err(parse_error(format!("Can't redefine: {}", name.full())));
        }
        let aliases =
            texts(entries, "aliases").map(|alias| Name::new(alias, name.space())).collect::<Result<_>>()?;
        Ok((name, aliases))
    }

    fn define(&mut self, name: &Name, kind: Kind) -> TypeId {
        let id = self.types.add(kind);
        self.names.insert(name.full().to_owned(), id);
        id
    }

    fn record(&mut self, entries: &Map<String, Json>, space: Option<&str>, error: bool) -> Result<TypeId> {
        let (name, aliases) = self.name(entries, space)?;
        let doc = text(entries, "doc").map(str::to_owned);
        let record = RecordType { name: name.clone(), doc, aliases, fields: Vec::new(), error };
        // Known before its fields are read: they may refer to it.
        let id = self.define(&name, Kind::Record(Box::new(record)));
        let Some(Json::Array(list)) = entries.get("fields") else {
            return Err(parse_error(format!("Record has no fields: {}", name.full())));
        };
        let mut fields: Vec<RecordField> = Vec::with_capacity(list.len());
        let mut seen = HashSet::with_capacity(list.len());
        for field in list {
            let Json::Object(entries) = field else {
                return Err(parse_error(format!("a field of {} is no object", name.full())));
            };
            let field_name = text(entries, "name").ok_or_else(|| parse_error("No field name"))?;
            valid(field_name)?;
            if !seen.insert(field_name) {
                return Err(parse_error(format!("Duplicate field {field_name} in record {}", name.full())));
            }
            let ty =
                entries.get("type").ok_or_else(|| parse_error(format!("No field type: {field_name}")))?;
            fields.push(RecordField {
                name: field_name.to_owned(),
                ty: self.any(ty, name.space())?,
                doc: text(entries, "doc").map(str::to_owned),
                default: entries.get("default").cloned(),
                order: text(entries, "order").filter(|order| *order != "ascending").map(str::to_owned),
                aliases: texts(entries, "aliases").map(str::to_owned).collect(),
                props: props(entries, OF_FIELDS),
            });
        }
        if let Some(Kind::Record(record)) = self.types.get_mut(id).map(|ty| &mut ty.kind) {
            record.fields = fields;
        }
        Ok(id)
    }

    fn enumeration(&mut self, entries: &Map<String, Json>, space: Option<&str>) -> Result<TypeId> {
        let (name, aliases) = self.name(entries, space)?;
        if !matches!(entries.get("symbols"), Some(Json::Array(_))) {
            return Err(parse_error(format!("Enum has no symbols: {}", name.full())));
        }
        let symbols: Vec<String> = texts(entries, "symbols").map(str::to_owned).collect();
        let default = text(entries, "default").map(str::to_owned);
        let it = EnumType::new(name.clone(), text(entries, "doc"), symbols, default)?;
        Ok(self.define(&name, Kind::Enum(Box::new(EnumType { aliases, ..it }))))
    }

    fn fixed(&mut self, entries: &Map<String, Json>, space: Option<&str>) -> Result<TypeId> {
        let (name, aliases) = self.name(entries, space)?;
        let size = entries
            .get("size")
            .and_then(Json::as_u64)
            .and_then(|size| usize::try_from(size).ok())
            .filter(|size| i32::try_from(*size).is_ok())
            .ok_or_else(|| parse_error(format!("Invalid or no size: {}", name.full())))?;
        let doc = text(entries, "doc").map(str::to_owned);
        let it = FixedType { name: name.clone(), doc, aliases, size };
        Ok(self.define(&name, Kind::Fixed(Box::new(it))))
    }
}

impl EnumType {
    /// An enum whose symbols are names, each once, and whose default is one of them.
    pub(crate) fn new(
        name: Name,
        doc: Option<&str>,
        symbols: Vec<String>,
        default: Option<String>,
    ) -> Result<Self> {
        let mut seen = HashSet::with_capacity(symbols.len());
        for symbol in &symbols {
            valid(symbol)?;
            if !seen.insert(symbol) {
                return Err(parse_error(format!("Duplicate enum symbol: {symbol}")));
            }
        }
        if let Some(default) = default.as_ref().filter(|default| !seen.contains(default)) {
            return Err(parse_error(format!(
                "The Enum Default: {default} is not in the enum symbol set: [{}]",
                symbols.join(", ")
            )));
        }
        Ok(Self { name, doc: doc.map(str::to_owned), aliases: Vec::new(), symbols, default })
    }
}

impl Types {
    /// Holds a union to Avro's rules: no union inside, and no two members that values could not tell apart.
    pub(crate) fn check_union(&self, members: &[TypeId]) -> Result<()> {
        let mut seen = HashSet::with_capacity(members.len());
        for member in members {
            let kind = self.kind(*member);
            if matches!(kind, Kind::Union(_)) {
                return Err(parse_error("Nested union").with_exception(super::AVRO_RUNTIME));
            }
            if !seen.insert(kind.label()) {
                let error = parse_error(format!("Duplicate in union:{}", kind.label()));
                return Err(error.with_exception(super::AVRO_RUNTIME));
            }
        }
        Ok(())
    }
}

fn text<'a>(entries: &'a Map<String, Json>, key: &str) -> Option<&'a str> {
    entries.get(key).and_then(Json::as_str)
}

fn texts<'a>(entries: &'a Map<String, Json>, key: &str) -> impl Iterator<Item = &'a str> {
    entries.get(key).and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
}

fn props(entries: &Map<String, Json>, reserved: &[&str]) -> Props {
    Props(
        entries
            .iter()
            .filter(|(key, _)| !reserved.contains(&key.as_str()))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}
