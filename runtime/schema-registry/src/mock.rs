//! A registry in memory, for the tests of converters: what the client asks for, without a service.

mod server;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lavka_api::config::{Config, ConfigSpec as _};
use lavka_api::plugin::ConverterRole;
use lavka_api::{Result, async_trait};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::answer::Described;
use crate::client::Registry;
use crate::config::RegistryConfig;
use crate::schema::{Guid, SchemaText, SchemaType};
use crate::session::Session;
use crate::transport::{Answer, Method, Request, Transport, Trouble};

pub use server::MockServer;

/// A registry in memory. Cloning copies a pointer. It checks no schema and no compatibility.
///
/// ```
/// use lavka_api::config::Config;
/// use lavka_api::plugin::ConverterRole;
/// use lavka_schema_registry::mock::MockRegistry;
/// use lavka_schema_registry::{SchemaText, SchemaType};
///
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
/// # runtime.block_on(async {
/// let mock = MockRegistry::new();
/// let id = mock.put("orders-value", &SchemaText::new(SchemaType::Avro, "\"int\""));
/// let session = mock.session(&Config::new(), ConverterRole::Value, SchemaType::Avro)?;
/// let schema = session.registry().by_id(id, None).await?;
/// assert_eq!(schema.schema.text(), "\"int\"");
/// assert_eq!(mock.requests(), ["GET /schemas/ids/1"]);
/// # Ok::<(), lavka_api::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Default)]
pub struct MockRegistry(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// By id, from 1.
    schemas: Vec<SchemaText>,
    /// Places in `schemas`, by version from 1.
    subjects: BTreeMap<String, Vec<usize>>,
    requests: Vec<String>,
    troubles: VecDeque<Result<Answer, Trouble>>,
}

impl MockRegistry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers `schema` under `subject`; its id.
    pub fn put(&self, subject: &str, schema: &SchemaText) -> i32 {
        self.state().put(subject, schema).0
    }

    /// Answers the next request with `status` and this error, instead of what was asked for.
    pub fn refuse(&self, status: u16, code: i32, message: &str) {
        let body = json!({ "error_code": code, "message": message }).to_string().into_bytes();
        self.state().troubles.push_back(Ok(Answer { status, body }));
    }

    /// Lets the next request run into trouble of the network.
    pub fn disconnect(&self) {
        self.state().troubles.push_back(Err(Trouble { text: "connection refused".into(), passes: true }));
    }

    /// Method and path of every request up to now.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// The texts registered under `subject`, by version.
    #[must_use]
    pub fn versions(&self, subject: &str) -> Vec<SchemaText> {
        let state = self.state();
        let places = state.subjects.get(subject).into_iter().flatten();
        places.filter_map(|&place| state.schemas.get(place)).cloned().collect()
    }

    /// A session on this registry; `schema.registry.url` is added, and repetitions do not wait.
    ///
    /// # Errors
    /// As [`Session::over`].
    pub fn session(&self, config: &Config, role: ConverterRole, ty: SchemaType) -> Result<Session> {
        let mut config = config.clone();
        for (key, value) in [("schema.registry.url", "http://registry"), ("retries.wait.ms", "0")] {
            if !config.contains(key) {
                config.set(key, value);
            }
        }
        let keys = RegistryConfig::from_config(&config)?;
        Session::over(Registry::new(Arc::new(Carrier::new(self.clone())), &keys), &config, role, ty)
    }

    /// Serves this registry on a port of its own, over HTTP.
    ///
    /// # Errors
    /// Where there is no port.
    pub fn serve(&self) -> std::io::Result<MockServer> {
        MockServer::start(self)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request as a registry does.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Answer {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let segments: Vec<String> = path.trim_start_matches('/').split('/').map(decoded).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let mut state = self.state();
        match (request.method, segments.as_slice()) {
            (Method::Get, ["schemas", "ids", id]) => state.by_id(id.parse().ok()),
            (Method::Get, ["schemas", "guids", guid]) => {
                let found = state.schemas.iter().position(|schema| guid_of(schema).to_string() == *guid);
                state.by_id(found.and_then(|at| i32::try_from(at + 1).ok()))
            }
            (Method::Get, ["subjects", subject, "versions", version]) => state.version(subject, version),
            (Method::Post, ["subjects", subject, "versions"]) => match sent(&request.body) {
                Ok(schema) => {
                    let (id, version) = state.put(subject, &schema);
                    ok(&json!({ "id": id, "version": version, "guid": guid_of(&schema).to_string() }))
                }
                Err(error) => error,
            },
            (Method::Post, ["subjects", subject]) => match sent(&request.body) {
                Ok(schema) => state.look_up(subject, &schema),
                Err(error) => error,
            },
            _ => refusal(404, 404, &format!("HTTP 404 Not Found: {path} {query}")),
        }
    }
}

impl State {
    fn put(&mut self, subject: &str, schema: &SchemaText) -> (i32, i32) {
        let at = self.schemas.iter().position(|known| known == schema).unwrap_or_else(|| {
            self.schemas.push(schema.clone());
            self.schemas.len() - 1
        });
        let versions = self.subjects.entry(subject.to_owned()).or_default();
        let version = versions.iter().position(|known| *known == at).unwrap_or_else(|| {
            versions.push(at);
            versions.len() - 1
        });
        let number = |at: usize| i32::try_from(at + 1).unwrap_or(i32::MAX);
        (number(at), number(version))
    }

    fn by_id(&self, id: Option<i32>) -> Answer {
        let found = id.and_then(|id| usize::try_from(id - 1).ok()).and_then(|at| self.schemas.get(at));
        match found {
            Some(schema) => ok(&described(schema)),
            None => refusal(404, 40403, "Schema not found"),
        }
    }

    fn version(&self, subject: &str, version: &str) -> Answer {
        let Some(versions) = self.subjects.get(subject) else {
            return refusal(404, 40401, &format!("Subject '{subject}' not found."));
        };
        let at = match version {
            "latest" => versions.len().checked_sub(1),
            version => version.parse::<usize>().ok().and_then(|version| version.checked_sub(1)),
        };
        let found = at.and_then(|at| Some((at, *versions.get(at)?)));
        match found.and_then(|(at, place)| Some((at, place, self.schemas.get(place)?))) {
            Some((at, place, schema)) => {
                let mut answer = described(schema);
                answer["subject"] = subject.into();
                answer["version"] = (at + 1).into();
                answer["id"] = (place + 1).into();
                ok(&answer)
            }
            None => refusal(404, 40402, &format!("Version {version} not found.")),
        }
    }

    fn look_up(&self, subject: &str, schema: &SchemaText) -> Answer {
        let Some(versions) = self.subjects.get(subject) else {
            return refusal(404, 40401, &format!("Subject '{subject}' not found."));
        };
        let found = versions.iter().position(|place| self.schemas.get(*place) == Some(schema));
        match found {
            Some(at) => self.version(subject, &(at + 1).to_string()),
            None => refusal(404, 40403, "Schema not found"),
        }
    }
}

fn sent(body: &[u8]) -> Result<SchemaText, Answer> {
    let described = Described::read(body).map_err(|error| refusal(422, 42201, &error))?;
    described.schema.ok_or_else(|| refusal(422, 42201, "Empty schema"))
}

fn described(schema: &SchemaText) -> Value {
    let references: Vec<Value> = schema
        .references()
        .iter()
        .map(|it| json!({ "name": &*it.name, "subject": &*it.subject, "version": it.version }))
        .collect();
    let mut json = json!({ "schema": schema.text(), "guid": guid_of(schema).to_string() });
    if schema.ty() != SchemaType::Avro {
        json["schemaType"] = schema.ty().name().into();
    }
    if !references.is_empty() {
        json["references"] = references.into();
    }
    json
}

fn guid_of(schema: &SchemaText) -> Guid {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (salt, schema.ty(), schema.text()).hash(&mut hasher);
        hasher.finish()
    };
    let number = u128::from(half(0)) << 64 | u128::from(half(1));
    Guid::from_bytes(number.to_be_bytes())
}

fn ok(body: &Value) -> Answer {
    Answer { status: 200, body: body.to_string().into_bytes() }
}

fn refusal(status: u16, code: i32, message: &str) -> Answer {
    Answer { status, body: json!({ "error_code": code, "message": message }).to_string().into_bytes() }
}

fn decoded(segment: &str) -> String {
    percent_decode_str(segment).decode_utf8_lossy().into_owned()
}

/// Carries requests to a registry in memory.
struct Carrier {
    registry: MockRegistry,
    urls: [String; 1],
}

impl Carrier {
    fn new(registry: MockRegistry) -> Self {
        Self { registry, urls: ["http://registry".into()] }
    }
}

#[async_trait]
impl Transport for Carrier {
    fn urls(&self) -> &[String] {
        &self.urls
    }

    async fn exchange(&self, _: usize, request: &Request) -> Result<Answer, Trouble> {
        let planned = {
            let mut state = self.registry.state();
            let method = if request.method == Method::Get { "GET" } else { "POST" };
            state.requests.push(format!("{method} {}", request.path));
            state.troubles.pop_front()
        };
        planned.unwrap_or_else(|| Ok(self.registry.answer(request)))
    }
}
