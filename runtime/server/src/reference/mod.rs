//! The reference: a page in Markdown for each plugin, for the worker, for what all connectors share, and for the keys of
//! Kafka's clients, and the REST API's OpenAPI document. All of it comes from the declarations that the code itself goes by.
//!
//! - `plugin_page`, `framework_pages`, `index`: what is on which page.
//! - `client_keys`: Java's client keys and librdkafka's.
//! - `keys`: keys as Markdown. `metrics`: what `GET /metrics` tells.
//! - `examples`: transforms with records that are sent through them when the pages are made.
//! - `kafka_keys`: names of Kafka's own keys.

mod client_keys;
mod examples;
mod framework_pages;
mod index;
pub(crate) mod kafka_keys;
mod keys;
mod metrics;
mod plugin_page;

use std::path::Path;

use lavka_api::Result;

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its file, relative to the folder of the reference, with `/`.
    pub path: String,
    /// Its text: Markdown, but for the OpenAPI document.
    pub text: String,
}

/// Every page, sorted by path.
///
/// # Errors
/// Where an example on a page does not run.
pub async fn pages() -> Result<Vec<Page>> {
    let catalogue = crate::catalogue();
    let subjects = plugin_page::subjects(&catalogue);
    let mut pages = vec![
        index::page(&subjects),
        framework_pages::worker(),
        framework_pages::connector(),
        framework_pages::clients(),
        client_keys::page(),
        metrics::page(),
        Page { path: "openapi.json".into(), text: lavka_rest::openapi() },
    ];
    for subject in &subjects {
        pages.push(plugin_page::page(subject, &catalogue).await?);
    }
    pages.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(pages)
}

/// Writes the pages into `folder`, and removes Markdown files of an earlier run that are no longer among them.
///
/// # Errors
/// Where the folder cannot be written.
pub fn write(folder: &Path, pages: &[Page]) -> std::io::Result<()> {
    for old in existing(folder)? {
        if !pages.iter().any(|page| page.path == old) {
            std::fs::remove_file(folder.join(old))?;
        }
    }
    for page in pages {
        let path = folder.join(&page.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(path, &page.text)?;
    }
    Ok(())
}

/// Paths of pages in `folder` that are missing, different, or there without being among `pages`.
///
/// # Errors
/// Where the folder cannot be read.
pub fn stale(folder: &Path, pages: &[Page]) -> std::io::Result<Vec<String>> {
    let mut stale: Vec<String> = pages
        .iter()
        .filter(|page| std::fs::read_to_string(folder.join(&page.path)).ok().as_ref() != Some(&page.text))
        .map(|page| page.path.clone())
        .collect();
    stale.extend(existing(folder)?.into_iter().filter(|old| !pages.iter().any(|page| page.path == *old)));
    Ok(stale)
}

/// Markdown files in the folder and in those of the plugins: nothing else is ours to remove.
fn existing(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut found = Vec::new();
    let folders = std::iter::once("").chain(plugin_page::FOLDERS.iter().map(|(_, folder, _)| *folder));
    for part in folders {
        let Ok(entries) = std::fs::read_dir(folder.join(part)) else { continue };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".md") && entry.file_type()?.is_file() {
                found.push(if part.is_empty() { name } else { format!("{part}/{name}") });
            }
        }
    }
    found.sort();
    Ok(found)
}
