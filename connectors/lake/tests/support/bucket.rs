//! Buckets of a test's S3 server.

use std::time::Duration;

use lavka_api::config::Password;
use lavka_connector_lake::store::{Account, BucketStore, ObjectSettings, S3Settings};
use lavka_testkit::{S3Server, unique};

/// The smallest part of an upload that S3 takes.
pub(crate) const PART: usize = 5 * 1024 * 1024;

/// Makes a bucket whose name begins with `prefix`.
pub(crate) fn bucket(server: &S3Server, prefix: &str) -> String {
    let name = unique(prefix).to_lowercase().replace('_', "-");
    server.create_bucket(&name);
    name
}

pub(crate) fn store(server: &S3Server, bucket: &str) -> BucketStore {
    BucketStore::new(ObjectSettings {
        bucket: bucket.to_owned(),
        prefix: String::new(),
        key: "s3.bucket.name",
        part_bytes: PART,
        retries: 2,
        retry_backoff: Duration::from_millis(50),
        proxy: None,
        account: Account::S3(S3Settings {
            region: Some("us-west-2".into()),
            endpoint: Some(server.url()),
            access_key_id: Some(S3Server::KEY_ID.into()),
            secret_access_key: Some(Password::new(S3Server::SECRET)),
            path_style: true,
            ..S3Settings::default()
        }),
    })
}
