//! `hive-site.xml`: the metastores that it names.

use std::io::Read as _;
use std::path::Path;

use lavka_api::{Error, Result};

use super::config::server;

const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Hive 3 calls it otherwise inside of a metastore of its own; the first counts.
const NAMES: [&str; 2] = ["hive.metastore.uris", "metastore.thrift.uris"];

/// The metastores in the file `path`, as `host:port`. Blocks for a small file.
///
/// # Errors
/// A config error where the file cannot be read or names none.
pub(super) fn servers(path: &Path) -> Result<Vec<String>> {
    let refused = |detail: String| Error::config(format!("hive.conf.dir: {}: {detail}", path.display()));
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(MAX_BYTES).read_to_string(&mut text))
        .map_err(|error| refused(error.to_string()))?;
    let value = property(&text).map_err(refused)?;
    value
        .split(',')
        .map(|uri| server(uri.trim()))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| refused(format!("{value} is not of the form thrift://host:9083")))
}

fn property(text: &str) -> std::result::Result<String, String> {
    let document = roxmltree::Document::parse(text).map_err(|error| error.to_string())?;
    let properties: Vec<_> = document.descendants().filter(|node| node.has_tag_name("property")).collect();
    let text_of = |node: &roxmltree::Node<'_, '_>, tag: &str| {
        let child = node.children().find(|child| child.has_tag_name(tag))?;
        child.text().map(|text| text.trim().to_owned())
    };
    NAMES
        .iter()
        .find_map(|name| {
            let property =
                properties.iter().find(|node| text_of(node, "name").is_some_and(|text| text == *name))?;
            text_of(property, "value").filter(|value| !value.is_empty())
        })
        .ok_or_else(|| format!("it has no property {}", NAMES[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_property_names_the_metastores() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hive-site.xml");
        let site = |properties: &str| {
            std::fs::write(
                &path,
                format!("<?xml version=\"1.0\"?><configuration>{properties}</configuration>"),
            )
            .unwrap();
            servers(&path).map_err(|error| error.to_string())
        };
        let found = site(
            "<property><name>a</name><value>b</value></property><property><name> hive.metastore.uris </name>\
             <value>thrift://a:9083, thrift://b:9084</value></property>",
        );
        assert_eq!(found.unwrap(), ["a:9083", "b:9084"]);
        assert!(site("").unwrap_err().contains("it has no property hive.metastore.uris"));
        assert!(site("<property>").unwrap_err().contains("hive-site.xml"));
        let odd = "<property><name>hive.metastore.uris</name><value>a:1</value></property>";
        assert!(site(odd).unwrap_err().contains("a:1 is not of the form"));
    }
}
