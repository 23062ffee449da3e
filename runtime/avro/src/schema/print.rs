//! Schema text as Java writes it: key order, escapes and numbers of `Schema.toString()`.

use std::collections::HashSet;

use lavka_api::java::write_f64;
use serde_json::Value as Json;

use super::{AvroSchema, Kind, Name, Props, RecordField, TypeId, Types};

pub(super) fn text(schema: &AvroSchema) -> String {
    let mut printer = Printer { types: schema.types(), known: HashSet::new(), out: Vec::new() };
    printer.print(schema.root(), None);
    String::from_utf8(printer.out).unwrap_or_default()
}

struct Printer<'a> {
    types: &'a Types,
    known: HashSet<&'a str>,
    out: Vec<u8>,
}

impl<'a> Printer<'a> {
    fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn entry(&mut self, key: &str, value: &str) {
        self.raw(key);
        write_json_text(&mut self.out, value);
    }

    /// Text with nesting as deep as the types': both the parser and the mapping bound it.
    fn print(&mut self, id: TypeId, space: Option<&'a str>) {
        let ty = self.types.get(id);
        if let Some(name) = ty.kind.name()
            && !self.known.insert(name.full())
        {
            write_json_text(&mut self.out, name.qualified(space));
            return;
        }
        match &ty.kind {
            Kind::Union(members) => {
                self.raw("[");
                for (i, member) in members.iter().enumerate() {
                    if i > 0 {
                        self.raw(",");
                    }
                    self.print(*member, space);
                }
                self.raw("]");
                return;
            }
            Kind::Record(record) => {
                self.raw(if record.error { r#"{"type":"error""# } else { r#"{"type":"record""# });
                self.name(&record.name, record.doc.as_deref(), space);
                self.raw(r#","fields":["#);
                for (i, field) in record.fields.iter().enumerate() {
                    if i > 0 {
                        self.raw(",");
                    }
                    self.field(field, record.name.space());
                }
                self.raw("]");
            }
            Kind::Enum(it) => {
                self.raw(r#"{"type":"enum""#);
                self.name(&it.name, it.doc.as_deref(), space);
                self.raw(r#","symbols":"#);
                self.texts(it.symbols.iter().map(String::as_str));
                if let Some(default) = &it.default {
                    self.entry(r#","default":"#, default);
                }
            }
            Kind::Fixed(it) => {
                self.raw(r#"{"type":"fixed""#);
                self.name(&it.name, it.doc.as_deref(), space);
                self.raw(&format!(r#","size":{}"#, it.size));
            }
            Kind::Array(items) => {
                self.raw(r#"{"type":"array","items":"#);
                self.print(*items, space);
            }
            Kind::Map(values) => {
                self.raw(r#"{"type":"map","values":"#);
                self.print(*values, space);
            }
            primitive => {
                if ty.props.is_empty() {
                    write_json_text(&mut self.out, primitive.type_name());
                    return;
                }
                self.entry(r#"{"type":"#, primitive.type_name());
            }
        }
        self.props(&ty.props);
        if let Some(name) = ty.kind.name()
            && !ty.kind.aliases().is_empty()
        {
            self.raw(r#","aliases":"#);
            self.texts(ty.kind.aliases().iter().map(|alias| alias.qualified(name.space())));
        }
        self.raw("}");
    }

    fn name(&mut self, name: &'a Name, doc: Option<&str>, space: Option<&str>) {
        self.entry(r#","name":"#, name.simple());
        if name.space() != space {
            self.entry(r#","namespace":"#, name.space().unwrap_or_default());
        }
        if let Some(doc) = doc {
            self.entry(r#","doc":"#, doc);
        }
    }

    fn field(&mut self, field: &'a RecordField, space: Option<&'a str>) {
        self.entry(r#"{"name":"#, &field.name);
        self.raw(r#","type":"#);
        self.print(field.ty, space);
        if let Some(doc) = &field.doc {
            self.entry(r#","doc":"#, doc);
        }
        if let Some(default) = &field.default {
            self.raw(r#","default":"#);
            write_json(&mut self.out, default);
        }
        if let Some(order) = &field.order {
            self.entry(r#","order":"#, order);
        }
        if !field.aliases.is_empty() {
            self.raw(r#","aliases":"#);
            self.texts(field.aliases.iter().map(String::as_str));
        }
        self.props(&field.props);
        self.raw("}");
    }

    fn props(&mut self, props: &Props) {
        for (key, value) in props.iter() {
            self.raw(",");
            write_json_text(&mut self.out, key);
            self.raw(":");
            write_json(&mut self.out, value);
        }
    }

    fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        for (i, text) in texts.enumerate() {
            self.raw(if i > 0 { "," } else { "[" });
            write_json_text(&mut self.out, text);
        }
        if self.out.last() == Some(&b':') {
            self.raw("[");
        }
        self.raw("]");
    }
}

/// JSON as Jackson writes it. How deep it is was bounded where it came from.
fn write_json(out: &mut Vec<u8>, value: &Json) {
    match value {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(true) => out.extend_from_slice(b"true"),
        Json::Bool(false) => out.extend_from_slice(b"false"),
        Json::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => write_f64(out, float),
            _ => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Json::String(text) => write_json_text(out, text),
        Json::Array(items) => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_json(out, item);
            }
            out.push(b']');
        }
        Json::Object(entries) => {
            out.push(b'{');
            for (i, (key, item)) in entries.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_json_text(out, key);
                out.push(b':');
                write_json(out, item);
            }
            out.push(b'}');
        }
    }
}

/// A JSON string with Jackson's escapes: control characters in upper-case hexadecimal, everything else as it is.
fn write_json_text(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(b'"');
    for &byte in text.as_bytes() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            0x08 => b'b',
            0x09 => b't',
            0x0A => b'n',
            0x0C => b'f',
            0x0D => b'r',
            0x00..=0x1F => {
                out.extend_from_slice(b"\\u00");
                out.extend([byte >> 4, byte & 15].iter().filter_map(|digit| HEX.get(usize::from(*digit))));
                continue;
            }
            _ => {
                out.push(byte);
                continue;
            }
        };
        out.extend_from_slice(&[b'\\', short]);
    }
    out.push(b'"');
}
