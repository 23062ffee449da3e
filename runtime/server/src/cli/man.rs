//! `lavka man`: manual pages, for packages.

use std::path::Path;
use std::process::ExitCode;

use clap_mangen::{Man, generate_to};
use lavka_api::{Error, Result};

pub(super) fn run(command: clap::Command, folder: Option<&Path>) -> Result<ExitCode> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    match folder {
        Some(folder) => std::fs::create_dir_all(folder)
            .and_then(|()| generate_to(command, folder))
            .map_err(|error| Error::config(format!("{} cannot be written: {error}", folder.display())))?,
        None => {
            let mut text = Vec::new();
            Man::new(command).render(&mut text)?;
            super::emit(&String::from_utf8_lossy(&text))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
