//! The page that leads to the others.

use std::fmt::Write as _;

use super::Page;
use super::keys::escape;
use super::plugin_page::{FOLDERS, Subject};

pub(super) fn page(subjects: &[Subject<'_>]) -> Page {
    let mut text = String::from(
        "# Reference\n\n\
         Every configuration key of Lavka. These pages are written by `lavka docs` from the declarations in the code.\n\n\
         - [Worker](worker.md): the file that `lavka standalone` is given first\n\
         - [Every connector](connector.md): keys that all connectors have\n\
         - [Kafka clients](kafka-clients.md): producers, consumers and admin clients of worker and connectors\n\
         - [Client keys and librdkafka](kafka-client-keys.md): what Java's client keys are translated to\n\
         - [Metrics](metrics.md): what `GET /metrics` tells, under which names\n\
         - [REST API](openapi.json): the OpenAPI document that a worker serves at `/openapi.json`\n\n",
    );
    for (_, folder, title) in FOLDERS {
        let mut rows = subjects.iter().filter(|subject| subject.folder == folder).peekable();
        if rows.peek().is_none() {
            continue;
        }
        let _ = writeln!(text, "## {title}\n\n| | class | what it does |\n|---|---|---|");
        for subject in rows {
            let mut classes: Vec<String> = Vec::new();
            for plugin in &subject.plugins {
                let class = format!("`{}`", plugin.class);
                if !classes.contains(&class) {
                    classes.push(class);
                }
            }
            let _ = writeln!(
                text,
                "| [{}]({}) | {} | {} |",
                subject.heading(),
                subject.path(),
                classes.join("<br>"),
                escape(&subject.summary()).replace('|', "\\|")
            );
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Page { path: "README.md".into(), text }
}
