//! `lavka transform`: records through a connector's converters and transforms.

use std::io::{self, BufRead, BufReader, IsTerminal, Read as _, Write};
use std::path::Path;
use std::process::ExitCode;

use lavka_api::{Error, Result};

use lavka_worker::Providers;

use crate::connector_file::ConnectorFile;
use crate::transform::{Answer, Bench, Paint, Steps};
use crate::worker_file;

/// Longer than any record that Kafka takes by default.
const MAX_LINE: u64 = 256 << 20;

pub(super) fn run(
    connector: &Path,
    records: Option<&Path>,
    worker: Option<&Path>,
    diff: bool,
) -> Result<ExitCode> {
    crate::install_tls_provider();
    let file = ConnectorFile::read(connector)?;
    let worker = match worker {
        Some(path) => crate::read_worker_file(path)?,
        None => worker_file::default_worker(),
    };
    let providers = Providers::from_config(&worker, &crate::catalogue())?;
    let (worker, connector) = (providers.resolve(&worker)?, providers.resolve(&file.config)?);
    let secrets = worker.secrets.with(&connector.secrets);
    let mut bench = Bench::new(&connector.config, &worker.config)
        .map_err(|error| Error::config(secrets.redact(&error.to_string())))?;
    let (mut input, name): (Box<dyn BufRead>, String) = match records {
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(path)
                .map_err(|error| Error::config(format!("{name} cannot be read: {error}")))?;
            (Box::new(BufReader::new(file)), name)
        }
        None => (Box::new(BufReader::new(io::stdin())), "standard input".to_owned()),
    };
    let mut steps = diff.then(|| {
        let colour = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Steps::new(if colour { Paint::Colour } else { Paint::Plain })
    });
    let runtime = super::runtime()?;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut status = ExitCode::SUCCESS;
    let mut buffer = Vec::new();
    for number in 1.. {
        buffer.clear();
        let read = input.by_ref().take(MAX_LINE).read_until(b'\n', &mut buffer);
        let read = read.map_err(|error| Error::fatal(format!("{name}, line {number}: {error}")))?;
        if read == 0 {
            break;
        }
        let line = std::str::from_utf8(&buffer)
            .map_err(|error| Error::data(format!("{name}, line {number}: not UTF-8: {error}")))?;
        if line.trim().is_empty() {
            continue;
        }
        let answer = runtime.block_on(bench.run(line.trim_end(), number, &mut steps));
        if matches!(answer, Answer::Failed(_)) {
            status = ExitCode::FAILURE;
        }
        let text = match &mut steps {
            Some(steps) => {
                steps.output(answer.line());
                steps.take()
            }
            None => format!("{}\n", answer.line()),
        };
        // Each line at once: whoever types them in wants to see what comes of each.
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if !super::still_read(written)? {
            break;
        }
    }
    Ok(status)
}
