//! The clients of the object stores: the requests are object_store's, HTTP and TLS our own.

use std::sync::Arc;
use std::time::Duration;

use lavka_api::{Error, Result};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::multipart::MultipartStore;
use object_store::{BackoffConfig, ClientOptions, RetryConfig};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use super::settings::{Account, AzureSettings, GoogleSettings, ObjectSettings, S3Settings};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence on a connection for longer than this is an error.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(60);
/// Credentials and payloads of a request that is repeated are not renewed.
const LONGEST_RETRY: Duration = Duration::from_secs(120);
const MAX_BACKOFF: Duration = Duration::from_secs(15);

/// What the sink asks of an object store.
pub(super) trait Client: object_store::ObjectStore + MultipartStore {}

impl<T: object_store::ObjectStore + MultipartStore> Client for T {}

/// Sets up the client; nothing is connected to. Reads the system's certificates, so it blocks.
pub(super) fn client(settings: &ObjectSettings) -> Result<Arc<dyn Client>> {
    let http = Http { proxy: settings.proxy.clone() };
    let retry = RetryConfig {
        backoff: BackoffConfig { init_backoff: settings.retry_backoff, max_backoff: MAX_BACKOFF, base: 2.0 },
        max_retries: settings.retries,
        retry_timeout: LONGEST_RETRY,
    };
    let made: object_store::Result<Arc<dyn Client>> = match &settings.account {
        Account::S3(account) => s3(account)
            .with_bucket_name(&settings.bucket)
            .with_retry(retry)
            .with_http_connector(http)
            .build()
            .map(|client| Arc::new(client) as _),
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
    made.map_err(|error| {
        Error::config(format!(
            "{}: the client of the bucket {} cannot be set up: {}",
            settings.key,
            settings.bucket,
            super::errors::without_queries(&error.to_string())
        ))
    })
}

fn s3(account: &S3Settings) -> AmazonS3Builder {
    let mut builder = AmazonS3Builder::from_env().with_virtual_hosted_style_request(!account.path_style);
    if let Some(region) = &account.region {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &account.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
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
        builder = builder.with_base_url(endpoint).with_client_options(options(endpoint)).with_skip_signature(
            account.service_account.is_none()
                && account.service_account_path.is_none()
                && endpoint.starts_with("http://"),
        );
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

#[derive(Debug)]
struct Http {
    proxy: Option<(String, Option<(String, lavka_api::config::Password)>)>,
}

impl HttpConnector for Http {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
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
        if let Some((url, user)) = &self.proxy {
            let mut proxy = reqwest::Proxy::all(url).map_err(|error| generic(error.without_url().into()))?;
            if let Some((name, password)) = user {
                proxy = proxy.basic_auth(name, password.reveal());
            }
            builder = builder.proxy(proxy);
        }
        let client = builder.build().map_err(|error| generic(error.without_url().into()))?;
        Ok(HttpClient::new(client))
    }
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
