//! Which bucket, and who asks.

use std::time::Duration;

use lavka_api::config::Password;

/// Whose object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provider {
    /// S3 and what speaks its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage and Data Lake.
    Azure,
}

/// A bucket, and how to speak with its store.
#[derive(Debug, Clone)]
pub struct ObjectSettings {
    /// Bucket, or container.
    pub bucket: String,
    /// What all names begin with; empty, or without slashes at its ends.
    pub prefix: String,
    /// The configuration key that says so, for error texts.
    pub key: &'static str,
    /// Bytes of a part of an upload. Files below it are one object from the start; S3 wants at least 5 MiB.
    pub part_bytes: usize,
    /// Times that a request is repeated.
    pub retries: usize,
    /// Wait before the first repetition; it doubles from one to the next.
    pub retry_backoff: Duration,
    /// A proxy for all requests, `http://host:port`, with user and password where it wants them.
    pub proxy: Option<(String, Option<(String, Password)>)>,
    /// What is particular to the provider.
    pub account: Account,
}

/// Settings of one provider.
#[derive(Debug, Clone)]
pub enum Account {
    /// See [`S3Settings`].
    S3(S3Settings),
    /// See [`GoogleSettings`].
    Google(GoogleSettings),
    /// See [`AzureSettings`].
    Azure(AzureSettings),
}

/// S3. What is not given comes from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, web
/// identity tokens) or the instance's metadata.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// `s3.region`.
    pub region: Option<String>,
    /// The URL of another server than Amazon's; with `http://`, without TLS.
    pub endpoint: Option<String>,
    /// The key's id.
    pub access_key_id: Option<String>,
    /// The key.
    pub secret_access_key: Option<Password>,
    /// Whether the bucket is in the path rather than in the host's name.
    pub path_style: bool,
    /// Whether requests go to Amazon's accelerated endpoint of the bucket.
    pub accelerated: bool,
    /// The canned ACL of new objects.
    pub canned_acl: Option<String>,
    /// The role that the account takes.
    pub role: Option<Box<AssumedRole>>,
    /// Encryption that the store does: `AES256`, `aws:kms`, or none.
    pub encryption: Option<String>,
    /// The id of the key for `aws:kms`.
    pub kms_key_id: Option<String>,
    /// A key of the customer's own, in Base64.
    pub customer_key: Option<Password>,
}

/// A role of AWS that the account assumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumedRole {
    /// Its name, `arn:aws:iam::<account>:role/<name>`.
    pub arn: String,
    /// How logs of AWS call those who have assumed it.
    pub session_name: String,
    /// What the role's owner has agreed on with a third party.
    pub external_id: Option<String>,
    /// How long credentials count, in seconds: 900 to 43200.
    pub seconds: u32,
    /// The region of the service that gives them; none for the global one.
    pub region: Option<String>,
    /// The URL of another service than Amazon's.
    pub endpoint: Option<String>,
}

/// Google Cloud Storage. What is not given comes from the environment (`GOOGLE_APPLICATION_CREDENTIALS`) or the instance's
/// metadata.
#[derive(Debug, Clone, Default)]
pub struct GoogleSettings {
    /// The service account's key, as JSON.
    pub service_account: Option<Password>,
    /// The file that it is in.
    pub service_account_path: Option<String>,
    /// The URL of another server than Google's.
    pub endpoint: Option<String>,
}

/// Azure. What is not given comes from the environment (`AZURE_STORAGE_ACCOUNT_NAME`, `AZURE_CLIENT_ID` ...) or the managed
/// identity.
#[derive(Debug, Clone, Default)]
pub struct AzureSettings {
    /// The storage account.
    pub account: Option<String>,
    /// Its key.
    pub access_key: Option<Password>,
    /// A shared access signature instead, as in the URL's query.
    pub sas: Option<Password>,
    /// The URL of another server than Azure's.
    pub endpoint: Option<String>,
}
