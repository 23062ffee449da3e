//! Satisfies the linker, which `odbc-sys` tells to link `odbc`: with an archive that has nothing in it. The functions are
//! this crate's own, and lead to the library of the machine that the program runs on.

use std::io::{Error, Result};
use std::path::PathBuf;

/// An archive without members.
const EMPTY: &[u8] = b"!<arch>\n";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    let folder = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or_else(|| Error::other("no OUT_DIR"))?;
    std::fs::write(folder.join("libodbc.a"), EMPTY)?;
    println!("cargo:rustc-link-search=native={}", folder.display());
    Ok(())
}
