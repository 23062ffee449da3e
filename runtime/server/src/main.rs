//! The `lavka` binary.

use std::process::ExitCode;

use clap::Parser as _;

/// Records are made on one thread and freed on another, many small pieces each: runtime/adr/0004.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    lavka::cli::Arguments::parse().run()
}
