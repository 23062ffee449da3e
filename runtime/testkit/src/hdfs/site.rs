//! Configuration files of Hadoop and what belongs to it.

use std::path::Path;

use crate::failure::Failure;
use crate::folders::try_write_file;

/// The text of a configuration file (`core-site.xml` and its like) with properties: names and values.
pub(crate) fn configuration<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let properties: String = properties
        .into_iter()
        .map(|(name, value)| format!("<property><name>{name}</name><value>{value}</value></property>\n"))
        .collect();
    format!("<configuration>\n{properties}</configuration>\n")
}

/// Writes the configuration of a cluster and its clients into `folder`.
pub(super) fn write_configuration<'a>(
    folder: &Path,
    properties: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Failure> {
    let text = configuration(properties);
    // What has a default is read from the file that its default belongs to.
    for name in ["core-site.xml", "hdfs-site.xml"] {
        try_write_file(folder, name, text.as_bytes())?;
    }
    Ok(())
}
