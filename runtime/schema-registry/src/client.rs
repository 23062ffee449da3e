//! The client: requests, repetitions, failover and caches.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lavka_api::{Error, ErrorClass, Result};

use crate::aging::AgingCache;
use crate::answer::{self, Described};
use crate::config::{RegistryConfig, millis, seconds, size};
use crate::failure;
use crate::retry::RetryPolicy;
use crate::schema::{
    Dependency, Guid, Reference, RegisteredSchema, ResolvedSchema, SchemaId, SchemaKey, SchemaText,
};
use crate::transport::{Answer, Method, Request, Transport, push_encoded};

/// A schema refers to no more others than this, directly or not.
const MAX_DEPENDENCIES: usize = 1000;

/// A client of one registry. Cloning copies a pointer; clones share caches and connections.
///
/// What cannot change is asked for once: the schema of an id, of a GUID, of a version. Reading `latest` and registering
/// always ask; [`Session`](crate::Session) remembers those.
#[derive(Clone)]
pub struct Registry(Arc<Shared>);

struct Shared {
    transport: Arc<dyn Transport>,
    policy: RetryPolicy,
    /// The URL that answered last.
    preferred: AtomicUsize,
    random: RandomState,
    caches: Mutex<Caches>,
}

struct Caches {
    schemas: AgingCache<(Box<str>, SchemaKey), Arc<ResolvedSchema>>,
    versions: AgingCache<(Box<str>, i32), Arc<Described>>,
    subject_versions: AgingCache<(Box<str>, SchemaText), Option<i32>>,
    missing_keys: AgingCache<(Box<str>, SchemaKey), Error>,
    missing_versions: AgingCache<(Box<str>, i32), Error>,
    missing_schemas: AgingCache<(Box<str>, SchemaText), Error>,
}

impl Registry {
    /// A client that sends its requests by `transport`; of `config` it takes repetitions and sizes of caches.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, config: &RegistryConfig) -> Self {
        let (schemas, missing) = (size(config.max_schemas), size(config.missing_size));
        let random = RandomState::new();
        let first = if config.randomize {
            usize::try_from(random.hash_one(0) % 4096).unwrap_or(0) % transport.urls().len().max(1)
        } else {
            0
        };
        Self(Arc::new(Shared {
            policy: RetryPolicy {
                retries: u32::try_from(config.max_retries).unwrap_or(0),
                first: millis(config.retries_wait),
                longest: millis(config.retries_max_wait),
            },
            preferred: AtomicUsize::new(first),
            random,
            transport,
            caches: Mutex::new(Caches {
                schemas: AgingCache::new(schemas, None),
                versions: AgingCache::new(schemas, None),
                subject_versions: AgingCache::new(schemas, None),
                missing_keys: AgingCache::new(missing, Some(seconds(config.missing_id_ttl))),
                missing_versions: AgingCache::new(missing, Some(seconds(config.missing_version_ttl))),
                missing_schemas: AgingCache::new(missing, Some(seconds(config.missing_schema_ttl))),
            }),
        }))
    }

    /// Registers `schema` under `subject`; one that is there already keeps its id.
    ///
    /// # Errors
    /// By what the registry answers: see [the crate's documentation](crate).
    pub async fn register(
        &self,
        subject: &str,
        schema: &SchemaText,
        normalize: bool,
    ) -> Result<RegisteredSchema> {
        let doing = format!("registering a schema of type {} under subject {subject}", schema.ty());
        let mut path = subject_path(subject);
        path.push_str("/versions");
        if normalize {
            path.push_str("?normalize=true");
        }
        let request = Request { method: Method::Post, path, body: answer::body(schema) };
        let described = self.described(&doing, &request).await?;
        Ok(self.under(subject, described, schema.clone()))
    }

    /// Looks `schema` up under `subject`.
    ///
    /// # Errors
    /// A data error where it is not there (status 404); otherwise by what the registry answers.
    pub async fn look_up(
        &self,
        subject: &str,
        schema: &SchemaText,
        normalize: bool,
    ) -> Result<RegisteredSchema> {
        let key = (Box::from(subject), schema.clone());
        if let Some(error) = self.caches().missing_schemas.get(&key, now()) {
            return Err(error);
        }
        let doing = format!("looking up a schema of type {} under subject {subject}", schema.ty());
        let mut path = subject_path(subject);
        if normalize {
            path.push_str("?normalize=true");
        }
        let request = Request { method: Method::Post, path, body: answer::body(schema) };
        match self.described(&doing, &request).await {
            Ok(described) => Ok(self.under(subject, described, schema.clone())),
            Err(Failed { error, status }) => {
                if status == Some(404) {
                    self.caches().missing_schemas.put(key, error.clone(), now());
                }
                Err(error)
            }
        }
    }

    /// The version that `schema` has under `subject`, deleted ones included; `None` where it is not under it.
    ///
    /// # Errors
    /// By what the registry answers.
    pub async fn version_of(&self, subject: &str, schema: &SchemaText) -> Result<Option<i32>> {
        let key = (Box::from(subject), schema.clone());
        if let Some(version) = self.caches().subject_versions.get(&key, now()) {
            return Ok(version);
        }
        let doing =
            format!("looking up the version of a schema of type {} under subject {subject}", schema.ty());
        let mut path = subject_path(subject);
        path.push_str("?deleted=true");
        let request = Request { method: Method::Post, path, body: answer::body(schema) };
        let version = match self.described(&doing, &request).await {
            Ok(described) => described.version,
            Err(Failed { status: Some(404), .. }) => None,
            Err(failed) => return Err(failed.error),
        };
        self.caches().subject_versions.put(key, version, now());
        Ok(version)
    }

    /// The schema of `id`, with all that it refers to. `subject` tells the registry in which context to look.
    ///
    /// # Errors
    /// A data error where there is none (status 404); otherwise by what the registry answers.
    pub async fn by_id(&self, id: SchemaId, subject: Option<&str>) -> Result<Arc<ResolvedSchema>> {
        self.by_key(SchemaKey::Id(id), subject).await
    }

    /// The schema of `guid`, with all that it refers to.
    ///
    /// # Errors
    /// As [`by_id`](Self::by_id).
    pub async fn by_guid(&self, guid: Guid) -> Result<Arc<ResolvedSchema>> {
        self.by_key(SchemaKey::Guid(guid), None).await
    }

    /// The schema that a message calls `key`, with all that it refers to; `subject` is the one of the message.
    ///
    /// # Errors
    /// As [`by_id`](Self::by_id).
    pub async fn by_key(&self, key: SchemaKey, subject: Option<&str>) -> Result<Arc<ResolvedSchema>> {
        let context = subject.map_or("", context_of);
        let cached = (Box::from(context), key);
        {
            let mut caches = self.caches();
            if let Some(schema) = caches.schemas.get(&cached, now()) {
                return Ok(schema);
            }
            if let Some(error) = caches.missing_keys.get(&cached, now()) {
                return Err(error);
            }
        }
        let described = match self.read_key(key, subject).await {
            Ok(described) => described,
            Err(Failed { error, status }) => {
                if status == Some(404) {
                    self.caches().missing_keys.put(cached, error.clone(), now());
                }
                return Err(error);
            }
        };
        let Some(schema) = described.schema else {
            return Err(self.garbled(&format!("retrieving the schema of {key}"), "schema is missing"));
        };
        let resolved = self.resolve(&schema, context).await?;
        let schema = Arc::new(ResolvedSchema { rules: described.rules, ..resolved });
        self.caches().schemas.put(cached, Arc::clone(&schema), now());
        Ok(schema)
    }

    /// The GUID that the registry has for `id`, where it says one.
    pub(crate) async fn guid_of(&self, id: SchemaId, subject: &str) -> Result<Option<Guid>> {
        Ok(self.read_key(SchemaKey::Id(id), Some(subject)).await?.guid)
    }

    async fn read_key(&self, key: SchemaKey, subject: Option<&str>) -> Result<Described, Failed> {
        let mut path = match key {
            SchemaKey::Id(id) => format!("/schemas/ids/{id}"),
            SchemaKey::Guid(guid) => format!("/schemas/guids/{guid}"),
        };
        let mut doing = format!("retrieving the schema of {key}");
        if let (SchemaKey::Id(_), Some(subject)) = (key, subject) {
            path.push_str("?subject=");
            push_encoded(&mut path, subject);
            doing.push_str(" for subject ");
            doing.push_str(subject);
        }
        self.described(&doing, &Request { method: Method::Get, path, body: Vec::new() }).await
    }

    /// The newest schema of `subject`. Asks each time.
    ///
    /// # Errors
    /// A data error where there is none (status 404); otherwise by what the registry answers.
    pub async fn latest(&self, subject: &str) -> Result<RegisteredSchema> {
        let mut path = subject_path(subject);
        path.push_str("/versions/latest");
        let doing = format!("retrieving the latest version of subject {subject}");
        let request = Request { method: Method::Get, path, body: Vec::new() };
        let described = self.described(&doing, &request).await?;
        self.resolved(&doing, subject, described).await
    }

    /// Version `version` of `subject`, with all that it refers to.
    ///
    /// # Errors
    /// As [`latest`](Self::latest).
    pub async fn version(&self, subject: &str, version: i32) -> Result<RegisteredSchema> {
        let doing = format!("retrieving version {version} of subject {subject}");
        let described = self.read_version(subject, version).await?;
        let described =
            Described { schema: described.schema.clone(), rules: described.rules.clone(), ..*described };
        self.resolved(&doing, subject, described).await
    }

    /// `schema` with all that it refers to; subjects of references without a context are in that of `subject`.
    ///
    /// # Errors
    /// A data error for references that lead nowhere, in a circle, or to too many schemas; otherwise by what the
    /// registry answers.
    pub async fn resolve(&self, schema: &SchemaText, subject: &str) -> Result<ResolvedSchema> {
        let context = context_of(subject);
        let mut found: Vec<Dependency> = Vec::new();
        let mut known: HashSet<Arc<str>> = HashSet::new();
        // Those on the way down, each with the next of its references to look at.
        let mut open: Vec<(Option<Arc<str>>, SchemaText, usize)> = vec![(None, schema.clone(), 0)];
        while let Some((name, text, next)) = open.last_mut() {
            let Some(reference) = text.references().get(*next).cloned() else {
                if let Some(name) = name.take() {
                    found.push(Dependency { name, schema: text.clone() });
                }
                open.pop();
                continue;
            };
            *next += 1;
            if !known.insert(Arc::clone(&reference.name)) {
                continue;
            }
            if known.len() > MAX_DEPENDENCIES {
                return Err(Error::data(format!(
                    "The schema of subject {subject} refers to more than {MAX_DEPENDENCIES} others"
                )));
            }
            let text = self.referred(&reference, context).await?;
            open.push((Some(reference.name), text, 0));
        }
        Ok(ResolvedSchema { dependencies: found, ..ResolvedSchema::alone(schema.clone()) })
    }

    async fn referred(&self, reference: &Reference, context: &str) -> Result<SchemaText> {
        let subject = if reference.subject.starts_with(":.") {
            reference.subject.to_string()
        } else {
            format!("{context}{}", reference.subject)
        };
        let described = self.read_version(&subject, reference.version).await?;
        described.schema.clone().ok_or_else(|| {
            self.garbled(
                &format!("retrieving version {} of subject {subject}", reference.version),
                "schema is missing",
            )
        })
    }

    async fn read_version(&self, subject: &str, version: i32) -> Result<Arc<Described>> {
        let key = (Box::from(subject), version);
        {
            let mut caches = self.caches();
            if let Some(described) = caches.versions.get(&key, now()) {
                return Ok(described);
            }
            if let Some(error) = caches.missing_versions.get(&key, now()) {
                return Err(error);
            }
        }
        let doing = format!("retrieving version {version} of subject {subject}");
        // A schema may refer to a version that was deleted since.
        let path = format!("{}/versions/{version}?deleted=true", subject_path(subject));
        match self.described(&doing, &Request { method: Method::Get, path, body: Vec::new() }).await {
            Ok(described) => {
                let described = Arc::new(described);
                self.caches().versions.put(key, Arc::clone(&described), now());
                Ok(described)
            }
            Err(Failed { error, status }) => {
                if status == Some(404) {
                    self.caches().missing_versions.put(key, error.clone(), now());
                }
                Err(error)
            }
        }
    }

    async fn resolved(&self, doing: &str, subject: &str, described: Described) -> Result<RegisteredSchema> {
        let Some(schema) = described.schema else { return Err(self.garbled(doing, "schema is missing")) };
        Ok(RegisteredSchema {
            subject: subject.into(),
            id: described.id,
            guid: described.guid,
            version: described.version,
            schema: ResolvedSchema { rules: described.rules, ..self.resolve(&schema, subject).await? },
        })
    }

    /// What was registered or found under `subject` when `schema` was asked for.
    fn under(&self, subject: &str, described: Described, schema: SchemaText) -> RegisteredSchema {
        RegisteredSchema {
            subject: subject.into(),
            id: described.id,
            guid: described.guid,
            version: described.version,
            schema: ResolvedSchema { rules: described.rules, ..ResolvedSchema::alone(schema) },
        }
    }

    async fn described(&self, doing: &str, request: &Request) -> Result<Described, Failed> {
        let (url, answer) = self.exchange(doing, request).await?;
        Described::read(&answer.body)
            .map_err(|what| Failed { error: failure::garbled(doing, self.url(url), &what), status: None })
    }

    /// Sends `request`, repeated over the URLs, and gives the answer where it is a success.
    async fn exchange(&self, doing: &str, request: &Request) -> Result<(usize, Answer), Failed> {
        let shared = &*self.0;
        let count = shared.transport.urls().len().max(1);
        for round in 0.. {
            let first = shared.preferred.load(Ordering::Relaxed);
            let mut failed = None;
            for url in (0..count).map(|at| (first + at) % count) {
                match shared.transport.exchange(url, request).await {
                    Ok(answer) if (200..300).contains(&answer.status) => {
                        shared.preferred.store(url, Ordering::Relaxed);
                        return Ok((url, answer));
                    }
                    Ok(answer) => {
                        let error = failure::refused(doing, self.url(url), &answer);
                        let status = Some(answer.status);
                        if !RetryPolicy::repeats(answer.status) {
                            return Err(Failed { error, status });
                        }
                        failed = Some(Failed { error, status });
                    }
                    Err(trouble) => {
                        let error = failure::unreachable(doing, self.url(url), &trouble);
                        if !trouble.passes {
                            return Err(Failed { error, status: None });
                        }
                        failed = Some(Failed { error, status: None });
                    }
                }
            }
            let failed = failed.unwrap_or_else(|| Failed {
                error: Error::config("schema.registry.url names no registry"),
                status: None,
            });
            if round >= shared.policy.retries || failed.error.class() != ErrorClass::Retriable {
                return Err(failed);
            }
            let wait = shared.policy.wait(round, shared.random.hash_one((round, now())));
            tracing::debug!("{}; trying again in {wait:?}", failed.error);
            tokio::time::sleep(wait).await;
        }
        Err(Failed { error: Error::fatal("the number of tries has run over"), status: None })
    }

    fn url(&self, at: usize) -> &str {
        self.0.transport.urls().get(at).map_or("", String::as_str)
    }

    fn garbled(&self, doing: &str, what: &str) -> Error {
        failure::garbled(doing, self.url(self.0.preferred.load(Ordering::Relaxed)), what)
    }

    fn caches(&self) -> MutexGuard<'_, Caches> {
        // Whoever panicked left a cache without an entry, at worst.
        self.0.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registry").field(&self.0.transport.urls()).finish()
    }
}

/// An error with the status it came of.
struct Failed {
    error: Error,
    status: Option<u16>,
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        failed.error
    }
}

fn subject_path(subject: &str) -> String {
    let mut path = String::from("/subjects/");
    push_encoded(&mut path, subject);
    path
}

/// The context that a subject names (`:.ctx:` of `:.ctx:orders-value`), empty for the default one.
pub(crate) fn context_of(subject: &str) -> &str {
    if !subject.starts_with(":.") {
        return "";
    }
    let end = subject.get(1..).and_then(|rest| rest.find(':')).map_or(subject.len(), |at| at + 2);
    subject.get(..end).unwrap_or("")
}

/// The time as tokio sees it, which tests may stop.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// A duration without end for caches.
pub(crate) const FOREVER: Option<Duration> = None;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_end_at_the_second_colon() {
        for (subject, context) in [
            ("orders-value", ""),
            (":.ctx:orders-value", ":.ctx:"),
            (":.ctx:", ":.ctx:"),
            (":.ctx", ":.ctx"),
            (":x", ""),
        ] {
            assert_eq!(context_of(subject), context, "{subject}");
        }
    }
}
