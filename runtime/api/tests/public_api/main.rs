//! What plugin authors may count on is written down in `public-api.txt`: a change of it is seen in review, and cannot
//! happen by accident.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails, fails its test")]

mod source;
mod surface;
mod wording;

use std::collections::BTreeSet;
use std::path::Path;

use source::Module;

const UPDATE: &str = "UPDATE_EXPECT=1 cargo test --package lavka-api --test public_api";

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_public_api_is_the_recorded_one() {
    let read = |path: &str| std::fs::read_to_string(folder().join("src").join(path)).ok();
    let surface = surface::listing("lavka_api", &Module::root(&read));
    let record = folder().join("public-api.txt");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&record, &surface).unwrap();
        return;
    }
    let recorded = std::fs::read_to_string(&record).unwrap_or_default();
    if recorded == surface {
        return;
    }
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (old, new) = (lines(&recorded), lines(&surface));
    let gone = old.difference(&new).map(|line| format!("\n- {line}"));
    let come = new.difference(&old).map(|line| format!("\n+ {line}"));
    let changes: String = gone.chain(come).collect();
    panic!(
        "the public API of lavka-api is not what runtime/api/public-api.txt says. What is gone breaks plugins of \
         others; what is new has to be kept from now on. If that is meant, record it with\n\n    {UPDATE}\n{changes}"
    );
}

/// The listing of a crate with these files.
fn listing(files: &[(&str, &str)]) -> String {
    let read = |path: &str| files.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned());
    surface::listing("it", &Module::root(&read))
}

#[test]
fn items_appear_where_they_are_public() {
    let text = listing(&[
        ("lib.rs", "pub mod open; mod shut; pub use shut::{Seen, make as build}; pub use open::Shown;"),
        ("open.rs", "pub struct Shown(pub u8); pub(crate) struct Hidden; struct Private;"),
        (
            "shut/mod.rs",
            "/// Text.\n#[derive(Debug, Clone)] pub enum Seen { A, B { x: u8 }, C(u16) }\n\
             pub struct Unseen; pub fn make<T: Into<u8>>(mut it: T) -> Result<(), T> { todo!() }",
        ),
    ]);
    let expected = "\
pub enum it::Seen
    A
    B { x: u8 }
    C(u16)
    derive Clone, Debug

pub use it::Shown = it::open::Shown

pub fn it::build<T: Into<u8>>(it: T) -> Result<(), T>

pub mod it::open

pub struct it::open::Shown(pub u8)
";
    assert_eq!(body(&text), expected);
}

#[test]
fn members_and_impls_belong_to_their_type() {
    let text = listing(&[
        ("lib.rs", "mod a; mod b; pub use a::It; pub use a::Do;"),
        (
            "a.rs",
            "pub struct It<T> { pub x: T, y: u8 }\n\
             #[async_trait] pub trait Do: Send { type Out; const N: u8 = 1; fn must(&self); fn may(&mut self) {} }\n\
             impl<T> It<T> { pub const ONE: u8 = 1; #[must_use] pub fn new(x: T) -> Self { todo!() } fn own(&self) {} }",
        ),
        (
            "b.rs",
            "use crate::a::It; impl<T: Copy> From<T> for It<T> { fn from(x: T) -> Self { todo!() } }\n\
             impl<T> Iterator for It<T> { type Item = u8; fn next(&mut self) -> Option<u8> { None } }\n\
             impl crate::Do for u8 { type Out = (); fn must(&self) {} }\n\
             #[cfg(test)] mod tests { impl super::It<u8> { pub fn only_in_tests() {} } }",
        ),
    ]);
    let expected = "\
pub trait it::Do: Send
    #[async_trait]
    type Out
    const N: u8 = 1
    fn must(&self)
    fn may(&mut self) { .. }
    impl crate::Do for u8 (type Out = ())

pub struct it::It<T>
    pub x: T
    ..
    pub const ONE: u8 = 1
    pub fn new(x: T) -> Self
    impl<T: Copy> From<T> for It<T>
    impl<T> Iterator for It<T> (type Item = u8)
";
    assert_eq!(body(&text), expected);
}

#[test]
fn macros_are_shown_as_far_as_they_can_be() {
    let text = listing(&[(
        "lib.rs",
        "#[macro_export] macro_rules! twice { ($x:expr) => { $x; $x } }\n\
         macro_rules! own { ($t:ty) => { impl Default for $t {} } }\n own! { u8 }",
    )]);
    assert_eq!(body(&text), "expands own! { u8 }\n\nmacro it::twice!\n    ($x: expr)\n");
}

/// Without the head, which says what the file is.
fn body(text: &str) -> &str {
    text.split_once("\n\n").unwrap().1
}
