//! The clients of the object stores: the requests are object_store's, HTTP and TLS our own.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::{GcpCredential, GoogleCloudStorageBuilder};
use object_store::multipart::MultipartStore;
use object_store::{BackoffConfig, ClientOptions, RetryConfig, StaticCredentialProvider};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::role::RoleCredentials;
use super::s3::{AclSigner, Tagger, WithAcl, endpoint};
use super::settings::{Account, AzureSettings, GoogleSettings, ObjectSettings, S3Settings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence on a connection for longer than this is an error.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(60);
/// Credentials and payloads of a request that is repeated are not renewed.
const LONGEST_RETRY: Duration = Duration::from_secs(120);
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// What the sink asks of an object store.
pub(super) trait Client: object_store::ObjectStore + MultipartStore {}

impl<T: object_store::ObjectStore + MultipartStore> Client for T {}

/// What speaks with a store.
pub(super) struct Clients {
    pub(super) store: Arc<dyn Client>,
    /// Tags objects, where the store is S3.
    pub(super) tagger: Option<Tagger>,
}

/// Sets up the clients; nothing is connected to. Reads the system's certificates, so it blocks.
pub(super) fn clients(settings: &ObjectSettings) -> Result<Clients> {
    let refused = |error: object_store::Error| {
        Error::config(format!(
            "{}: the client of the bucket {} cannot be set up: {}",
            settings.key,
            settings.bucket,
            super::errors::without_queries(&error.to_string())
        ))
    };
    let client = http(settings).map_err(refused)?;
    let http = Http { client: client.clone(), acl: None };
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: settings.retry_backoff, max_backoff: MAX_BACKOFF, base: 2.0 },
        max_retries: settings.retries,
        retry_timeout: LONGEST_RETRY,
    };
    let made: object_store::Result<Arc<dyn Client>> = match &settings.account {
        Account::S3(account) => {
            let mut builder = s3(account, &settings.bucket).with_retry(retry);
            if let Some(role) = &account.role {
                // One that is never asked knows where the account's own credentials are.
                let connector = Http { client: client.clone(), acl: None };
                let base = builder.clone().with_http_connector(connector).build().map_err(refused)?;
                let base = Arc::clone(base.credentials());
                let role = RoleCredentials::new(role.as_ref().clone(), base, client.clone());
                builder = builder.with_credentials(Arc::new(role));
            }
            let acl = account.canned_acl.as_deref().map(|acl| AclSigner::new(acl, &builder).map(Arc::new));
            let acl = acl.transpose()?;
            let http = Http { acl: acl.clone(), ..http };
            let store = Arc::new(builder.with_http_connector(http).build().map_err(refused)?);
            acl.iter().for_each(|acl| acl.sign_as(&store));
            let tagger = Tagger { client: Arc::clone(&store), http: client };
            return Ok(Clients { store, tagger: Some(tagger) });
        }
        Account::Google(account) => google(account)
            .with_bucket_name(&settings.bucket)
            .with_retry(retry)
            .with_http_connector(http)
            .build()
            .map(|client| Arc::new(client) as _),
        Account::Azure(account) => azure(account)
            .with_container_name(&settings.bucket)
            .with_retry(retry)
            .with_http_connector(http)
            .build()
            .map(|client| Arc::new(client) as _),
    };
    Ok(Clients { store: made.map_err(refused)?, tagger: None })
}

fn s3(account: &S3Settings, bucket: &str) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::from_env()
        .with_bucket_name(bucket)
        .with_virtual_hosted_style_request(!account.path_style || account.accelerated);
    if let Some(region) = &account.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = endpoint(account, bucket) {
        let is_plain = endpoint.starts_with("http://");
        builder = builder.with_endpoint(endpoint).with_allow_http(is_plain);
    }
    if let Some(id) = &account.access_key_id {
        builder = builder.with_access_key_id(id);
    }
    if let Some(secret) = &account.secret_access_key {
        builder = builder.with_secret_access_key(secret.reveal());
    }
    if let Some(key) = &account.customer_key {
        builder = builder.with_ssec_encryption(key.reveal());
    } else if account.encryption.as_deref() == Some("aws:kms") {
        builder = builder.with_sse_kms_encryption(account.kms_key_id.clone().unwrap_or_default());
    }
    builder
}

fn google(account: &GoogleSettings) -> GoogleCloudStorageBuilder {
    let mut builder = GoogleCloudStorageBuilder::from_env();
    if let Some(key) = &account.service_account {
        builder = builder.with_service_account_key(key.reveal());
    }
    if let Some(path) = &account.service_account_path {
        builder = builder.with_service_account_path(path);
    }
    if let Some(endpoint) = &account.endpoint {
        builder = builder.with_base_url(endpoint).with_client_options(options(endpoint));
        let is_anonymous = account.service_account.is_none() && account.service_account_path.is_none();
        if is_anonymous && endpoint.starts_with("http://") {
            // object_store asks for a token to write with all the same; one that is empty is not looked for anywhere.
            let nobody = GcpCredential { bearer: String::new() };
            builder = builder
                .with_skip_signature(true)
                .with_credentials(Arc::new(StaticCredentialProvider::new(nobody)));
        }
    }
    builder
}

fn azure(account: &AzureSettings) -> MicrosoftAzureBuilder {
    let mut builder = MicrosoftAzureBuilder::from_env();
    if let Some(name) = &account.account {
        builder = builder.with_account(name);
    }
    if let Some(key) = &account.access_key {
        builder = builder.with_access_key(key.reveal());
    }
    if let Some(sas) = &account.sas {
        let pairs = sas.reveal().trim_start_matches('?').split('&').filter_map(|pair| pair.split_once('='));
        builder = builder.with_sas_authorization(
            pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect::<Vec<_>>(),
        );
    }
    if let Some(endpoint) = &account.endpoint {
        builder = builder.with_endpoint(endpoint.clone()).with_allow_http(endpoint.starts_with("http://"));
    }
    builder
}

/// A value of a query without its percent signs; object_store puts them there again.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        match hex.filter(|_| first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn options(endpoint: &str) -> ClientOptions {
    ClientOptions::new().with_allow_http(endpoint.starts_with("http://"))
}

/// The HTTP of a store.
#[derive(Debug)]
struct Http {
    client: reqwest::Client,
    /// Puts a canned ACL to new objects.
    acl: Option<Arc<AclSigner>>,
}

impl HttpConnector for Http {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let http = self.client.clone();
        Ok(match &self.acl {
            Some(acl) => HttpClient::new(WithAcl { http, acl: Arc::clone(acl) }),
            None => HttpClient::new(http),
        })
    }
}

/// A client with TLS on ring and the system's certificates, which it reads.
fn http(settings: &ObjectSettings) -> object_store::Result<reqwest::Client> {
    let generic = |source: Box<dyn std::error::Error + Send + Sync>| object_store::Error::Generic {
        store: "HTTP",
        source,
    };
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Old stores hold certificates that rustls cannot use; they are no reason to refuse the others.
    roots.add_parsable_certificates(found.certs);
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| generic(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .user_agent(concat!("lavka/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .http1_only()
        .no_proxy();
    if let Some((url, user)) = &settings.proxy {
        let mut proxy = reqwest::Proxy::all(url).map_err(|error| generic(error.without_url().into()))?;
        if let Some((name, password)) = user {
            proxy = proxy.basic_auth(name, password.reveal());
        }
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|error| generic(error.without_url().into()))
}

#[cfg(test)]
mod tests {
    use super::decoded;

    #[test]
    fn signatures_are_decoded_once() {
        assert_eq!(decoded("a%2Bb%3d%"), "a+b=%");
        assert_eq!(decoded("%zz%e9"), "%zz\u{fffd}");
    }
}
