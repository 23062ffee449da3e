//! The `lavka` binary.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    lavka::cli::Arguments::parse().run()
}
