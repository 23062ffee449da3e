//! What object_store's client of S3 does not do: canned ACLs, tags of finished objects, hosts that begin with the bucket.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use lavka_api::error::ErrorClass;
use lavka_api::{Error, Result};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredentialProvider};
use object_store::client::{HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService};
use object_store::path::Path;
use object_store::signer::{HeaderName, HeaderValue, Method, SignedUrlOptions, Signer as _};

use super::errors::explain;
use super::settings::{ObjectSettings, S3Settings};
use crate::failure::failure;

const ACL: HeaderName = HeaderName::from_static("x-amz-acl");
const CHECKSUM: HeaderName = HeaderName::from_static("x-amz-checksum-crc32");
const DIGEST: &str = "x-amz-content-sha256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
/// Where the builder looks when nobody says which region.
const USUAL_REGION: &str = "us-east-1";
/// How long the signature of a request counts.
const SIGNED_FOR: Duration = Duration::from_secs(300);
/// More of an answer than this helps nobody.
const MAX_ANSWER: usize = 300;

/// The URL to which names are appended, where it is not the one that object_store knows by itself.
pub(super) fn endpoint(account: &S3Settings, bucket: &str) -> Option<String> {
    if account.accelerated {
        return Some(format!("https://{bucket}.s3-accelerate.amazonaws.com"));
    }
    let endpoint = account.endpoint.as_deref()?;
    match endpoint.split_once("://") {
        // object_store takes an endpoint without paths for one that has the bucket in it.
        Some((scheme, host)) if !account.path_style => Some(format!("{scheme}://{bucket}.{host}")),
        _ => Some(endpoint.to_owned()),
    }
}

/// HTTP with a canned ACL in each request that makes an object.
#[derive(Debug)]
pub(super) struct WithAcl {
    pub(super) http: reqwest::Client,
    pub(super) acl: Arc<AclSigner>,
}

/// Whose signature the requests have.
pub(super) struct AclSigner {
    acl: HeaderValue,
    region: String,
    /// Known once the client is there, before its first request.
    credentials: OnceLock<AwsCredentialProvider>,
}

/// Credentials are not shown.
impl fmt::Debug for AclSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AclSigner").field("acl", &self.acl).finish_non_exhaustive()
    }
}

impl AclSigner {
    /// # Errors
    /// Where the ACL is none.
    pub(super) fn new(acl: &str, builder: &AmazonS3Builder) -> Result<Self> {
        let acl = HeaderValue::from_str(acl)
            .map_err(|_| Error::invalid_value("s3.acl.canned", acl, "it is no canned ACL"))?;
        let region = builder.get_config_value(&AmazonS3ConfigKey::Region);
        let region = region.unwrap_or_else(|| USUAL_REGION.into());
        Ok(Self { acl, region, credentials: OnceLock::new() })
    }

    pub(super) fn sign_as(&self, client: &AmazonS3) {
        // It is set once: there is one client.
        let _ = self.credentials.set(Arc::clone(client.credentials()));
    }

    /// Adds the ACL to a request that makes an object, and signs it anew.
    async fn add(&self, request: &mut HttpRequest) -> object_store::Result<()> {
        let Some(credentials) = self.credentials.get() else { return Ok(()) };
        if !makes_object(request) {
            return Ok(());
        }
        request.headers_mut().insert(ACL, self.acl.clone());
        let credential = credentials.get_credential().await?;
        let digest = request.headers().get(DIGEST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (is_unsigned, digest) = (digest == UNSIGNED, decoded(digest));
        AwsAuthorizer::new(&credential, "s3", &self.region)
            .with_sign_payload(!is_unsigned)
            .try_authorize(request, digest.as_deref())
    }
}

/// Whether an object comes of this request: `PutObject`, `CopyObject` and `CreateMultipartUpload` take an ACL. Requests
/// without a signature are not for S3 (credentials come over the same HTTP).
fn makes_object(request: &HttpRequest) -> bool {
    let query = request.uri().query().unwrap_or_default();
    let has = |name: &str| query.split('&').any(|part| part.split('=').next() == Some(name));
    let is_signed = request.headers().contains_key("authorization");
    is_signed
        && match *request.method() {
            Method::PUT => !has("uploadId"),
            Method::POST => has("uploads"),
            _ => false,
        }
}

/// The bytes of a SHA-256 in hexadecimal digits.
fn decoded(digest: &str) -> Option<Vec<u8>> {
    if digest.len() != 64 {
        return None;
    }
    let byte = |at: usize| u8::from_str_radix(digest.get(at..at + 2)?, 16).ok();
    (0..digest.len()).step_by(2).map(byte).collect()
}

#[async_trait]
impl HttpService for WithAcl {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let signed = self.acl.add(&mut request).await;
        signed.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        HttpService::call(&self.http, request).await
    }
}

/// Tags finished objects.
pub(super) struct Tagger {
    pub(super) client: Arc<AmazonS3>,
    pub(super) http: reqwest::Client,
}

impl Tagger {
    /// Gives an object these tags in place of those that it has (S3's `PutObjectTagging`).
    pub(super) async fn tag(
        &self,
        settings: &ObjectSettings,
        key: &Path,
        tags: &[(String, String)],
    ) -> Result<()> {
        let body = document(tags);
        let mut wait = settings.retry_backoff;
        let mut tries = 0;
        loop {
            let error = match self.put(settings, key, &body).await {
                Err(error) if error.is_retriable() && tries < settings.retries => error,
                outcome => return outcome,
            };
            tracing::debug!("{error}");
            tokio::time::sleep(wait).await;
            wait = wait.saturating_mul(2);
            tries += 1;
        }
    }

    async fn put(&self, settings: &ObjectSettings, key: &Path, body: &str) -> Result<()> {
        let (what, doing) = (format!("{key} in the bucket {}", settings.bucket), "tag");
        let checksum = BASE64.encode(crc32fast::hash(body.as_bytes()).to_be_bytes());
        let retriable = |text: &str| {
            failure(settings.key, doing, &what, &text, (ErrorClass::Retriable, "this is tried again"))
        };
        let value = HeaderValue::from_str(&checksum).map_err(|error| retriable(&error.to_string()))?;
        let options = SignedUrlOptions::new().with_query([("tagging", "")]);
        let options = options.with_signed_header(CHECKSUM, value.clone());
        let url = self.client.signed_url_opts(Method::PUT, key, SIGNED_FOR, &options).await;
        let url = url.map_err(|error| explain(settings.key, doing, &what, &error))?;
        let request = self.http.put(url).header(CHECKSUM, value).body(body.to_owned());
        // The URL has the signature in it.
        let answer = request.send().await.map_err(|error| retriable(&error.without_url().to_string()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = text_of(answer).await.unwrap_or_default();
        let text: String = text.chars().take(MAX_ANSWER).collect();
        let verdict = match status.as_u16() {
            401 | 403 => (ErrorClass::Fatal, "allow the account s3:PutObjectTagging"),
            400 | 404 | 405 | 501 => (
                ErrorClass::Fatal,
                "correct s3.object.tagging.key.value.pairs, or set s3.object.tagging=false where the store has no tags",
            ),
            _ => (ErrorClass::Retriable, "this is tried again"),
        };
        Err(failure(settings.key, doing, &what, &format!("{status}: {text}"), verdict))
    }
}

/// The text of an answer, as far as it makes sense to read one.
pub(super) async fn text_of(mut answer: reqwest::Response) -> reqwest::Result<String> {
    const MOST: usize = 64 * 1024;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        bytes.extend(chunk.into_iter().take(MOST.saturating_sub(bytes.len())));
        if bytes.len() >= MOST {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The tags as S3 wants them.
fn document(tags: &[(String, String)]) -> String {
    let mut text = String::from("<Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet>");
    for (name, value) in tags {
        text.push_str("<Tag><Key>");
        escape(name, &mut text);
        text.push_str("</Key><Value>");
        escape(value, &mut text);
        text.push_str("</Value></Tag>");
    }
    text.push_str("</TagSet></Tagging>");
    text
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_is_in_the_host_where_it_is_not_in_the_path() {
        let of = |accelerated, path_style, endpoint: Option<&str>| {
            let account = S3Settings {
                accelerated,
                path_style,
                endpoint: endpoint.map(str::to_owned),
                ..S3Settings::default()
            };
            super::endpoint(&account, "lake")
        };
        assert_eq!(of(true, false, None).unwrap(), "https://lake.s3-accelerate.amazonaws.com");
        assert_eq!(of(false, false, Some("http://store:9000")).unwrap(), "http://lake.store:9000");
        assert_eq!(of(false, true, Some("http://store:9000")).unwrap(), "http://store:9000");
        assert_eq!(of(false, false, None), None);
    }

    #[test]
    fn requests_that_make_objects_get_the_acl() {
        let request = |method: Method, uri: &str, signed: bool| {
            let mut request = HttpRequest::new(object_store::client::HttpRequestBody::empty());
            *request.method_mut() = method;
            *request.uri_mut() = uri.parse().unwrap();
            if signed {
                request.headers_mut().insert("authorization", HeaderValue::from_static("AWS4-HMAC-SHA256 x"));
            }
            makes_object(&request)
        };
        assert!(request(Method::PUT, "http://s/b/k", true));
        assert!(request(Method::POST, "http://s/b/k?uploads=", true));
        assert!(!request(Method::PUT, "http://s/b/k?partNumber=1&uploadId=x", true), "a part");
        assert!(!request(Method::POST, "http://s/b/k?uploadId=x", true), "the end of an upload");
        assert!(!request(Method::GET, "http://s/b/k", true));
        assert!(!request(Method::PUT, "http://169.254.169.254/latest/api/token", false), "credentials");
    }

    #[test]
    fn digests_are_read_back() {
        assert_eq!(decoded(&"0f".repeat(32)), Some(vec![15; 32]));
        assert_eq!(decoded(UNSIGNED), None);
        assert_eq!(decoded(&"zz".repeat(32)), None);
        assert_eq!(decoded(&"é".repeat(32)), None);
    }

    #[test]
    fn tags_are_escaped() {
        let tags = [("a&b".to_owned(), "<1>".to_owned())];
        assert!(document(&tags).contains("<Tag><Key>a&amp;b</Key><Value>&lt;1&gt;</Value></Tag>"));
    }
}
