//! Buckets of a test's S3 server, and stores in buckets of any.

use std::time::Duration;

use lavka_api::config::Password;
use lavka_connector_lake::store::{Account, BucketStore, ObjectSettings, S3Settings};
use lavka_testkit::{S3Server, unique};

/// The smallest part of an upload that S3 takes.
pub(crate) const PART: usize = 5 * 1024 * 1024;

/// Makes a bucket whose name begins with `prefix`.
pub(crate) fn bucket(server: &S3Server, prefix: &str) -> String {
    let name = name(prefix);
    server.create_bucket(&name);
    name
}

/// A name that begins with `prefix`, and that every object store takes for a bucket.
pub(crate) fn name(prefix: &str) -> String {
    unique(prefix).to_lowercase().replace('_', "-")
}

pub(crate) fn store(server: &S3Server, bucket: &str) -> BucketStore {
    let account = S3Settings {
        region: Some("us-west-2".into()),
        endpoint: Some(server.url()),
        access_key_id: Some(S3Server::KEY_ID.into()),
        secret_access_key: Some(Password::new(S3Server::SECRET)),
        path_style: true,
        ..S3Settings::default()
    };
    store_below(bucket, "", "s3.bucket.name", Account::S3(account))
}

/// What is below `prefix` in a bucket of anybody's, which the configuration names by `key`.
pub(crate) fn store_below(bucket: &str, prefix: &str, key: &'static str, account: Account) -> BucketStore {
    BucketStore::new(ObjectSettings {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        key,
        part_bytes: PART,
        retries: 2,
        retry_backoff: Duration::from_millis(50),
        proxy: None,
        account,
    })
}
