//! What there is, by path and method. Everything that HTTP decides before a handler runs is decided here.

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

    fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }
}

/// A resource, with the names in its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resource {
    Root,
    Health,
    Connectors,
    Connector(String),
    Config(String),
    Status(String),
    Tasks(String),
    TaskStatus(String, i32),
    TaskRestart(String, i32),
    Restart(String),
    Pause(String),
    Resume(String),
    Stop(String),
    Fence(String),
    Topics(String),
    TopicsReset(String),
    Offsets(String),
    Plugins,
    PluginConfig(String),
    PluginValidation(String),
    Loggers,
    Logger(String),
}

impl Resource {
    /// The resource at a path. A task number that is none leads nowhere, as in JAX-RS.
    pub(crate) fn at(segments: &[String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let name = |name: &&str| (*name).to_owned();
        Some(match segments.as_slice() {
            [] => Resource::Root,
            ["health"] => Resource::Health,
            ["connectors"] => Resource::Connectors,
            ["connectors", c] => Resource::Connector(name(c)),
            ["connectors", c, "config"] => Resource::Config(name(c)),
            ["connectors", c, "status"] => Resource::Status(name(c)),
            ["connectors", c, "restart"] => Resource::Restart(name(c)),
            ["connectors", c, "pause"] => Resource::Pause(name(c)),
            ["connectors", c, "resume"] => Resource::Resume(name(c)),
            ["connectors", c, "stop"] => Resource::Stop(name(c)),
            ["connectors", c, "fence"] => Resource::Fence(name(c)),
            ["connectors", c, "topics"] => Resource::Topics(name(c)),
            ["connectors", c, "topics", "reset"] => Resource::TopicsReset(name(c)),
            ["connectors", c, "offsets"] => Resource::Offsets(name(c)),
            ["connectors", c, "tasks"] => Resource::Tasks(name(c)),
            ["connectors", c, "tasks", task, "status"] => Resource::TaskStatus(name(c), task.parse().ok()?),
            ["connectors", c, "tasks", task, "restart"] => Resource::TaskRestart(name(c), task.parse().ok()?),
            ["connector-plugins"] => Resource::Plugins,
            ["connector-plugins", p, "config"] => Resource::PluginConfig(name(p)),
            ["connector-plugins", p, "config", "validate"] => Resource::PluginValidation(name(p)),
            ["admin", "loggers"] => Resource::Loggers,
            ["admin", "loggers", l] => Resource::Logger(name(l)),
            _ => return None,
        })
    }

    /// Whether it is an admin endpoint.
    pub(crate) fn is_admin(&self) -> bool {
        matches!(self, Resource::Loggers | Resource::Logger(_))
    }

    fn verbs(&self) -> &'static [Verb] {
        match self {
            Resource::Connectors => &[Verb::Post, Verb::Get],
            Resource::Connector(_) => &[Verb::Get, Verb::Delete],
            Resource::Config(_) => &[Verb::Patch, Verb::Get, Verb::Put],
            Resource::Offsets(_) => &[Verb::Patch, Verb::Get, Verb::Delete],
            Resource::Tasks(_) => &[Verb::Post, Verb::Get],
            Resource::Logger(_) => &[Verb::Get, Verb::Put],
            Resource::Restart(_) | Resource::TaskRestart(..) => &[Verb::Post],
            Resource::Pause(_)
            | Resource::Resume(_)
            | Resource::Stop(_)
            | Resource::Fence(_)
            | Resource::TopicsReset(_)
            | Resource::PluginValidation(_) => &[Verb::Put],
            Resource::Root
            | Resource::Health
            | Resource::Status(_)
            | Resource::TaskStatus(..)
            | Resource::Topics(_)
            | Resource::Plugins
            | Resource::PluginConfig(_)
            | Resource::Loggers => &[Verb::Get],
        }
    }

    /// Whether it has this method.
    pub(crate) fn has(&self, verb: Verb) -> bool {
        self.verbs().contains(&verb)
    }

    /// The value of an `Allow` header.
    pub(crate) fn allow(&self) -> String {
        let own = self.verbs();
        let head = own.contains(&Verb::Get).then_some("HEAD");
        let names: Vec<&str> =
            head.into_iter().chain(own.iter().map(|verb| verb.name())).chain(["OPTIONS"]).collect();
        names.join(",")
    }

    /// Whether the body of such a request is read. Others may have one; it means nothing.
    pub(crate) fn reads_body(&self, verb: Verb) -> bool {
        match verb {
            Verb::Get | Verb::Delete => false,
            Verb::Patch => true,
            Verb::Post => matches!(self, Resource::Connectors),
            Verb::Put => {
                matches!(self, Resource::Config(_) | Resource::PluginValidation(_) | Resource::Logger(_))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(path: &str) -> Option<Resource> {
        Resource::at(&crate::path::segments(path).unwrap())
    }

    #[test]
    fn task_numbers_are_javas() {
        let status = |number| Some(Resource::TaskStatus("c".into(), number));
        assert_eq!(at("/connectors/c/tasks/00/status"), status(0));
        assert_eq!(at("/connectors/c/tasks/+1/status"), status(1));
        assert_eq!(at("/connectors/c/tasks/-1/status"), status(-1));
        for number in ["x", "1.0", "99999999999", "%20"] {
            assert_eq!(at(&format!("/connectors/c/tasks/{number}/status")), None, "{number}");
        }
    }

    #[test]
    fn what_is_allowed_is_said() {
        assert_eq!(at("/").unwrap().allow(), "HEAD,GET,OPTIONS");
        assert_eq!(at("/connectors").unwrap().allow(), "HEAD,POST,GET,OPTIONS");
        assert_eq!(at("/connectors/c/restart").unwrap().allow(), "POST,OPTIONS");
        assert_eq!(at("/connectors/c/tasks-config"), None, "removed in 4.0");
    }
}
