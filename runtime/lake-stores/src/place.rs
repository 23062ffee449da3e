//! Where a store is: URLs, as Hadoop and the makers of object stores write them.

use std::fmt;
use std::path::PathBuf;

use crate::object::Provider;

/// What a URL names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A directory of this machine: `file:///data/lake`, or a plain path.
    Local(PathBuf),
    /// A directory in HDFS: `hdfs://namenode:8020/data`, `hdfs://nameservice`, `viewfs://cluster/data`.
    Hdfs {
        /// Scheme and authority, as in `hdfs://namenode:8020`; the authority may be empty, which is the cluster of
        /// `fs.defaultFS`.
        cluster: String,
        /// The directory, empty or with a slash at its beginning and none at its end.
        root: String,
    },
    /// A bucket or container: `s3://bucket/prefix`, `s3a:`, `gs://bucket`, `az://container`,
    /// `abfss://container@account.dfs.core.windows.net/prefix`.
    Bucket {
        /// Whose it is.
        provider: Provider,
        /// Its name.
        bucket: String,
        /// What all names in it begin with; empty, or without slashes at its ends.
        prefix: String,
        /// The storage account, where an Azure URL names it.
        account: Option<String>,
    },
}

/// Why a URL names no place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceError(String);

impl fmt::Display for PlaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for PlaceError {}

impl Place {
    /// Reads `url`. Nothing is looked up.
    ///
    /// # Errors
    /// Where the scheme is of no known store, or the URL is not complete.
    pub fn parse(url: &str) -> Result<Self, PlaceError> {
        let refused = |text: &str| Err(PlaceError(text.to_owned()));
        let (scheme, rest) = match url.split_once(':') {
            Some(("file", rest)) => return local(rest),
            Some((scheme, rest)) if rest.starts_with("//") => (scheme, rest.trim_start_matches("//")),
            _ if url.is_empty() => return refused("a directory has to be given"),
            _ => return Ok(Self::Local(PathBuf::from(url))),
        };
        if rest.contains(['?', '#']) {
            return refused("a URL of a store has no query");
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let inner = path.trim_matches('/');
        let provider = match scheme.to_ascii_lowercase().as_str() {
            "hdfs" | "viewfs" => {
                if authority.contains('@') {
                    return refused("a user has no place in a URL of HDFS; HADOOP_USER_NAME names one");
                }
                let root = if inner.is_empty() { String::new() } else { format!("/{inner}") };
                return Ok(Self::Hdfs { cluster: format!("{scheme}://{authority}"), root });
            }
            "s3" | "s3a" | "s3n" => Provider::S3,
            "gs" => Provider::Google,
            "az" | "azure" | "abfs" | "abfss" | "wasb" | "wasbs" => Provider::Azure,
            other => {
                return Err(PlaceError(format!(
                    "there is no storage of the kind {other}; use file, hdfs, s3, gs or az (abfs)"
                )));
            }
        };
        let (bucket, account) = match (provider, authority.split_once('@')) {
            (Provider::Azure, Some((container, host))) => {
                (container, host.split('.').next().map(str::to_owned))
            }
            (_, Some(_)) => return refused("keys have no place in the URL of a bucket"),
            (_, None) => (authority, None),
        };
        if bucket.is_empty() || account.as_deref().is_some_and(str::is_empty) {
            return refused(
                "it has to name a bucket, as in s3://bucket or abfss://container@account.dfs.core.windows.net",
            );
        }
        Ok(Self::Bucket { provider, bucket: bucket.to_owned(), prefix: inner.to_owned(), account })
    }
}

fn local(rest: &str) -> Result<Place, PlaceError> {
    let path = match rest.strip_prefix("//") {
        Some(local) => local.strip_prefix("localhost").unwrap_or(local),
        None => rest,
    };
    if !path.starts_with('/') {
        return Err(PlaceError("a file URL needs an absolute path, as in file:///data/lake".into()));
    }
    Ok(Place::Local(PathBuf::from(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(provider: Provider, bucket: &str, prefix: &str, account: Option<&str>) -> Place {
        Place::Bucket {
            provider,
            bucket: bucket.into(),
            prefix: prefix.into(),
            account: account.map(str::to_owned),
        }
    }

    #[test]
    fn urls_name_places() {
        for (url, place) in [
            ("/data/lake", Place::Local("/data/lake".into())),
            ("lake", Place::Local("lake".into())),
            ("file:///data", Place::Local("/data".into())),
            ("file://localhost/data", Place::Local("/data".into())),
            ("file:/data", Place::Local("/data".into())),
            ("hdfs://nn:8020", Place::Hdfs { cluster: "hdfs://nn:8020".into(), root: String::new() }),
            ("hdfs://ns1/a/b/", Place::Hdfs { cluster: "hdfs://ns1".into(), root: "/a/b".into() }),
            ("hdfs:///a", Place::Hdfs { cluster: "hdfs://".into(), root: "/a".into() }),
            ("viewfs://c/", Place::Hdfs { cluster: "viewfs://c".into(), root: String::new() }),
            ("viewfs:///a", Place::Hdfs { cluster: "viewfs://".into(), root: "/a".into() }),
            ("s3://b", bucket(Provider::S3, "b", "", None)),
            ("s3a://b/x//", bucket(Provider::S3, "b", "x", None)),
            ("gs://b/x/y", bucket(Provider::Google, "b", "x/y", None)),
            ("az://c/x", bucket(Provider::Azure, "c", "x", None)),
            ("abfss://c@acc.dfs.core.windows.net/x", bucket(Provider::Azure, "c", "x", Some("acc"))),
        ] {
            assert_eq!(Place::parse(url), Ok(place), "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "file:",
            "file:lake",
            "ftp://x/y",
            "s3://",
            "s3:///x",
            "s3://k:s@b",
            "abfs://c@",
            "hdfs://a@b/",
            "s3://b?x=y",
        ] {
            assert!(Place::parse(url).is_err(), "{url}");
        }
    }
}
