//! The messages of an ONNX file (`onnx.proto` of ONNX IR version 3 and later), as far as scoring needs them. Everything
//! borrows from the file; attributes and tensors are decoded when an operator asks for them.

use super::wire::{Field, Message, malformed};
use crate::error::ModelError;

/// Nodes, attributes, inputs, outputs and initializers a file may have together. A message of two bytes becomes a
/// structure of a hundred, so their number is bounded apart from the length of the file.
const MAX_ITEMS: usize = 1_000_000;

/// Counts what is taken apart.
#[derive(Debug)]
struct Budget(usize);

impl Budget {
    fn spend(&mut self, at: usize) -> Result<(), ModelError> {
        self.0 =
            self.0.checked_sub(1).ok_or_else(|| malformed(at, format!("more than {MAX_ITEMS} parts")))?;
        Ok(())
    }
}

/// `ModelProto`.
#[derive(Debug)]
pub(super) struct Model<'a> {
    /// Versions of the operator sets by domain.
    pub(super) opsets: Vec<(&'a str, i64)>,
    pub(super) graph: Graph<'a>,
}

/// `GraphProto`.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) nodes: Vec<Node<'a>>,
    pub(super) initializers: Vec<TensorMessage<'a>>,
    pub(super) inputs: Vec<ValueInfo<'a>>,
    pub(super) outputs: Vec<ValueInfo<'a>>,
    pub(super) sparse_initializers: bool,
}

/// `NodeProto`.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) name: &'a str,
    pub(super) operator: &'a str,
    pub(super) domain: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    /// Name and message of each attribute.
    pub(super) attributes: Vec<(&'a str, Message<'a>)>,
}

/// `AttributeProto`, taken apart when it is asked for.
#[derive(Debug, Default)]
pub(super) struct Attribute<'a> {
    pub(super) float: Option<f32>,
    pub(super) integer: Option<i64>,
    pub(super) text: Option<Message<'a>>,
    pub(super) tensor: Option<TensorMessage<'a>>,
    pub(super) floats: Vec<f32>,
    pub(super) integers: Vec<i64>,
    pub(super) texts: Vec<Message<'a>>,
    /// A graph, a sparse tensor, a type or a list of these.
    pub(super) other: bool,
}

impl Attribute<'_> {
    /// Whether the message holds no value at all.
    pub(super) fn is_bare(&self) -> bool {
        let single =
            self.float.is_some() || self.integer.is_some() || self.text.is_some() || self.tensor.is_some();
        !single && self.floats.is_empty() && self.integers.is_empty() && self.texts.is_empty()
    }
}

/// `ValueInfoProto` of a tensor, or of what `ZipMap` makes of one.
#[derive(Debug, Clone, Default)]
pub(super) struct ValueInfo<'a> {
    pub(super) name: &'a str,
    /// `TensorProto.DataType`; `None` for sequences, maps and everything else that is not a tensor.
    pub(super) tensor: Option<i64>,
    /// `None` when the file does not give a shape.
    pub(super) shape: Option<Vec<Dimension>>,
}

/// One dimension of a declared shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dimension {
    Fixed(i64),
    /// A name, or nothing at all.
    Free,
}

/// `TensorProto` before its data is decoded.
#[derive(Debug, Clone, Copy)]
pub(super) struct TensorMessage<'a> {
    pub(super) name: &'a str,
    pub(super) message: Message<'a>,
}

/// `ModelProto`: 7 graph, 8 opset_import.
pub(super) fn model(bytes: &[u8]) -> Result<Model<'_>, ModelError> {
    let mut budget = Budget(MAX_ITEMS);
    let mut opsets = Vec::new();
    let mut found = None;
    let mut fields = Message { bytes, at: 0 }.fields();
    while let Some(field) = fields.next()? {
        match field.number {
            7 => found = Some(graph(field.message()?, &mut budget)?),
            8 => {
                budget.spend(field.at)?;
                opsets.push(opset(field.message()?)?);
            }
            _ => {}
        }
    }
    let graph = found.ok_or_else(|| malformed(bytes.len(), "the file ends without a graph"))?;
    Ok(Model { opsets, graph })
}

/// `OperatorSetIdProto`: 1 domain, 2 version.
fn opset(message: Message<'_>) -> Result<(&str, i64), ModelError> {
    let mut opset = ("", 0);
    let mut fields = message.fields();
    while let Some(field) = fields.next()? {
        match field.number {
            1 => opset.0 = field.text()?,
            2 => opset.1 = field.integer()?,
            _ => {}
        }
    }
    Ok(opset)
}

/// `GraphProto`: 1 node, 5 initializer, 11 input, 12 output, 15 sparse_initializer.
fn graph<'a>(message: Message<'a>, budget: &mut Budget) -> Result<Graph<'a>, ModelError> {
    let mut graph = Graph::default();
    let mut fields = message.fields();
    while let Some(field) = fields.next()? {
        if matches!(field.number, 1 | 5 | 11 | 12) {
            budget.spend(field.at)?;
        }
        match field.number {
            1 => graph.nodes.push(node(field.message()?, budget)?),
            5 => graph.initializers.push(tensor(field.message()?)?),
            11 => graph.inputs.push(value_info(field.message()?)?),
            12 => graph.outputs.push(value_info(field.message()?)?),
            15 => graph.sparse_initializers = true,
            _ => {}
        }
    }
    Ok(graph)
}

/// `NodeProto`: 1 input, 2 output, 3 name, 4 op_type, 5 attribute, 7 domain.
fn node<'a>(message: Message<'a>, budget: &mut Budget) -> Result<Node<'a>, ModelError> {
    let mut node = Node::default();
    let mut fields = message.fields();
    while let Some(field) = fields.next()? {
        if matches!(field.number, 1 | 2 | 5) {
            budget.spend(field.at)?;
        }
        match field.number {
            1 => node.inputs.push(field.text()?),
            2 => node.outputs.push(field.text()?),
            3 => node.name = field.text()?,
            4 => node.operator = field.text()?,
            5 => {
                let message = field.message()?;
                node.attributes.push((name_of(message, 1)?, message));
            }
            7 => node.domain = field.text()?,
            _ => {}
        }
    }
    Ok(node)
}

/// `AttributeProto`: 2 f, 3 i, 4 s, 5 t, 7 floats, 8 ints, 9 strings; 6, 10, 11, 14, 15, 22 and 23 are graphs, types
/// and lists that no supported operator has.
pub(super) fn attribute(message: Message<'_>) -> Result<Attribute<'_>, ModelError> {
    let mut attribute = Attribute::default();
    let mut fields = message.fields();
    while let Some(field) = fields.next()? {
        match field.number {
            2 => attribute.float = Some(field.float()?),
            3 => attribute.integer = Some(field.integer()?),
            4 => attribute.text = Some(field.message()?),
            5 => attribute.tensor = Some(tensor(field.message()?)?),
            7 => field.floats(&mut attribute.floats)?,
            8 => field.integers(&mut attribute.integers)?,
            9 => attribute.texts.push(field.message()?),
            6 | 10 | 11 | 14 | 15 | 22 | 23 => attribute.other = true,
            _ => {}
        }
    }
    Ok(attribute)
}

/// `TensorProto`: 8 name. The rest is decoded by [`super::tensor`].
fn tensor(message: Message<'_>) -> Result<TensorMessage<'_>, ModelError> {
    Ok(TensorMessage { name: name_of(message, 8)?, message })
}

/// `ValueInfoProto`: 1 name, 2 type. `TypeProto`: 1 tensor_type. `TypeProto.Tensor`: 1 elem_type, 2 shape.
fn value_info(message: Message<'_>) -> Result<ValueInfo<'_>, ModelError> {
    let mut info = ValueInfo { name: name_of(message, 1)?, ..ValueInfo::default() };
    let Some(of_type) = part(message, 2)? else { return Ok(info) };
    let Some(of_tensor) = part(of_type, 1)? else { return Ok(info) };
    info.tensor = Some(0);
    let mut fields = of_tensor.fields();
    while let Some(field) = fields.next()? {
        match field.number {
            1 => info.tensor = Some(field.integer()?),
            2 => info.shape = Some(shape(field.message()?)?),
            _ => {}
        }
    }
    Ok(info)
}

/// `TensorShapeProto`: 1 dim. `Dimension`: 1 dim_value, 2 dim_param.
fn shape(message: Message<'_>) -> Result<Vec<Dimension>, ModelError> {
    let mut shape = Vec::new();
    let mut fields = message.fields();
    while let Some(field) = fields.next()? {
        if field.number != 1 {
            continue;
        }
        if shape.len() == super::shape::MAX_RANK {
            return Err(malformed(field.at, "a shape of too many dimensions"));
        }
        let mut dimension = Dimension::Free;
        let mut parts = field.message()?.fields();
        while let Some(part) = parts.next()? {
            if part.number == 1 {
                dimension = Dimension::Fixed(part.integer()?);
            }
        }
        shape.push(dimension);
    }
    Ok(shape)
}

/// The last message with this number, as protobuf has it for fields that are not lists.
fn part(message: Message<'_>, number: u64) -> Result<Option<Message<'_>>, ModelError> {
    let mut found = None;
    let mut fields = message.fields();
    while let Some(field) = fields.next()? {
        if field.number == number {
            found = Some(field.message()?);
        }
    }
    Ok(found)
}

fn name_of(message: Message<'_>, number: u64) -> Result<&str, ModelError> {
    part(message, number)?.map_or(Ok(""), Message::text)
}

/// The fields of a tensor, for [`super::tensor`].
pub(super) fn each_field<'a>(
    tensor: TensorMessage<'a>,
    mut see: impl FnMut(Field<'a>) -> Result<(), ModelError>,
) -> Result<(), ModelError> {
    let mut fields = tensor.message.fields();
    while let Some(field) = fields.next()? {
        see(field)?;
    }
    Ok(())
}
