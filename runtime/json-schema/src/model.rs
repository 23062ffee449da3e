//! JSON schemas as they are read: nodes that refer to each other by number, since schemas may be recursive.

use std::collections::HashSet;

use serde_json::Value;

/// The number of a node in its [`Model`].
pub(crate) type NodeId = usize;

/// A schema and everything it refers to.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) nodes: Vec<Node>,
    pub(crate) root: NodeId,
}

/// What one schema says, as far as the mapping looks at it.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    /// As the schema's text has it, since a double has fewer digits than a decimal.
    pub(crate) default: Option<Box<str>>,
    /// `connect.type`.
    pub(crate) connect_type: Option<String>,
    /// `connect.version`.
    pub(crate) connect_version: Option<i32>,
    /// `connect.index`.
    pub(crate) connect_index: Option<i64>,
    /// `connect.parameters`.
    pub(crate) parameters: Vec<(String, String)>,
}

/// What a schema describes.
#[derive(Debug, Default)]
pub(crate) enum Kind {
    /// Anything.
    #[default]
    Anything,
    /// Nothing (`false`).
    Nothing,
    Null,
    Boolean,
    Number {
        integer: bool,
    },
    String {
        /// Whether a `format` is given.
        format: bool,
    },
    /// One of these values; `const` is an enum of one.
    Enum {
        values: Vec<Value>,
        is_const: bool,
    },
    Array {
        items: Option<NodeId>,
    },
    Object(Object),
    Combined {
        criterion: Criterion,
        parts: Vec<NodeId>,
    },
    Reference(NodeId),
    /// `not`, `if`: they constrain, and describe nothing.
    Constraint(&'static str),
}

/// The members of an object.
#[derive(Debug, Default)]
pub(crate) struct Object {
    /// In the order in which Java lists them.
    pub(crate) properties: Vec<(String, NodeId)>,
    pub(crate) required: HashSet<String>,
    pub(crate) additional: Additional,
}

/// Which members an object may have besides those that are named.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) enum Additional {
    #[default]
    Any,
    None,
    Of(NodeId),
}

/// How many parts have to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Criterion {
    One,
    Any,
    All,
}

impl Model {
    /// The name of the whole, which subjects may be named by.
    pub(crate) fn title(&self) -> Option<&str> {
        self.node(self.root).title.as_deref()
    }

    /// The node `id`.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        // Numbers come from the loader, which made the nodes; another would be anything.
        const OTHER: &Node = &Node {
            kind: Kind::Anything,
            title: None,
            description: None,
            default: None,
            connect_type: None,
            connect_version: None,
            connect_index: None,
            parameters: Vec::new(),
        };
        self.nodes.get(id).unwrap_or(OTHER)
    }

    /// Where references from `id` lead; the last node of a circle of references.
    pub(crate) fn target(&self, id: NodeId) -> NodeId {
        let mut at = id;
        for _ in 0..self.nodes.len() {
            match self.node(at).kind {
                Kind::Reference(next) => at = next,
                _ => break,
            }
        }
        at
    }
}
