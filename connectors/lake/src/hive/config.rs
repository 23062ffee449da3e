//! `hive.*`: the keys, and what they mean together with the others.

use std::path::PathBuf;

use lavka_api::config::{Check, key};

use super::metastore::Servers;
use super::registrar::HiveSettings;
use super::table::{TableForm, TableFormat};
use crate::compatibility::Compatibility;
use crate::format::FileFormat;
use crate::partitioner::Partitioner;
use crate::settings::Checked;
use crate::storage::Storage;
use crate::topic_dirs::TopicDirs;

const HIVE: &str = "Hive";

lavka_api::config! {
    /// What says where Hive's metastore is.
    pub(crate) struct HiveConfig {
        pub(crate) integration: bool = key("hive.integration")
            .default(false)
            .high()
            .group(HIVE)
            .display("Hive Integration")
            .doc("Whether tables over the topics' directories are kept in a Hive Metastore, and a partition for each \
                  directory of files. Needs Avro or Parquet files, and schema.compatibility other than NONE."),
        pub(crate) uris: Vec<String> = key("hive.metastore.uris")
            .default("")
            .high()
            .group(HIVE)
            .display("Hive Metastore URIs")
            .doc("The metastores, as thrift://host:9083; the first that answers is used."),
        pub(crate) conf_dir: String = key("hive.conf.dir")
            .default("")
            .high()
            .group(HIVE)
            .display("Hive Configuration Directory")
            .doc("Directory with the hive-site.xml that has hive.metastore.uris, where that key is not given here."),
        pub(crate) database: String = key("hive.database")
            .default("default")
            .high()
            .group(HIVE)
            .check(Check::non_empty())
            .display("Hive Database")
            .doc("The database of the tables. It has to exist."),
        pub(crate) table_name: String = key("hive.table.name")
            .default("${topic}")
            .low()
            .group(HIVE)
            .display("Hive Table Name")
            .doc("The name of a topic's table, which ${topic} is a part of. Dots become underscores."),
    }
}

/// What `keys` mean; `None` where Hive is not wanted.
///
/// # Errors
/// The key at fault, and why.
pub(crate) fn settings(
    keys: &HiveConfig,
    storage: &Storage,
    dirs: &TopicDirs,
    format: &FileFormat,
    compatibility: Compatibility,
    partitioner: &Partitioner,
) -> Checked<Option<HiveSettings>> {
    if !keys.integration {
        return Ok(None);
    }
    if compatibility == Compatibility::None {
        return Err((
            "schema.compatibility",
            "Hive Integration requires schema compatibility to be BACKWARD, FORWARD or FULL".into(),
        ));
    }
    let format = match format {
        FileFormat::Avro(settings) => TableFormat::Avro(settings.mapping.clone()),
        FileFormat::Parquet(_) => TableFormat::Parquet,
        FileFormat::Orc(_) => TableFormat::Orc,
        FileFormat::Lines(_) => {
            return Err(("hive.integration", "only Avro, Parquet and ORC files make tables of Hive".into()));
        }
    };
    if !keys.table_name.contains("${topic}") {
        return Err(("hive.table.name", "it has to contain ${topic}".into()));
    }
    let given: Vec<&str> = keys.uris.iter().map(|uri| uri.trim()).filter(|uri| !uri.is_empty()).collect();
    let servers = match (given.is_empty(), keys.conf_dir.is_empty()) {
        (false, _) => {
            let servers: Option<Vec<String>> = given.into_iter().map(server).collect();
            Servers::Given(servers.ok_or_else(|| {
                ("hive.metastore.uris", "each has to have the form thrift://host:9083".to_owned())
            })?)
        }
        (true, false) => Servers::Site(PathBuf::from(&keys.conf_dir).join("hive-site.xml")),
        (true, true) => {
            return Err(("hive.metastore.uris", "hive.integration needs it, or hive.conf.dir".into()));
        }
    };
    if matches!(storage, Storage::Hdfs(settings) if settings.kerberos.is_some()) {
        return Err(("hive.integration", "a metastore with Kerberos is not spoken to in this build".into()));
    }
    Ok(Some(HiveSettings {
        servers,
        table_name: keys.table_name.clone(),
        root: storage.url(),
        dirs: dirs.clone(),
        form: TableForm {
            database: keys.database.clone(),
            format,
            partition_columns: partitioner.columns().map_err(|text| ("partitioner.class", text))?,
        },
    }))
}

/// `host:port` of a URI.
pub(super) fn server(uri: &str) -> Option<String> {
    let server = uri.strip_prefix("thrift://")?.trim_end_matches('/');
    let (host, port) = server.rsplit_once(':')?;
    (!host.is_empty() && port.parse::<u16>().is_ok()).then(|| server.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_name_servers() {
        assert_eq!(server("thrift://a.example:9083/"), Some("a.example:9083".into()));
        assert_eq!(server("thrift://[::1]:9083"), Some("[::1]:9083".into()));
        for uri in ["a:9083", "thrift://a", "thrift://:9083", "http://a:9083", "thrift://a:99999"] {
            assert_eq!(server(uri), None, "{uri}");
        }
    }
}
