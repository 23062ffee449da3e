//! The public items of a crate, as a listing.
//!
//! Read from the sources: signatures stand as they are written there. What a macro expands to is not seen, so the calls
//! of macros between items are listed instead. Auto traits (`Send`, `Sync`) and the items of other crates behind types
//! are not looked at.

use std::collections::BTreeMap;

use syn::{Attribute, Fields, ImplItem, Item, ItemImpl, TraitItem};

use crate::source::{Import, Module, imports, is_public};
use crate::wording::{derives, header, signature, variant, words};

/// Where an item is, or an alias for it, with the lines about it.
type Entries = BTreeMap<String, Vec<String>>;

/// The listing of the crate `name`.
pub(crate) fn listing(name: &str, root: &Module) -> String {
    let mut surface = Surface { root, entries: Entries::new() };
    surface.module(name, &[], root);
    surface.macros(name);
    let mut text = format!(
        "The public items of {name}, written by a test (tests/public_api). Signatures are those of the sources.\n"
    );
    let mut blocks: Vec<(String, Vec<String>)> = surface.entries.into_iter().collect();
    for module in root.all() {
        for call in module.items.iter().filter_map(expansion) {
            blocks.push((String::new(), vec![call]));
        }
    }
    blocks.sort();
    for (_, lines) in blocks {
        text.push('\n');
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// A call of a macro between items: it makes items that are not seen here.
fn expansion(item: &Item) -> Option<String> {
    let Item::Macro(call) = item else { return None };
    call.ident
        .is_none()
        .then(|| format!("expands {}! {{ {} }}", words(&call.mac.path), words(&call.mac.tokens)))
}

struct Surface<'m> {
    root: &'m Module,
    entries: Entries,
}

impl Surface<'_> {
    /// Adds what is public in the public module at `path`.
    fn module(&mut self, public: &str, path: &[String], module: &Module) {
        for item in &module.items {
            match item {
                Item::Use(import) if is_public(&import.vis) => {
                    for import in imports(&import.tree) {
                        self.import(public, path, &import);
                    }
                }
                // Exported macros are at the root, wherever they are written.
                Item::Macro(_) => {}
                item => {
                    if let Some((_, name)) = named(item).filter(|(visible, _)| *visible) {
                        self.item(&format!("{public}::{name}"), item);
                    }
                }
            }
        }
        for (name, child) in module.children.iter().filter(|(_, child)| child.public) {
            let public = format!("{public}::{name}");
            self.add(public.clone(), format!("pub mod {public}"), Vec::new());
            let path: Vec<String> = path.iter().chain([name]).cloned().collect();
            self.module(&public, &path, &child.module);
        }
    }

    fn macros(&mut self, root: &str) {
        for item in self.root.all().into_iter().flat_map(|module| &module.items) {
            let Item::Macro(rules) = item else { continue };
            if let Some(name) = rules.ident.as_ref().filter(|_| has(&rules.attrs, "macro_export")) {
                let public = format!("{root}::{name}!");
                self.add(public.clone(), format!("macro {public}"), macro_lines(&rules.mac.tokens));
            }
        }
    }

    fn import(&mut self, public: &str, path: &[String], import: &Import) {
        let alias = format!("{public}::{}", import.alias);
        let inside: Vec<String> = path.iter().chain(&import.path).cloned().collect();
        let Some((module, module_is_public)) = self.root.find(&inside) else {
            let from = import.path.join("::");
            self.add(
                alias.clone(),
                format!("pub use {alias} = {from}::{} (of another crate)", import.name),
                Vec::new(),
            );
            return;
        };
        if module_is_public {
            let root = public.split("::").next().unwrap_or(public);
            let target =
                std::iter::once(root).chain(inside.iter().map(String::as_str)).collect::<Vec<_>>().join("::");
            self.add(alias.clone(), format!("pub use {alias} = {target}::{}", import.name), Vec::new());
            return;
        }
        let of_name = |item: &&Item| named(item).is_some_and(|(_, name)| name == import.name);
        match module.items.iter().find(of_name) {
            Some(item) => {
                let item = item.clone();
                self.item(&alias, &item);
            }
            None => panic!(
                "`pub use` of {} in {public}: there is no such item in {}",
                import.name,
                inside.join("::")
            ),
        }
    }

    fn add(&mut self, key: String, head: String, lines: Vec<String>) {
        let indented = lines.into_iter().map(|line| format!("    {line}"));
        self.entries.insert(key, std::iter::once(head).chain(indented).collect());
    }

    /// Adds an item with its members under its public path.
    fn item(&mut self, public: &str, item: &Item) {
        let mut lines = attributes(item);
        let name = named(item).map(|(_, name)| name).unwrap_or_default();
        match item {
            Item::Struct(it) => {
                if let Fields::Named(fields) = &it.fields {
                    let seen = fields.named.iter().filter(|field| is_public(&field.vis));
                    let seen = seen.map(|field| format!("pub {}: {}", words(&field.ident), words(&field.ty)));
                    lines.extend(seen);
                    if fields.named.iter().any(|field| !is_public(&field.vis)) {
                        lines.push("..".into());
                    }
                }
            }
            Item::Enum(it) => lines.extend(it.variants.iter().map(variant)),
            Item::Trait(it) => {
                lines.extend(it.items.iter().map(trait_item));
                lines.extend(self.foreign_impls(&name));
            }
            _ => {}
        }
        lines.extend(derives(attributes_of(item)));
        if matches!(item, Item::Struct(_) | Item::Enum(_) | Item::Union(_)) {
            lines.extend(self.impls(&name));
        }
        self.add(public.to_owned(), header(public, item), lines);
    }

    /// The impls of the trait `name` for types of other crates.
    fn foreign_impls(&self, name: &str) -> Vec<String> {
        let items = || self.root.all().into_iter().flat_map(|module| &module.items);
        let ours = |of: &str| items().any(|item| named(item).is_some_and(|(_, name)| name == of));
        let foreign = items().filter_map(|item| match item {
            Item::Impl(block) => {
                let (path, _) = block.trait_.as_ref()?;
                let is_it = path.segments.last()?.ident == name;
                (is_it && !self_type(block).is_some_and(|of| ours(&of))).then(|| trait_impl(block))
            }
            _ => None,
        });
        let mut foreign: Vec<String> = foreign.collect();
        foreign.sort();
        foreign
    }

    /// Public members of the type `name`, then the traits, wherever the crate implements them; those of other types that
    /// convert from it too.
    fn impls(&self, name: &str) -> Vec<String> {
        let blocks =
            self.root.all().into_iter().flat_map(|module| &module.items).filter_map(|item| match item {
                Item::Impl(block) => Some(block),
                _ => None,
            });
        let (mut members, mut traits) = (Vec::new(), Vec::new());
        for block in blocks {
            let is_its_own = self_type(block).as_deref() == Some(name);
            match &block.trait_ {
                None if is_its_own => members.extend(block.items.iter().filter_map(member)),
                Some((path, _)) if is_its_own || words(path).contains(&format!("<{name}>")) => {
                    traits.push(trait_impl(block));
                }
                _ => {}
            }
        }
        traits.sort();
        members.into_iter().chain(traits).collect()
    }
}

/// Whether an item is public, and its name.
fn named(item: &Item) -> Option<(bool, String)> {
    let (visibility, name) = match item {
        Item::Const(it) => (&it.vis, it.ident.to_string()),
        Item::Enum(it) => (&it.vis, it.ident.to_string()),
        Item::Fn(it) => (&it.vis, it.sig.ident.to_string()),
        Item::Static(it) => (&it.vis, it.ident.to_string()),
        Item::Struct(it) => (&it.vis, it.ident.to_string()),
        Item::Trait(it) => (&it.vis, it.ident.to_string()),
        Item::Type(it) => (&it.vis, it.ident.to_string()),
        Item::Union(it) => (&it.vis, it.ident.to_string()),
        _ => return None,
    };
    Some((is_public(visibility), name))
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        _ => &[],
    }
}

/// Attributes that change what callers may write.
fn attributes(item: &Item) -> Vec<String> {
    let kept = ["non_exhaustive", "async_trait", "deprecated", "repr"];
    let kept = |it: &&Attribute| kept.iter().any(|name| it.path().is_ident(name));
    attributes_of(item).iter().filter(kept).map(words).collect()
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident(name))
}

/// The name of the type that an `impl` is for, without its module.
fn self_type(block: &ItemImpl) -> Option<String> {
    match &*block.self_ty {
        syn::Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        _ => None,
    }
}

fn member(item: &ImplItem) -> Option<String> {
    match item {
        ImplItem::Const(it) if is_public(&it.vis) => {
            Some(format!("pub const {}: {} = {}", it.ident, words(&it.ty), words(&it.expr)))
        }
        ImplItem::Fn(it) if is_public(&it.vis) => Some(format!("pub {}", signature(&it.sig))),
        _ => None,
    }
}

fn trait_impl(block: &ItemImpl) -> String {
    let of = block.trait_.as_ref().map(|(path, _)| words(path)).unwrap_or_default();
    let generics = words(&block.generics);
    let clause = block.generics.where_clause.as_ref().map(|it| format!(" {}", words(it))).unwrap_or_default();
    let types = block.items.iter().filter_map(|item| match item {
        ImplItem::Type(it) => Some(format!("type {} = {}", it.ident, words(&it.ty))),
        _ => None,
    });
    let types: Vec<String> = types.collect();
    let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
    format!("impl{generics} {of} for {}{clause}{types}", words(&block.self_ty))
}

fn trait_item(item: &TraitItem) -> String {
    match item {
        TraitItem::Const(it) => {
            let default =
                it.default.as_ref().map(|(_, value)| format!(" = {}", words(value))).unwrap_or_default();
            format!("const {}: {}{default}", it.ident, words(&it.ty))
        }
        TraitItem::Fn(it) => {
            let default = if it.default.is_some() { " { .. }" } else { "" };
            format!("{}{default}", signature(&it.sig))
        }
        TraitItem::Type(it) => format!("type {}", it.ident),
        other => words(other),
    }
}

/// The patterns of a macro's rules.
fn macro_lines(tokens: &proc_macro2::TokenStream) -> Vec<String> {
    let mut trees = tokens.clone().into_iter();
    let mut lines = Vec::new();
    // Pattern, `=`, `>`, expansion, and a `;` after all but the last.
    while let Some(pattern) = trees.next() {
        lines.push(words(&pattern));
        let _ = trees.by_ref().take(3).count();
        trees.next();
    }
    lines
}
