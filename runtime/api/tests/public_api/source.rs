//! A crate's modules, parsed.

use std::collections::BTreeMap;

use syn::{Attribute, Item, UseTree, Visibility};

/// A module and those in it, without what is for tests alone.
#[derive(Default)]
pub(crate) struct Module {
    pub(crate) items: Vec<Item>,
    pub(crate) children: BTreeMap<String, Child>,
}

pub(crate) struct Child {
    pub(crate) public: bool,
    pub(crate) module: Module,
}

/// One name that a `pub use` brings in.
pub(crate) struct Import {
    /// From the module that has the `use`.
    pub(crate) path: Vec<String>,
    pub(crate) name: String,
    pub(crate) alias: String,
}

type Read<'r> = &'r dyn Fn(&str) -> Option<String>;

impl Module {
    /// The crate whose files `read` gives by their path below `src`.
    pub(crate) fn root(read: Read<'_>) -> Self {
        let text = read("lib.rs").unwrap_or_else(|| panic!("there is no lib.rs"));
        Self::parse(read, "lib.rs", "", &text)
    }

    /// `place` is where the files of its children are.
    fn parse(read: Read<'_>, file: &str, place: &str, text: &str) -> Self {
        let parsed = syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}"));
        Self::of_items(read, place, parsed.items)
    }

    fn of_items(read: Read<'_>, place: &str, items: Vec<Item>) -> Self {
        let mut module = Module::default();
        for item in items {
            let Item::Mod(child) = item else {
                module.items.push(item);
                continue;
            };
            if for_tests(&child.attrs) {
                continue;
            }
            let name = child.ident.to_string();
            let inside = format!("{place}{name}/");
            let parsed = match child.content {
                Some((_, items)) => Self::of_items(read, &inside, items),
                None => {
                    let files = [format!("{place}{name}.rs"), format!("{inside}mod.rs")];
                    let (file, text) = files
                        .iter()
                        .find_map(|file| Some((file, read(file)?)))
                        .unwrap_or_else(|| panic!("there is no file of the module {place}{name}"));
                    Self::parse(read, file, &inside, &text)
                }
            };
            module.children.insert(name, Child { public: is_public(&child.vis), module: parsed });
        }
        module
    }

    /// The module at `path`, and whether every step to it is public.
    pub(crate) fn find(&self, path: &[String]) -> Option<(&Module, bool)> {
        path.iter().try_fold((self, true), |(module, public), name| {
            let child = module.children.get(name)?;
            Some((&child.module, public && child.public))
        })
    }

    /// Every module, itself first.
    pub(crate) fn all(&self) -> Vec<&Module> {
        let below = self.children.values().flat_map(|child| child.module.all());
        std::iter::once(self).chain(below).collect()
    }
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

/// The names in a `use`.
pub(crate) fn imports(tree: &UseTree) -> Vec<Import> {
    let mut found = Vec::new();
    collect(tree, &mut Vec::new(), &mut found);
    found
}

fn collect(tree: &UseTree, path: &mut Vec<String>, found: &mut Vec<Import>) {
    let mut add = |path: &[String], name: String, alias: String| {
        let path = path.iter().filter(|step| *step != "self").cloned().collect();
        found.push(Import { path, name, alias });
    };
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            collect(&step.tree, path, found);
            path.pop();
        }
        UseTree::Name(name) => add(path, name.ident.to_string(), name.ident.to_string()),
        UseTree::Rename(name) => add(path, name.ident.to_string(), name.rename.to_string()),
        UseTree::Group(group) => group.items.iter().for_each(|tree| collect(tree, path, found)),
        UseTree::Glob(_) => panic!("`pub use {}::*` hides what is public: name the items", path.join("::")),
    }
}
