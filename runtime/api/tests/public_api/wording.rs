//! Syntax as one line of text.

use quote::ToTokens;
use syn::{Attribute, Fields, FnArg, Item, Pat, Signature, Variant};

use crate::source::is_public;

/// Tokens as a person would space them.
pub(crate) fn words(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    // A token stream prints with a space between any two tokens that may have one.
    for (spaced, tidy) in [
        ("\n", " "),
        (" :: ", "::"),
        (":: ", "::"),
        (" ::", "::"),
        (" < ", "<"),
        ("< ", "<"),
        (" <", "<"),
        (" >", ">"),
        (" ,", ","),
        // A comma before the end says nothing, but alone in a macro's pattern it is the pattern.
        ("(,)", "(\0)"),
        (",)", ")"),
        ("(\0)", "(,)"),
        (",]", "]"),
        (" :", ":"),
        (" ;", ";"),
        ("& ", "&"),
        ("# ", "#"),
        ("! ", "!"),
        (" !", "!"),
        ("$ ", "$"),
        (" (", "("),
        ("( ", "("),
        (" )", ")"),
        (" [", "["),
        ("->(", "-> ("),
        (",(", ", ("),
        (":(", ": ("),
        ("=(", "= ("),
        ("+(", "+ ("),
        ("mut[", "mut ["),
        ("dyn(", "dyn ("),
        ("&'static[", "&'static ["),
    ] {
        text = text.replace(spaced, tidy);
    }
    text
}

/// A signature, where `mut` and patterns of arguments are the implementation's own business.
pub(crate) fn signature(signature: &Signature) -> String {
    let mut shown = signature.clone();
    for input in &mut shown.inputs {
        match input {
            FnArg::Receiver(receiver) => receiver.mutability = None,
            FnArg::Typed(argument) => {
                if let Pat::Ident(name) = &mut *argument.pat {
                    name.mutability = None;
                }
            }
        }
    }
    words(&shown)
}

/// The first line about an item at `public`.
pub(crate) fn header(public: &str, item: &Item) -> String {
    match item {
        Item::Const(it) => format!("pub const {public}: {}", words(&it.ty)),
        Item::Static(it) => format!("pub static {public}: {}", words(&it.ty)),
        Item::Type(it) => format!("pub type {public}{} = {}", words(&it.generics), words(&it.ty)),
        Item::Enum(it) => format!("pub enum {public}{}", words(&it.generics)),
        Item::Union(it) => format!("pub union {public}{}", words(&it.generics)),
        Item::Struct(it) => {
            let fields = match &it.fields {
                Fields::Unnamed(fields) => {
                    let shown = fields.unnamed.iter().map(|field| {
                        if is_public(&field.vis) { format!("pub {}", words(&field.ty)) } else { "_".into() }
                    });
                    format!("({})", shown.collect::<Vec<_>>().join(", "))
                }
                Fields::Named(_) | Fields::Unit => String::new(),
            };
            format!("pub struct {public}{}{fields}", words(&it.generics))
        }
        Item::Trait(it) => {
            let bounds = if it.supertraits.is_empty() {
                String::new()
            } else {
                format!(": {}", words(&it.supertraits))
            };
            format!("pub trait {public}{}{bounds}", words(&it.generics))
        }
        Item::Fn(it) => {
            let name = format!("fn {}", it.sig.ident);
            format!("pub {}", signature(&it.sig).replacen(&name, &format!("fn {public}"), 1))
        }
        other => words(other),
    }
}

pub(crate) fn variant(variant: &Variant) -> String {
    match &variant.fields {
        Fields::Unit => variant.ident.to_string(),
        Fields::Unnamed(fields) => {
            let types: Vec<String> = fields.unnamed.iter().map(|field| words(&field.ty)).collect();
            format!("{}({})", variant.ident, types.join(", "))
        }
        Fields::Named(fields) => {
            let shown =
                fields.named.iter().map(|field| format!("{}: {}", words(&field.ident), words(&field.ty)));
            format!("{} {{ {} }}", variant.ident, shown.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The derived traits, as a line.
pub(crate) fn derives(attributes: &[Attribute]) -> Option<String> {
    let mut traits: Vec<String> = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        let parsed = attribute.parse_nested_meta(|meta| {
            traits.push(words(&meta.path));
            Ok(())
        });
        parsed.unwrap_or_else(|error| panic!("derive: {error}"));
    }
    traits.sort();
    (!traits.is_empty()).then(|| format!("derive {}", traits.join(", ")))
}
