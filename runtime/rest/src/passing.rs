//! Which requests another worker may have to answer, and those that workers send each other.

use axum::http::{self, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lavka_worker::Refusal;

use crate::answers::Asked;
use crate::membership::{Matter, Membership, Passing, check};
use crate::operation::Verb;
use crate::resource::Resource;
use crate::{body, path, query};

/// A request, before it is known whose it is.
pub(crate) struct Incoming<'a> {
    pub(crate) membership: &'a dyn Membership,
    pub(crate) head: &'a http::request::Parts,
    pub(crate) resource: &'a Resource,
}

impl Incoming<'_> {
    /// The answer, where the request is another worker's to decide on, or comes from one; `None` where it is for this
    /// worker like any other.
    pub(crate) async fn settle(&self, verb: Verb, asked: &Asked) -> Result<Option<Response>, Refusal> {
        let internal = matches!(
            (self.resource, verb),
            (Resource::Tasks(_), Verb::Post) | (Resource::Fence(_), Verb::Put)
        );
        if internal {
            let headers = &self.head.headers;
            let value = |name: &str| headers.get(name).map(http::HeaderValue::as_bytes);
            check(&self.membership.session(), value, &asked.body)?;
        }
        let Some(matter) = self.matter(verb, asked) else { return Ok(None) };
        let flags = [&query::INCLUDE_TASKS, &query::ONLY_FAILED];
        let params = match self.resource {
            Resource::Restart(_) => flags.into_iter().map(|flag| (flag.name, asked.flag(flag))).collect(),
            _ => Vec::new(),
        };
        let passing = Passing {
            method: &self.head.method,
            path: self.head.uri.path(),
            params,
            forward: asked.params.iter().find(|(name, _)| name == "forward").map(|(_, value)| value.as_str()),
            authorization: self.head.headers.get(header::AUTHORIZATION),
            body: &asked.body,
        };
        if let Some(mut answer) = passing.on(self.membership.whose(matter)).await? {
            self.locate(&mut answer, asked);
            return Ok(Some(answer));
        }
        match self.resource {
            Resource::Tasks(name) => {
                let configs = body::task_configs(&asked.body)?;
                self.membership.take_task_configs(name, configs).await?;
            }
            Resource::Fence(name) => self.membership.fence(name).await?,
            _ => return Ok(None),
        }
        Ok(Some(StatusCode::OK.into_response()))
    }

    /// What the request is about, where that is not every worker's own business.
    fn matter(&self, verb: Verb, asked: &Asked) -> Option<Matter<'_>> {
        Some(match (self.resource, verb) {
            (Resource::Connectors | Resource::Tasks(_), Verb::Post)
            | (Resource::Connector(_) | Resource::Offsets(_), Verb::Delete)
            | (Resource::Config(_) | Resource::Stop(_) | Resource::Fence(_), Verb::Put)
            | (Resource::Config(_) | Resource::Offsets(_), Verb::Patch) => Matter::Cluster,
            (Resource::Restart(name), Verb::Post) => {
                let plain = !asked.flag(&query::INCLUDE_TASKS) && !asked.flag(&query::ONLY_FAILED);
                if plain { Matter::Connector(name) } else { Matter::Cluster }
            }
            (Resource::TaskRestart(name, task), Verb::Post) => Matter::Task(name, *task),
            _ => return None,
        })
    }

    /// A connector that another worker created is found here as well.
    fn locate(&self, answer: &mut Response, asked: &Asked) {
        if answer.status() != StatusCode::CREATED {
            return;
        }
        let name = match self.resource {
            Resource::Config(name) => Some(name.clone()),
            _ => body::creation(&asked.body).ok().map(|creation| creation.name),
        };
        let location = name.map(|name| format!("{}/connectors/{}", asked.base, path::encoded(&name)));
        if let Some(Ok(value)) = location.map(http::HeaderValue::try_from) {
            answer.headers_mut().insert(header::LOCATION, value);
        }
    }
}
