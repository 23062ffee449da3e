//! Configuration files of Hadoop and what belongs to it.

/// The text of a configuration file (`core-site.xml` and its like) with properties: names and values.
pub(crate) fn configuration<'a>(properties: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let properties: String = properties
        .into_iter()
        .map(|(name, value)| format!("<property><name>{name}</name><value>{value}</value></property>\n"))
        .collect();
    format!("<configuration>\n{properties}</configuration>\n")
}
