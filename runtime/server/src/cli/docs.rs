//! `lavka docs`.

use std::path::Path;
use std::process::ExitCode;

use lavka_api::{Error, Result};

use crate::reference;

pub(super) fn run(folder: &Path) -> Result<ExitCode> {
    let pages = super::runtime()?.block_on(reference::pages())?;
    let count = pages.len();
    reference::write(folder, &pages)
        .map_err(|error| Error::config(format!("{} cannot be written: {error}", folder.display())))?;
    super::emit(&format!("{count} pages in {}\n", folder.display()))?;
    Ok(ExitCode::SUCCESS)
}
