//! What a schema imports, as references: the registry has to know an imported file before the file that imports it.

use std::sync::Arc;

use lavka_api::{Error, Result};
use lavka_schema_registry::{Reference, SchemaText, SchemaType, Session};

use super::Settings;
use crate::mapping::Derived;
use crate::schema::{is_known, known_file};

/// The schema to register, with references to what it imports. The files that a derived schema imports are known ones,
/// none of which imports another.
pub(super) async fn with_references(
    session: &Session,
    settings: &Settings,
    derived: &Derived,
) -> Result<SchemaText> {
    let mut references = Vec::new();
    for import in &derived.file.imports {
        if settings.references.skip_known && is_known(&import.path) {
            continue;
        }
        let (_, text) = known_file(&import.path)?;
        let subject: Arc<str> = settings.references.subject(&import.path).into();
        let version =
            version(session, settings, &subject, &SchemaText::new(SchemaType::Protobuf, text)).await?;
        references.push(Reference { name: import.path.as_str().into(), subject, version });
    }
    Ok(SchemaText::with_references(SchemaType::Protobuf, derived.text.as_str(), references))
}

/// The version under `subject` that is referred to, registered first where that is asked for.
async fn version(
    session: &Session,
    settings: &Settings,
    subject: &Arc<str>,
    schema: &SchemaText,
) -> Result<i32> {
    let registry = session.registry();
    let keys = &settings.registry;
    let look_up = settings.references.lookup_only;
    let found = if keys.auto_register && !look_up {
        registry.register(subject, schema, keys.normalize).await?
    } else if keys.latest && !look_up {
        registry.latest(subject).await?
    } else {
        registry.look_up(subject, schema, keys.normalize).await?
    };
    let version = match found.version {
        Some(version) => Some(version),
        None => registry.version_of(subject, schema).await?,
    };
    version
        .ok_or_else(|| Error::data(format!("The registry has no version of the imported schema {subject}")))
}
