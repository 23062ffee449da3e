//! What one converter does with a registry: the order of decisions on the way out, the lookup on the way in.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lavka_api::config::Config;
use lavka_api::plugin::{ConverterRole, Undecoded};
use lavka_api::{Error, Result};

use crate::aging::{AgingCache, Found};
use crate::client::{FOREVER, Registry, now};
use crate::config::{Options, RegistryConfig};
use crate::http::HttpTransport;
use crate::schema::{Compatibility, RegisteredSchema, ResolvedSchema, SchemaText, SchemaType, wrong_type};
use crate::wire::{self, Frame, IdForm, Located};

/// A converter's side of the registry, under one configuration, for keys or for values.
///
/// ```no_run
/// # use lavka_api::{Result, config::Config, data::Topic, plugin::ConverterRole};
/// # use lavka_schema_registry::{ResolvedSchema, SchemaText, SchemaType, Session};
/// # async fn prepare(config: &Config) -> Result<()> {
/// let session = Session::new(config, ConverterRole::Value, SchemaType::Avro)?;
/// let own = SchemaText::new(SchemaType::Avro, "\"int\"");
/// let subject = session.subject("orders", None)?;
/// let fits = |registered: &ResolvedSchema, own: &SchemaText| {
///     if registered.schema == *own { Ok(()) } else { Err("they differ".to_owned()) }
/// };
/// // In `prepare_encode`: asks the registry, or remembers.
/// let registered = session.resolve_for_encode(&subject, &own, &fits).await?;
/// // Once for a plan: what stands before each payload.
/// let frame = session.frame(&registered, &[])?;
/// # Ok(())
/// # }
/// ```
pub struct Session {
    registry: Registry,
    role: ConverterRole,
    ty: SchemaType,
    options: Options,
    caches: Mutex<Caches>,
}

struct Caches {
    own: AgingCache<(Arc<str>, SchemaText), Arc<RegisteredSchema>>,
    latest: AgingCache<(Arc<str>, SchemaText), Arc<RegisteredSchema>>,
    /// The newest schemas of subjects, to read with.
    newest: AgingCache<Arc<str>, Arc<ResolvedSchema>>,
}

impl Session {
    /// The session of a converter of `role` whose schemas are of type `ty`, over HTTP. Nothing is sent yet.
    ///
    /// # Errors
    /// A config error that names the first wrong key.
    pub fn new(config: &Config, role: ConverterRole, ty: SchemaType) -> Result<Self> {
        let keys = RegistryConfig::read(config)?;
        let transport = HttpTransport::new(&keys, config)?;
        Self::with_keys(Registry::new(Arc::new(transport), &keys), &keys, role, ty)
    }

    /// As [`new`](Self::new), over a registry that is there already.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn over(registry: Registry, config: &Config, role: ConverterRole, ty: SchemaType) -> Result<Self> {
        Self::with_keys(registry, &RegistryConfig::read(config)?, role, ty)
    }

    fn with_keys(
        registry: Registry,
        keys: &RegistryConfig,
        role: ConverterRole,
        ty: SchemaType,
    ) -> Result<Self> {
        let options = Options::new(keys, role)?;
        if options.auto_register
            && (options.schema_id.is_some() || options.schema_guid.is_some() || options.latest)
        {
            tracing::warn!(
                "auto.register.schemas comes before use.schema.id, use.schema.guid and use.latest.version: set it to \
                 false to use them"
            );
        }
        let caches = Caches {
            own: AgingCache::new(options.max_schemas, FOREVER),
            latest: AgingCache::new(options.latest_cache_size, options.latest_lifetime),
            newest: AgingCache::new(options.latest_cache_size, options.latest_lifetime),
        };
        Ok(Self { registry, role, ty, options, caches: Mutex::new(caches) })
    }

    /// The client.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Keys or values.
    #[must_use]
    pub fn role(&self) -> ConverterRole {
        self.role
    }

    /// Whether [`subject`](Self::subject) wants the record's name.
    #[must_use]
    pub fn needs_record_name(&self) -> bool {
        self.options.strategy.needs_record_name()
    }

    /// The subject for data of `topic`, whose schema has the full name `record`.
    ///
    /// # Errors
    /// A data error where the strategy needs a name and there is none.
    pub fn subject(&self, topic: &str, record: Option<&str>) -> Result<Arc<str>> {
        self.options.strategy.subject(topic, self.role, record)
    }

    /// The schema that data of `schema` is written with under `subject`, by the first of these that is set:
    ///
    /// 1. `auto.register.schemas`: it is registered;
    /// 2. `use.schema.id`, `use.schema.guid`: that one;
    /// 3. `use.latest.version`: the newest of the subject;
    /// 4. it is looked up.
    ///
    /// In 2 and 3 `compatible` decides whether the registry's schema can take the data, unless strictness is off. The
    /// answer is remembered, and the same pointer is given as long as it counts: a plan made for a pointer is stale
    /// when another one comes.
    ///
    /// # Errors
    /// By what the registry answers, see [the crate's documentation](crate), and a data error for schemas that are not
    /// compatible.
    pub async fn resolve_for_encode(
        &self,
        subject: &Arc<str>,
        schema: &SchemaText,
        compatible: Compatibility<'_>,
    ) -> Result<Arc<RegisteredSchema>> {
        let key = (Arc::clone(subject), schema.clone());
        let options = &self.options;
        let by_latest = options.latest
            && !options.auto_register
            && options.schema_id.is_none()
            && options.schema_guid.is_none();
        let pick = |caches: &mut Caches| {
            if by_latest { caches.latest.find(&key, now()) } else { caches.own.find(&key, now()) }
        };
        let before = match pick(&mut self.caches()) {
            Found::Fresh(registered) => return Ok(registered),
            Found::Stale(registered) => Some(registered),
            Found::Nothing => None,
        };
        let mut registered = if options.auto_register {
            self.registry.register(subject, schema, options.normalize).await?
        } else if let Some(id) = options.schema_id {
            let found = self.registry.by_id(id, Some(subject)).await?;
            let registered = given(subject, Some(id), &found);
            self.check(
                &registered,
                schema,
                options.id_strict,
                ("id", "id.compatibility.strict"),
                compatible,
            )?;
            registered
        } else if let Some(guid) = options.schema_guid {
            let found = self.registry.by_guid(guid).await?;
            let mut registered = given(subject, None, &found);
            self.check(
                &registered,
                schema,
                options.id_strict,
                ("GUID", "id.compatibility.strict"),
                compatible,
            )?;
            if options.form == IdForm::Prefix {
                registered.id = self.registry.look_up(subject, &found.schema, false).await?.id;
            }
            registered.guid = Some(guid);
            registered
        } else if by_latest {
            let registered = self.registry.latest(subject).await?;
            let strict = (options.latest_strict, ("latest version", "latest.compatibility.strict"));
            self.check(&registered, schema, strict.0, strict.1, compatible)?;
            registered
        } else {
            self.registry.look_up(subject, schema, options.normalize).await?
        };
        if options.form == IdForm::Header
            && registered.guid.is_none()
            && let Some(id) = registered.id
        {
            registered.guid = self.registry.guid_of(id, subject).await?;
        }
        registered.schema.rules.allow_writing(|| format!("subject {subject}"))?;
        if registered.schema.dependencies.is_empty() && !registered.schema.schema.references().is_empty() {
            registered.schema = self.registry.resolve(&registered.schema.schema, subject).await?;
        }
        let registered = match before {
            Some(before) if *before == registered => before,
            _ => Arc::new(registered),
        };
        let mut caches = self.caches();
        let cache = if by_latest { &mut caches.latest } else { &mut caches.own };
        cache.put(key, Arc::clone(&registered), now());
        Ok(registered)
    }

    fn check(
        &self,
        registered: &RegisteredSchema,
        own: &SchemaText,
        strict: bool,
        (which, key): (&str, &str),
        compatible: Compatibility<'_>,
    ) -> Result<()> {
        let found = registered.schema.schema.ty();
        if found != self.ty {
            return Err(wrong_type(&format!("The schema with the given {which}"), found, self.ty));
        }
        if !strict {
            return Ok(());
        }
        compatible(&registered.schema, own).map_err(|why| {
            let version = registered.version.map(|version| format!(", version {version}")).unwrap_or_default();
            let id = registered.id.map(|id| format!(", id {id}")).unwrap_or_default();
            Error::data(format!(
                "Incompatible schema of type '{}' with the {which} of subject {}{version}{id}. Set {key}=false to \
                 disable this check. It found: {why}",
                self.ty, registered.subject
            ))
        })
    }

    /// What stands before or beside each payload of `registered`; `indexes` are Protobuf's (see
    /// [`write_indexes`](crate::wire::write_indexes)), empty for others.
    ///
    /// # Errors
    /// Where the registry gave no id or GUID and the form wants one.
    pub fn frame(&self, registered: &RegisteredSchema, indexes: &[u8]) -> Result<Frame> {
        Frame::new(self.options.form, self.role, registered, indexes)
    }

    /// Finds the name of a message's schema; `None` for null bytes. Cheap: for every record.
    ///
    /// # Errors
    /// A data error for bytes that name no schema.
    pub fn locate<'a>(&self, undecoded: &Undecoded<'a>) -> Result<Option<Located<'a>>> {
        wire::locate(undecoded, self.role, self.options.place)
    }

    /// The schema that a message of `topic` was written with. Asks the registry, or remembers.
    ///
    /// # Errors
    /// By what the registry answers, and a data error for a schema of another type.
    pub async fn resolve_for_decode(
        &self,
        located: &Located<'_>,
        topic: &str,
    ) -> Result<Arc<ResolvedSchema>> {
        // Under the other strategies the subject follows from the schema, which is not here yet.
        let subject = (!self.needs_record_name()).then(|| self.subject(topic, None)).transpose()?;
        let found = self.registry.by_key(located.key, subject.as_deref()).await?;
        if found.schema.ty() != self.ty {
            return Err(wrong_type(&format!("The schema with {}", located.key), found.schema.ty(), self.ty));
        }
        found.rules.allow_reading(|| located.key.to_string())?;
        Ok(found)
    }

    /// Under `use.latest.version`, the schema that messages of `topic` with the full name `record` are read as: the newest
    /// of their subject. `None` without that key. Asks the registry, or remembers.
    ///
    /// # Errors
    /// By what the registry answers, and a data error for a schema of another type.
    pub async fn latest_for_decode(
        &self,
        topic: &str,
        record: Option<&str>,
    ) -> Result<Option<Arc<ResolvedSchema>>> {
        if !self.options.latest {
            return Ok(None);
        }
        let subject = self.subject(topic, record)?;
        if let Some(newest) = self.caches().newest.get(&subject, now()) {
            return Ok(Some(newest));
        }
        let newest = Arc::new(self.registry.latest(&subject).await?.schema);
        let found = newest.schema.ty();
        if found != self.ty {
            return Err(wrong_type(&format!("The newest schema of subject {subject}"), found, self.ty));
        }
        newest.rules.allow_reading(|| format!("subject {subject}"))?;
        self.caches().newest.put(subject, Arc::clone(&newest), now());
        Ok(Some(newest))
    }

    /// The version of `schema` under the subject of `topic` and `record`; `None` where it is not under it, as for
    /// topics that were copied from elsewhere. Asks the registry, or remembers.
    ///
    /// # Errors
    /// By what the registry answers.
    pub async fn version_for_decode(
        &self,
        schema: &SchemaText,
        topic: &str,
        record: Option<&str>,
    ) -> Result<Option<i32>> {
        if self.needs_record_name() && record.is_none() {
            return Ok(None);
        }
        self.registry.version_of(&self.subject(topic, record)?, schema).await
    }

    fn caches(&self) -> MutexGuard<'_, Caches> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn given(subject: &Arc<str>, id: Option<i32>, found: &ResolvedSchema) -> RegisteredSchema {
    RegisteredSchema { subject: Arc::clone(subject), id, guid: None, version: None, schema: found.clone() }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("registry", &self.registry)
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}
