//! Builds ONNX files, well-formed and otherwise, by the numbers of their protobuf fields.

/// A message under construction.
#[derive(Clone, Default)]
pub struct Message(pub Vec<u8>);

impl Message {
    pub fn new() -> Self {
        Self::default()
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn integer(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    pub fn bytes(mut self, field: u64, bytes: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn text(self, field: u64, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    pub fn message(self, field: u64, message: &Message) -> Self {
        self.bytes(field, &message.0)
    }
}

/// An attribute's value.
pub enum Attribute<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Floats(&'a [f32]),
    Text(&'a str),
    Texts(&'a [&'a str]),
}

pub fn attribute(name: &str, value: &Attribute<'_>) -> Message {
    let message = Message::new().text(1, name);
    match value {
        Attribute::Int(value) => message.integer(3, *value),
        Attribute::Ints(values) => values.iter().fold(message, |message, &value| message.integer(8, value)),
        Attribute::Floats(values) => {
            message.bytes(7, &values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())
        }
        Attribute::Text(text) => message.text(4, text),
        Attribute::Texts(texts) => texts.iter().fold(message, |message, text| message.text(9, text)),
    }
}

pub fn node(
    domain: &str,
    operator: &str,
    inputs: &[&str],
    outputs: &[&str],
    attributes: &[(&str, Attribute<'_>)],
) -> Message {
    let message = inputs.iter().fold(Message::new(), |message, input| message.text(1, input));
    let message = outputs.iter().fold(message, |message, output| message.text(2, output));
    let message = message.text(4, operator).text(7, domain);
    attributes.iter().fold(message, |message, (name, value)| message.message(5, &attribute(name, value)))
}

/// A tensor of 32-bit numbers.
pub fn floats(name: &str, dims: &[i64], values: &[f32]) -> Message {
    let message = dims.iter().fold(Message::new(), |message, &dim| message.integer(1, dim));
    let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    message.integer(2, 1).text(8, name).bytes(9, &raw)
}

/// A float input or output; dimensions below zero are open.
pub fn value(name: &str, element: i64, dims: &[i64]) -> Message {
    let shape = dims.iter().fold(Message::new(), |shape, &dim| {
        let dimension = if dim < 0 { Message::new().text(2, "n") } else { Message::new().integer(1, dim) };
        shape.message(1, &dimension)
    });
    let tensor = Message::new().integer(1, element).message(2, &shape);
    Message::new().text(1, name).message(2, &Message::new().message(1, &tensor))
}

pub fn model(
    nodes: &[Message],
    inputs: &[Message],
    outputs: &[Message],
    initializers: &[Message],
) -> Vec<u8> {
    let list = |graph: Message, field: u64, items: &[Message]| {
        items.iter().fold(graph, |graph, item| graph.message(field, item))
    };
    let graph = list(Message::new(), 1, nodes);
    let graph = list(graph, 5, initializers);
    let graph = list(list(graph, 11, inputs), 12, outputs);
    let opset = |domain: &str, version| Message::new().text(1, domain).integer(2, version);
    Message::new()
        .integer(1, 8)
        .message(8, &opset("", 17))
        .message(8, &opset("ai.onnx.ml", 3))
        .message(7, &graph)
        .0
}

/// A model of one node from `x`, `[n, columns]` of 32-bit numbers, to `y`.
pub fn single(columns: i64, node: &Message) -> Vec<u8> {
    model(std::slice::from_ref(node), &[value("x", 1, &[-1, columns])], &[value("y", 1, &[-1, 1])], &[])
}

/// A node of a tree: mode, feature, and the nodes for true and false.
type TreeNode<'a> = (&'a str, i64, i64, i64);

/// A regression by one tree whose thresholds are 0 and whose leaves are worth their own numbers.
pub fn tree(columns: i64, nodes: &[TreeNode<'_>]) -> Vec<u8> {
    use Attribute::{Floats, Int, Ints, Texts};
    let column = |pick: fn(&TreeNode<'_>) -> i64| nodes.iter().map(pick).collect::<Vec<_>>();
    let leaves: Vec<i64> = (0..nodes.len() as i64).filter(|&id| nodes[id as usize].0 == "LEAF").collect();
    let modes: Vec<&str> = nodes.iter().map(|node| node.0).collect();
    let zeros = vec![0; nodes.len()];
    let attributes = [
        ("nodes_treeids", Ints(&zeros)),
        ("nodes_nodeids", Ints(&(0..nodes.len() as i64).collect::<Vec<_>>())),
        ("nodes_modes", Texts(&modes)),
        ("nodes_featureids", Ints(&column(|node| node.1))),
        ("nodes_truenodeids", Ints(&column(|node| node.2))),
        ("nodes_falsenodeids", Ints(&column(|node| node.3))),
        ("nodes_values", Floats(&vec![0.0; nodes.len()])),
        ("n_targets", Int(1)),
        ("target_treeids", Ints(&vec![0; leaves.len()])),
        ("target_nodeids", Ints(&leaves)),
        ("target_ids", Ints(&vec![0; leaves.len()])),
        ("target_weights", Floats(&leaves.iter().map(|&leaf| leaf as f32).collect::<Vec<_>>())),
    ];
    single(columns, &node("ai.onnx.ml", "TreeEnsembleRegressor", &["x"], &["y"], &attributes))
}
