//! The text of a file as Confluent's client registers it: two spaces a level, a blank line before each group of
//! declarations, fields before oneofs before messages before enums. The same schema has to give the same text, or the
//! registry counts another version.

use lavka_api::data::Str;

use super::{Enum, Field, FieldType, File, Label, Message, Syntax};

pub(super) fn print(file: &File) -> String {
    let mut out = String::new();
    // A file without a syntax and one of proto2 are read alike; the converter makes proto3 alone.
    if file.syntax == Syntax::Proto3 {
        out.push_str("syntax = \"proto3\";\n");
    }
    if let Some(package) = &file.package {
        out.push_str(&format!("package {package};\n"));
    }
    if !file.imports.is_empty() {
        out.push('\n');
        for public in [false, true] {
            for import in file.imports.iter().filter(|import| import.public == public) {
                let keyword = if public { "import public" } else { "import" };
                out.push_str(&format!("{keyword} \"{}\";\n", import.path));
            }
        }
    }
    if !(file.messages.is_empty() && file.enums.is_empty()) {
        out.push('\n');
    }
    for message in &file.messages {
        out.push_str(&print_message(message));
    }
    for made in &file.enums {
        out.push_str(&print_enum(made));
    }
    out
}

fn print_message(message: &Message) -> String {
    let mut out = format!("message {} {{", message.name);
    let mut plain = message.fields.iter().filter(|field| field.oneof.is_none()).peekable();
    if plain.peek().is_some() {
        out.push('\n');
        plain.for_each(|field| indented(&mut out, &print_field(field)));
    }
    let oneofs: Vec<_> = message
        .oneofs
        .iter()
        .enumerate()
        .map(|(i, name)| (name, message.fields.iter().filter(move |field| field.oneof == Some(i))))
        .filter(|(_, fields)| fields.clone().next().is_some())
        .collect();
    if !oneofs.is_empty() {
        out.push('\n');
        for (name, fields) in oneofs {
            let mut oneof = format!("oneof {name} {{\n");
            fields.for_each(|field| indented(&mut oneof, &print_field(field)));
            oneof.push_str("}\n");
            indented(&mut out, &oneof);
        }
    }
    if !(message.messages.is_empty() && message.enums.is_empty()) {
        out.push('\n');
    }
    for nested in &message.messages {
        indented(&mut out, &print_message(nested));
    }
    for nested in &message.enums {
        indented(&mut out, &print_enum(nested));
    }
    out.push_str("}\n");
    out
}

fn print_field(field: &Field) -> String {
    let label = match field.label {
        Label::None => "",
        Label::Optional => "optional ",
        Label::Required => "required ",
        Label::Repeated => "repeated ",
    };
    let ty = match &field.ty {
        FieldType::Scalar(scalar) => scalar.name(),
        FieldType::Named(name) | FieldType::Group(name) => name,
    };
    let mut out = format!("{label}{ty} {} = {}", field.name, field.number);
    if !field.params.is_empty() {
        out.push_str(" [(confluent.field_meta) = {\n");
        indented(&mut out, &format!("params: {}", print_params(&field.params)));
        out.push_str("}]");
    }
    out.push_str(";\n");
    out
}

fn print_params(params: &[(Str, Str)]) -> String {
    let mut out = String::from("[\n");
    for (i, (key, value)) in params.iter().enumerate() {
        let comma = if i + 1 < params.len() { "," } else { "" };
        let mut entry = String::from("{\n");
        let (key, value) = (format!("key: \"{}\"", escape(key)), format!("value: \"{}\"", escape(value)));
        // The client began with those of decimals, and keeps their order for the sake of what is registered.
        let decimal = matches!(params.get(i).map(|(key, _)| key.as_str()), Some("precision" | "scale"));
        let (first, second) = if decimal { (value, key) } else { (key, value) };
        indented(&mut entry, &format!("{first},\n{second}"));
        indented(&mut out, &format!("{entry}}}{comma}"));
    }
    out.push(']');
    out
}

fn print_enum(made: &Enum) -> String {
    let mut out = format!("enum {} {{", made.name);
    if !made.values.is_empty() {
        out.push('\n');
    }
    for (name, number) in &made.values {
        indented(&mut out, &format!("{name} = {number};"));
    }
    out.push_str("}\n");
    out
}

/// Every line of `text` one level deeper; blank ones get their two spaces too.
fn indented(out: &mut String, text: &str) {
    for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
        out.push_str("  ");
        out.push_str(line);
        out.push('\n');
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for next in text.chars() {
        match next {
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{b}' => out.push_str("\\v"),
            '\\' | '\'' | '"' => {
                out.push('\\');
                out.push(next);
            }
            other => out.push(other),
        }
    }
    out
}
