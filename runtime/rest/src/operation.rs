//! What can be said about a resource's methods: the terms of the table in `table`.

use serde_json::Value;

/// A method that some resource has. `HEAD` goes wherever `GET` goes, `OPTIONS` everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    pub(crate) fn of(method: &str) -> Option<Self> {
        Some(match method {
            "GET" | "HEAD" => Verb::Get,
            "POST" => Verb::Post,
            "PUT" => Verb::Put,
            "PATCH" => Verb::Patch,
            "DELETE" => Verb::Delete,
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

/// One method of a resource.
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    /// Its name in the OpenAPI document.
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) query: &'static [&'static Query],
    /// What the body is, where it is read. Others may have one; it means nothing.
    pub(crate) body: Option<&'static Shape>,
    pub(crate) answers: &'static [Answer],
    /// What its answers are, where they are no errors.
    pub(crate) produces: Produces,
    /// Statuses of errors besides those that every operation has.
    pub(crate) refusals: &'static [u16],
}

/// What an operation answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Produces {
    Json,
    /// Metrics, in the one of their formats that the client likes best.
    Metrics,
}

/// One way in which an operation ends well, or as a check of health ends.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) about: &'static str,
    /// What the body is; `None`: it is empty.
    pub(crate) body: Option<&'static Shape>,
}

/// A parameter of the query.
pub(crate) struct Query {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: QueryKind,
}

pub(crate) enum QueryKind {
    /// `true`, or any other value for false; with what it is when it is missing.
    Flag(bool),
    Text,
    /// Values that mean something; whether there may be several.
    Choice(&'static [&'static str], bool),
}

/// A JSON value that has a name.
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Its JSON Schema.
    pub(crate) schema: fn() -> Value,
}
