//! Roles that are assumed: credentials for some time from Amazon's Security Token Service (its `AssumeRole`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use object_store::CredentialProvider;
use object_store::aws::{AwsAuthorizer, AwsCredential, AwsCredentialProvider};
use object_store::client::{HttpRequest, HttpRequestBody};
use object_store::signer::{HeaderValue, Method};

use super::s3::text_of;
use super::settings::AssumedRole;

const GLOBAL: &str = "https://sts.amazonaws.com";
/// The region that the global endpoint is signed for.
const GLOBAL_REGION: &str = "us-east-1";
/// New credentials are asked for this long before the old ones end.
const MARGIN: Duration = Duration::from_secs(300);
/// More of an answer than this helps nobody.
const MAX_ANSWER: usize = 300;

/// Credentials of a role.
pub(super) struct RoleCredentials {
    role: AssumedRole,
    /// Who asks for the role.
    base: AwsCredentialProvider,
    http: reqwest::Client,
    held: Mutex<Option<(Arc<AwsCredential>, Instant)>>,
}

/// Why there are no credentials.
enum Failure {
    /// The service has said no.
    Refused(String),
    Other(Box<dyn std::error::Error + Send + Sync>),
}

impl<E: Into<Box<dyn std::error::Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Credentials are not shown.
impl fmt::Debug for RoleCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoleCredentials").field("role", &self.role).finish_non_exhaustive()
    }
}

impl RoleCredentials {
    pub(super) fn new(role: AssumedRole, base: AwsCredentialProvider, http: reqwest::Client) -> Self {
        Self { role, base, http, held: Mutex::new(None) }
    }

    fn held(&self) -> Option<Arc<AwsCredential>> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.as_ref().filter(|(_, end)| Instant::now() < *end).map(|(credential, _)| Arc::clone(credential))
    }

    async fn ask(&self) -> Result<AwsCredential, Failure> {
        let (endpoint, region) = endpoint(&self.role);
        let body = form(&self.role);
        let mut request = HttpRequest::new(HttpRequestBody::from(body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = format!("{endpoint}/").parse()?;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert("content-type", kind);
        let credential = self.base.get_credential().await?;
        AwsAuthorizer::new(&credential, "sts", &region).try_authorize(&mut request, None)?;
        let sent = self.http.post(format!("{endpoint}/")).headers(request.headers().clone()).body(body);
        let answer = sent.send().await.map_err(reqwest::Error::without_url)?;
        let status = answer.status();
        let text = text_of(answer).await.map_err(reqwest::Error::without_url)?;
        if !status.is_success() {
            let text: String = text.chars().take(MAX_ANSWER).collect();
            let text = format!("the role is not given: {status}: {text}");
            // Who may not have it is not helped by another try.
            return Err(if status.as_u16() == 403 { Failure::Refused(text) } else { Failure::from(text) });
        }
        credential_in(&text).ok_or_else(|| "the answer about the role has no credentials in it".into())
    }
}

#[async_trait]
impl CredentialProvider for RoleCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        if let Some(credential) = self.held() {
            return Ok(credential);
        }
        let asked = Instant::now();
        let credential = self.ask().await.map_err(|failure| match failure {
            Failure::Refused(text) => {
                object_store::Error::Unauthenticated { path: self.role.arn.clone(), source: text.into() }
            }
            Failure::Other(source) => object_store::Error::Generic { store: "STS", source },
        });
        let credential = Arc::new(credential?);
        let end = asked + Duration::from_secs(self.role.seconds.into()).saturating_sub(MARGIN);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((Arc::clone(&credential), end));
        Ok(credential)
    }
}

/// The service's URL, and the region that requests to it are signed for.
fn endpoint(role: &AssumedRole) -> (String, String) {
    let region = role.region.as_deref().unwrap_or(GLOBAL_REGION);
    match role.endpoint.as_deref().map(|endpoint| endpoint.trim_end_matches('/')) {
        Some(endpoint) if endpoint != GLOBAL => (endpoint.to_owned(), region.to_owned()),
        Some(_) => (GLOBAL.to_owned(), GLOBAL_REGION.to_owned()),
        None if role.region.is_some() => (format!("https://sts.{region}.amazonaws.com"), region.to_owned()),
        None => (GLOBAL.to_owned(), GLOBAL_REGION.to_owned()),
    }
}

fn form(role: &AssumedRole) -> String {
    let mut form = String::from("Action=AssumeRole&Version=2011-06-15");
    let seconds = role.seconds.to_string();
    let fields = [
        ("RoleArn", Some(role.arn.as_str())),
        ("RoleSessionName", Some(role.session_name.as_str())),
        ("DurationSeconds", Some(seconds.as_str())),
        ("ExternalId", role.external_id.as_deref()),
    ];
    for (name, value) in fields {
        let Some(value) = value else { continue };
        form.push('&');
        form.push_str(name);
        form.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    form.push(char::from(byte));
                }
                byte => form.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    form
}

fn credential_in(text: &str) -> Option<AwsCredential> {
    let element = |name: &str| {
        let (_, behind) = text.split_once(&format!("<{name}>"))?;
        let (content, _) = behind.split_once("</")?;
        Some(content.trim().to_owned()).filter(|content| !content.is_empty())
    };
    Some(AwsCredential {
        key_id: element("AccessKeyId")?,
        secret_key: element("SecretAccessKey")?,
        token: Some(element("SessionToken")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role() -> AssumedRole {
        AssumedRole {
            arn: "arn:aws:iam::1:role/lake".into(),
            session_name: "lavka".into(),
            external_id: None,
            seconds: 900,
            region: None,
            endpoint: None,
        }
    }

    #[test]
    fn the_region_says_where_to_ask() {
        let of = |region: Option<&str>, endpoint: Option<&str>| {
            let text = |text: Option<&str>| text.map(str::to_owned);
            let (url, region) =
                super::endpoint(&AssumedRole { region: text(region), endpoint: text(endpoint), ..role() });
            format!("{url} {region}")
        };
        assert_eq!(of(None, None), "https://sts.amazonaws.com us-east-1");
        assert_eq!(of(Some("eu-west-1"), None), "https://sts.eu-west-1.amazonaws.com eu-west-1");
        assert_eq!(
            of(Some("eu-west-1"), Some("https://sts.amazonaws.com")),
            "https://sts.amazonaws.com us-east-1"
        );
        assert_eq!(of(Some("eu-west-1"), Some("http://sts:4000/")), "http://sts:4000 eu-west-1");
    }

    #[test]
    fn what_is_asked_and_answered() {
        let role = AssumedRole { external_id: Some("a b".into()), ..role() };
        assert_eq!(
            form(&role),
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Flake&RoleSessionName=lavka\
             &DurationSeconds=900&ExternalId=a%20b"
        );
        let answer = "<AssumeRoleResponse><Credentials><AccessKeyId>K</AccessKeyId><SecretAccessKey>S/+=</SecretAccessKey>\
                      <SessionToken>T</SessionToken></Credentials></AssumeRoleResponse>";
        let found = credential_in(answer).unwrap();
        assert_eq!((&*found.key_id, &*found.secret_key, found.token.as_deref()), ("K", "S/+=", Some("T")));
        for broken in ["", "<AccessKeyId>", "<AccessKeyId></AccessKeyId>", "<AccessKeyId>K</AccessKeyId>"] {
            assert_eq!(credential_in(broken), None, "{broken}");
        }
    }
}
