//! Where the lake is: the keys that say so, and the store that they make.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lavka_api::config::{Check, Password, Width, key};
use lavka_lake_stores::{
    Account, AssumedRole, AzureSettings, BucketStore, GoogleSettings, HdfsSettings, HdfsStore, Kerberos,
    LakeStore, LocalStore, ObjectSettings, Place, Provider, S3Settings,
};

use crate::settings::Checked;

const STORAGE: &str = "Storage";
const HADOOP: &str = "Hadoop";
const OBJECTS: &str = "Object stores";

/// Amazon's smallest part of an upload, and its largest.
const MIN_PART: i32 = 5 * 1024 * 1024;
/// S3's canned ACLs for objects.
const CANNED_ACLS: [&str; 8] = [
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "log-delivery-write",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
];
/// Where `s3.part.size` is not given: as much as may wait in memory for each open file, so less than the S3 sink's 25 MiB.
const USUAL_PART: usize = 8 * 1024 * 1024;

lavka_api::config! {
    /// What says where the lake is.
    pub(crate) struct StorageConfig {
        pub(crate) store_url: Option<String> = key("store.url")
            .high()
            .group(STORAGE)
            .width(Width::Long)
            .display("Store URL")
            .doc("Where the lake is: file:///directory or the plain path of a directory; hdfs://namenode:8020/directory, \
                  hdfs://nameservice or viewfs://cluster; s3://bucket/prefix (or s3a:); gs://bucket/prefix; \
                  abfss://container@account.dfs.core.windows.net/prefix (or az://container). Where s3.bucket.name names the \
                  bucket, the URL of the S3 server, if that is not Amazon's."),
        pub(crate) hdfs_url: Option<String> = key("hdfs.url")
            .low()
            .group(STORAGE)
            .width(Width::Long)
            .display("HDFS URL")
            .doc("Older name of store.url, read where that is missing."),
        pub(crate) storage_class: Option<String> = key("storage.class")
            .low()
            .group(STORAGE)
            .display("Storage Class")
            .doc("The kind of storage: HdfsStorage of io.confluent.connect.hdfs.storage or S3Storage of \
                  io.confluent.connect.s3.storage. It may be left out, because store.url and s3.bucket.name tell."),
        pub(crate) conf_dir: Option<String> = key("hadoop.conf.dir")
            .group(HADOOP)
            .display("Hadoop Configuration Directory")
            .doc("Directory with core-site.xml and hdfs-site.xml, from which name services (high availability), Kerberos \
                  and the protection of transfers are read. Without it HADOOP_CONF_DIR counts, then \
                  HADOOP_HOME/etc/hadoop."),
        pub(crate) kerberos: bool = key("hdfs.authentication.kerberos")
            .default(false)
            .group(HADOOP)
            .display("HDFS Authentication Kerberos")
            .doc("Whether the cluster wants Kerberos. It takes the system's libgssapi_krb5 (Debian: libgssapi-krb5-2)."),
        pub(crate) principal: String = key("connect.hdfs.principal")
            .default("")
            .group(HADOOP)
            .display("Connect Kerberos Principal")
            .doc("Whom the worker acts for in Kerberos. Empty: whoever has the ticket cache (KRB5CCNAME)."),
        pub(crate) keytab: String = key("connect.hdfs.keytab")
            .default("")
            .group(HADOOP)
            .display("Connect Kerberos Keytab")
            .doc("File with the keys of connect.hdfs.principal. Empty: the ticket cache counts, which somebody else \
                  keeps fresh (kinit, k5start)."),
        pub(crate) namenode_principal: String = key("hdfs.namenode.principal")
            .default("")
            .group(HADOOP)
            .display("HDFS NameNode Kerberos Principal")
            .doc("The name node's principal, such as nn/_HOST@REALM. Accepted, and not held against what the name node \
                  itself says that it is, for which it has to have a ticket."),
        pub(crate) s3_bucket: Option<String> = key("s3.bucket.name")
            .high()
            .group(OBJECTS)
            .display("S3 Bucket")
            .doc("The bucket. With it, store.url is the URL of an S3 server."),
        pub(crate) s3_region: String = key("s3.region")
            .default("us-west-2")
            .group(OBJECTS)
            .display("AWS region")
            .doc("The region of the bucket."),
        pub(crate) s3_part_size: i32 = key("s3.part.size")
            .default(26_214_400)
            .group(OBJECTS)
            .check(Check::at_least(i64::from(MIN_PART)))
            .display("S3 Part Size")
            .doc("Bytes of a part of an upload. As many may wait in memory for each open file; where it is not given, parts \
                  have 8 MiB."),
        pub(crate) s3_part_retries: i32 = key("s3.part.retries")
            .default(3)
            .group(OBJECTS)
            .check(Check::at_least(0))
            .display("S3 Part Upload Retries")
            .doc("Times that a request to an object store is repeated before the batch waits for retry.backoff.ms."),
        pub(crate) s3_retry_backoff: i64 = key("s3.retry.backoff.ms")
            .default(200)
            .low()
            .group(OBJECTS)
            .check(Check::at_least(0))
            .display("Retry Backoff (ms)")
            .doc("Wait before a request to an object store is repeated; it doubles from one to the next."),
        pub(crate) s3_ssea: String = key("s3.ssea.name")
            .default("")
            .low()
            .group(OBJECTS)
            .recommend(&["", "AES256", "aws:kms"])
            .display("S3 Server Side Encryption Algorithm")
            .doc("Encryption that S3 does: AES256 (which S3 does by itself) or aws:kms."),
        pub(crate) s3_customer_key: Password = key("s3.sse.customer.key")
            .default("")
            .low()
            .group(OBJECTS)
            .display("S3 Server Side Encryption Customer-Provided Key (SSE-C)")
            .doc("A key of your own for the encryption that S3 does, in Base64."),
        pub(crate) s3_kms_key: String = key("s3.sse.kms.key.id")
            .default("")
            .low()
            .group(OBJECTS)
            .display("S3 Server Side Encryption Key")
            .doc("The id of the key for aws:kms."),
        pub(crate) s3_path_style: bool = key("s3.path.style.access.enabled")
            .default(true)
            .low()
            .group(OBJECTS)
            .display("Enable Path Style Access to S3")
            .doc("Whether the bucket is in the path of requests rather than in the host's name."),
        pub(crate) s3_wan_mode: bool = key("s3.wan.mode")
            .default(false)
            .group(OBJECTS)
            .display("S3 accelerated endpoint enabled")
            .doc("Whether requests go to the accelerated endpoint of the bucket, which it has to have been allowed for. It \
                  has the bucket in the host's name, so s3.path.style.access.enabled has to be false."),
        pub(crate) s3_acl: Option<String> = key("s3.acl.canned")
            .low()
            .group(OBJECTS)
            .check(Check::one_of(&CANNED_ACLS))
            .recommend(&CANNED_ACLS)
            .display("S3 Canned ACL")
            .doc("Who may do what with objects, as one of S3's canned ACLs: bucket-owner-full-control for a bucket of \
                  somebody else."),
        pub(crate) role_arn: Option<String> = key("s3.credentials.provider.sts.role.arn")
            .low()
            .group(OBJECTS)
            .display("STS Role ARN")
            .doc("A role that the account assumes: arn:aws:iam::<account>:role/<name>."),
        pub(crate) role_session: Option<String> = key("s3.credentials.provider.sts.role.session.name")
            .low()
            .group(OBJECTS)
            .display("STS Role Session Name")
            .doc("How logs of AWS call those who have assumed the role; it has to be given with a role."),
        pub(crate) role_external_id: Option<String> = key("s3.credentials.provider.sts.role.external.id")
            .low()
            .group(OBJECTS)
            .display("STS Role External ID")
            .doc("What the owner of the role has agreed on with whoever assumes it."),
        pub(crate) sts_region: Option<String> = key("s3.credentials.provider.sts.region")
            .low()
            .group(OBJECTS)
            .display("STS Region")
            .doc("The region of the service that gives the role; the global one where it is not given."),
        pub(crate) sts_endpoint: Option<String> = key("lavka.sts.endpoint")
            .low()
            .group(OBJECTS)
            .display("STS Endpoint")
            .doc("The URL of another service for roles than Amazon's."),
        pub(crate) sts_seconds: i32 = key("lavka.sts.session.seconds")
            .default(3600)
            .low()
            .group(OBJECTS)
            .check(Check::between(900, 43_200))
            .display("STS Session Duration (s)")
            .doc("How long the role's credentials count before new ones are asked for."),
        pub(crate) s3_proxy: String = key("s3.proxy.url")
            .default("")
            .low()
            .group(OBJECTS)
            .display("S3 Proxy Settings")
            .doc("Proxy for requests to object stores, as http://host:port."),
        pub(crate) s3_proxy_user: Option<String> = key("s3.proxy.user")
            .low()
            .group(OBJECTS)
            .display("S3 Proxy User")
            .doc("User of the proxy."),
        pub(crate) s3_proxy_password: Password = key("s3.proxy.password")
            .default("")
            .low()
            .group(OBJECTS)
            .display("S3 Proxy Password")
            .doc("Password of the proxy's user."),
        pub(crate) aws_key_id: String = key("aws.access.key.id")
            .default("")
            .high()
            .group(OBJECTS)
            .display("AWS Access Key ID")
            .doc("The id of the account's key. Empty: AWS_ACCESS_KEY_ID, a web identity, or the instance's metadata."),
        pub(crate) aws_secret: Password = key("aws.secret.access.key")
            .default("")
            .high()
            .group(OBJECTS)
            .display("AWS Secret Access Key")
            .doc("The account's key."),
        pub(crate) aiven_bucket: Option<String> = key("aws.s3.bucket.name")
            .group(OBJECTS)
            .display("S3 Bucket (Aiven)")
            .doc("The bucket, as Aiven's S3 sink calls it."),
        pub(crate) aiven_region: Option<String> = key("aws.s3.region")
            .group(OBJECTS)
            .display("AWS region (Aiven)")
            .doc("The region, as Aiven's S3 sink calls it."),
        pub(crate) aiven_endpoint: Option<String> = key("aws.s3.endpoint")
            .low()
            .group(OBJECTS)
            .display("S3 endpoint (Aiven)")
            .doc("The URL of the S3 server, as Aiven's S3 sink calls it."),
        pub(crate) gcs_json: Password = key("lavka.gcs.credentials.json")
            .default("")
            .group(OBJECTS)
            .display("Google credentials")
            .doc("The service account's key as JSON. Empty: lavka.gcs.credentials.path, GOOGLE_APPLICATION_CREDENTIALS or \
                  the instance's metadata."),
        pub(crate) gcs_path: Option<String> = key("lavka.gcs.credentials.path")
            .group(OBJECTS)
            .display("Google credentials file")
            .doc("The file with the service account's key."),
        pub(crate) azure_account: Option<String> = key("lavka.azure.account")
            .group(OBJECTS)
            .display("Azure storage account")
            .doc("The storage account, where store.url does not name it."),
        pub(crate) azure_key: Password = key("lavka.azure.access.key")
            .default("")
            .group(OBJECTS)
            .display("Azure account key")
            .doc("The account's key. Empty: lavka.azure.sas.token, AZURE_CLIENT_ID and its like, or the managed identity."),
        pub(crate) azure_sas: Password = key("lavka.azure.sas.token")
            .default("")
            .group(OBJECTS)
            .display("Azure shared access signature")
            .doc("A shared access signature for the container."),
        pub(crate) endpoint: Option<String> = key("lavka.store.endpoint")
            .low()
            .group(OBJECTS)
            .display("Endpoint of the object store")
            .doc("The URL of another server than Amazon's, Google's or Azure's: of a store that speaks the same protocol, or \
                  of an emulator."),
    }
}

/// Where the lake is, checked.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    Local { root: PathBuf, key: &'static str },
    Hdfs(HdfsSettings),
    Bucket(Box<ObjectSettings>),
}

impl Storage {
    /// What `keys` say; `part_size_given` is whether `s3.part.size` was.
    ///
    /// # Errors
    /// The key at fault, and why.
    pub(crate) fn of(keys: &StorageConfig, part_size_given: bool) -> Checked<Self> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let url = match (given(&keys.store_url), given(&keys.hdfs_url)) {
            (Some(url), _) => Some(("store.url", url)),
            (None, Some(url)) => Some(("hdfs.url", url)),
            (None, None) => None,
        };
        let class = keys.storage_class.as_deref().unwrap_or_default();
        let class = class.rsplit('.').next().unwrap_or_default();
        let bucket = match (given(&keys.s3_bucket), given(&keys.aiven_bucket)) {
            (Some(bucket), _) => Some(("s3.bucket.name", bucket)),
            (None, Some(bucket)) => Some(("aws.s3.bucket.name", bucket)),
            (None, None) => None,
        };
        if let Some((key, bucket)) = bucket {
            if class == "HdfsStorage" {
                return Err(("storage.class", format!("{key} names a bucket, which is not in HDFS")));
            }
            let endpoint = url.map(|(_, url)| url).or_else(|| given(&keys.aiven_endpoint));
            role(keys)?;
            return Ok(Self::bucket(
                keys,
                key,
                Provider::S3,
                bucket,
                String::new(),
                None,
                endpoint,
                part_size_given,
            ));
        }
        let Some((key, url)) = url else {
            return Err((
                "store.url",
                "it has to say where the lake is, as file:///directory, hdfs://namenode:8020 or s3://bucket"
                    .into(),
            ));
        };
        match Place::parse(&url).map_err(|error| (key, error.to_string()))? {
            Place::Local(_) if class == "S3Storage" => {
                Err(("s3.bucket.name", "storage.class is S3Storage, and this names its bucket".into()))
            }
            Place::Local(root) => Ok(Self::Local { root, key }),
            Place::Hdfs { cluster, root } => Ok(Self::Hdfs(HdfsSettings {
                cluster,
                root,
                key,
                conf_dir: given(&keys.conf_dir),
                kerberos: kerberos(keys)?,
            })),
            Place::Bucket { provider, bucket, prefix, account } => {
                let endpoint = given(&keys.endpoint);
                role(keys)?;
                Ok(Self::bucket(keys, key, provider, bucket, prefix, account, endpoint, part_size_given))
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what a URL and two dialects of keys may say of a bucket")]
    fn bucket(
        keys: &StorageConfig,
        key: &'static str,
        provider: Provider,
        bucket: String,
        prefix: String,
        account: Option<String>,
        endpoint: Option<String>,
        part_size_given: bool,
    ) -> Self {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let secret = |secret: &Password| Some(secret.clone()).filter(|secret| !secret.reveal().is_empty());
        let account = match provider {
            Provider::S3 => Account::S3(S3Settings {
                region: keys.aiven_region.as_deref().and_then(text).or_else(|| text(&keys.s3_region)),
                endpoint,
                access_key_id: text(&keys.aws_key_id),
                secret_access_key: secret(&keys.aws_secret),
                path_style: keys.s3_path_style && !keys.s3_wan_mode,
                accelerated: keys.s3_wan_mode,
                canned_acl: keys.s3_acl.as_deref().and_then(text),
                role: role(keys).ok().flatten().map(Box::new),
                encryption: text(&keys.s3_ssea),
                kms_key_id: text(&keys.s3_kms_key),
                customer_key: secret(&keys.s3_customer_key),
            }),
            Provider::Google => Account::Google(GoogleSettings {
                service_account: secret(&keys.gcs_json),
                service_account_path: keys.gcs_path.as_deref().and_then(text),
                endpoint,
            }),
            Provider::Azure => Account::Azure(AzureSettings {
                account: keys.azure_account.as_deref().and_then(text).or(account),
                access_key: secret(&keys.azure_key),
                sas: secret(&keys.azure_sas),
                endpoint,
            }),
        };
        let part = usize::try_from(keys.s3_part_size).ok().filter(|_| part_size_given);
        let user = keys.s3_proxy_user.clone().map(|user| (user, keys.s3_proxy_password.clone()));
        Self::Bucket(Box::new(ObjectSettings {
            bucket,
            prefix,
            key,
            part_bytes: part.unwrap_or(USUAL_PART),
            retries: usize::try_from(keys.s3_part_retries).unwrap_or_default(),
            retry_backoff: Duration::from_millis(u64::try_from(keys.s3_retry_backoff).unwrap_or_default()),
            proxy: text(&keys.s3_proxy).map(|url| (url, user)),
            account,
        }))
    }

    /// The store, to which nothing is connected yet.
    pub(crate) fn open(&self) -> Arc<dyn LakeStore> {
        match self {
            Self::Local { root, key } => Arc::new(LocalStore::new(root.clone(), key)),
            Self::Hdfs(settings) => Arc::new(HdfsStore::new(settings.clone())),
            Self::Bucket(settings) => Arc::new(BucketStore::new(settings.as_ref().clone())),
        }
    }

    /// The URL by which others find it, without a slash at its end.
    pub(crate) fn url(&self) -> String {
        let url = match self {
            Self::Local { root, .. } => {
                let root = std::path::absolute(root).unwrap_or_else(|_| root.clone());
                format!("file://{}", root.display())
            }
            Self::Hdfs(settings) => format!("{}{}", settings.cluster, settings.root),
            Self::Bucket(settings) => match &settings.account {
                Account::S3(_) => format!("s3a://{}/{}", settings.bucket, settings.prefix),
                Account::Google(_) => format!("gs://{}/{}", settings.bucket, settings.prefix),
                Account::Azure(azure) => format!(
                    "abfss://{}@{}.dfs.core.windows.net/{}",
                    settings.bucket,
                    azure.account.as_deref().unwrap_or_default(),
                    settings.prefix
                ),
            },
        };
        url.trim_end_matches('/').to_owned()
    }

    /// What logs call it.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Local { root, .. } => root.display().to_string(),
            Self::Hdfs(settings) => format!("{}{}", settings.cluster, settings.root),
            Self::Bucket(settings) => format!("the bucket {}/{}", settings.bucket, settings.prefix),
        }
    }
}

/// The role that the account assumes.
fn role(keys: &StorageConfig) -> Checked<Option<AssumedRole>> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
    let Some(arn) = given(&keys.role_arn) else { return Ok(None) };
    let Some(session_name) = given(&keys.role_session) else {
        return Err((
            "s3.credentials.provider.sts.role.session.name",
            "a role needs a name for its session".into(),
        ));
    };
    Ok(Some(AssumedRole {
        arn,
        session_name,
        external_id: given(&keys.role_external_id),
        seconds: u32::try_from(keys.sts_seconds).unwrap_or_default(),
        region: given(&keys.sts_region),
        endpoint: given(&keys.sts_endpoint),
    }))
}

fn kerberos(keys: &StorageConfig) -> Checked<Option<Kerberos>> {
    if !keys.kerberos {
        return Ok(None);
    }
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let kerberos = Kerberos {
        principal: text(&keys.principal),
        keytab: text(&keys.keytab),
        namenode_principal: text(&keys.namenode_principal),
    };
    if kerberos.keytab.is_some() && kerberos.principal.is_none() {
        return Err(("connect.hdfs.principal", "connect.hdfs.keytab needs to know whose key to take".into()));
    }
    Ok(Some(kerberos))
}

#[cfg(test)]
mod tests {
    use lavka_api::config::{Config, ConfigSpec as _};

    use super::*;

    fn storage<const N: usize>(entries: [(&str, &str); N]) -> Checked<Storage> {
        Storage::of(&StorageConfig::from_config(&Config::from(entries)).unwrap(), false)
    }

    #[test]
    fn the_url_or_the_bucket_says_what_it_is() {
        for (entries, name) in [
            ([("store.url", "file:///data"), ("hdfs.url", "hdfs://x")], "/data"),
            ([("store.url", ""), ("hdfs.url", "hdfs://nn:8020")], "hdfs://nn:8020"),
            ([("store.url", "s3a://b/x"), ("s3.region", "eu-west-1")], "the bucket b/x"),
            ([("store.url", "http://127.0.0.1:9000"), ("s3.bucket.name", "b")], "the bucket b/"),
            ([("aws.s3.endpoint", "http://127.0.0.1:9000"), ("aws.s3.bucket.name", "b")], "the bucket b/"),
            ([("store.url", "abfss://c@a.dfs.core.windows.net/"), ("s3.region", "")], "the bucket c/"),
        ] {
            assert_eq!(storage(entries).unwrap().name(), name, "{entries:?}");
        }
    }

    #[test]
    fn what_is_missing_or_contradicts_is_named() {
        for (entries, key) in [
            ([("topics.dir", "t"), ("store.url", " ")], "store.url"),
            ([("store.url", "ftp://x/y"), ("a", "b")], "store.url"),
            (
                [("store.url", "/x"), ("storage.class", "io.confluent.connect.s3.storage.S3Storage")],
                "s3.bucket.name",
            ),
            ([("s3.bucket.name", "b"), ("storage.class", "a.HdfsStorage")], "storage.class"),
        ] {
            assert_eq!(storage(entries).unwrap_err().0, key, "{entries:?}");
        }
        let kerberos = [
            ("store.url", "hdfs://nn"),
            ("hdfs.authentication.kerberos", "true"),
            ("connect.hdfs.keytab", "/k"),
        ];
        assert_eq!(storage(kerberos).unwrap_err().0, "connect.hdfs.principal");
    }

    #[test]
    fn secrets_are_not_shown() {
        let storage = storage([("s3.bucket.name", "b"), ("aws.secret.access.key", "very-secret")]).unwrap();
        assert!(!format!("{storage:?}").contains("very-secret"));
    }
}
