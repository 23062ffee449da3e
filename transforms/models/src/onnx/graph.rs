//! From a graph to a plan: values by name, the walk over the nodes, inputs and outputs.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use super::lower;
use super::node::Node;
use super::proto::{Dimension, Model, TensorMessage, ValueInfo};
use super::shape::{Dim, Shape};
use super::tensor::{ELEMENT_TYPES, Tensor, element_type};
use super::{CORE, FORMAT};
use crate::block::lanes::AnyReg;
use crate::block::plan::{Plan, PlanBuilder};
use crate::error::{ModelError, ModelErrorKind};
use crate::signature::{ElementType, InputSpec, OutputKind, OutputSpec, Signature, listing};

/// Input columns a model may have; the names alone would be too much memory otherwise.
const MAX_INPUTS: usize = 1 << 17;

/// A value of the graph.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// Known when the model is loaded.
    Constant(Rc<Tensor>),
    /// Has a row for every record.
    Rows(Rows),
}

/// A value with a row for every record.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) reg: AnyReg,
    pub(super) element: ElementType,
    pub(super) shape: Shape,
    /// For scores, the class each column is about; for labels, the classes that can come out.
    pub(super) classes: Option<Arc<[String]>>,
    /// Texts that come from the records: only those that the model mentions can be told apart.
    pub(super) from_records: bool,
}

/// A graph while it is compiled.
pub(super) struct Compiler<'a> {
    pub(super) plan: PlanBuilder,
    values: HashMap<&'a str, Value>,
    /// Initializers that no node has asked for yet.
    initializers: HashMap<&'a str, TensorMessage<'a>>,
    nodes: Vec<Node<'a>>,
    /// The nodes that read a value, by name; a node that reads it twice is there twice.
    readers: HashMap<&'a str, Vec<usize>>,
    outputs: HashSet<&'a str>,
    /// Nodes that were compiled together with one before them.
    done: Vec<bool>,
    opsets: HashMap<&'a str, i64>,
}

pub(super) fn compile<'a>(model: &'a Model<'a>) -> Result<Plan, ModelError> {
    let graph = &model.graph;
    let mut readers: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, node) in graph.nodes.iter().enumerate() {
        for input in &node.inputs {
            readers.entry(input).or_default().push(position);
        }
    }
    let domain = |domain: &'a str| if domain.is_empty() { CORE } else { domain };
    let mut compiler = Compiler {
        plan: PlanBuilder::default(),
        values: HashMap::new(),
        initializers: graph.initializers.iter().map(|tensor| (tensor.name, *tensor)).collect(),
        nodes: graph.nodes.iter().enumerate().map(|(position, node)| Node::new(node, position)).collect(),
        readers,
        outputs: graph.outputs.iter().map(|output| output.name).collect(),
        done: vec![false; graph.nodes.len()],
        opsets: model.opsets.iter().map(|&(name, version)| (domain(name), version)).collect(),
    };
    let inputs = compiler.inputs(&graph.inputs)?;
    if graph.sparse_initializers {
        return Err(ModelError::invalid("initializers", "one of them is sparse", "dense initializers"));
    }
    for position in 0..graph.nodes.len() {
        if !compiler.done[position] {
            lower::node(&mut compiler, position)?;
        }
    }
    let mut specs = Vec::with_capacity(graph.outputs.len());
    let mut sinks = Vec::with_capacity(graph.outputs.len());
    for output in &graph.outputs {
        let (spec, reg) = compiler.output(output)?;
        specs.push(spec);
        sinks.push(reg);
    }
    if specs.is_empty() {
        return Err(ModelError::invalid(
            "outputs",
            format!("the {FORMAT} graph has none"),
            "at least one output",
        ));
    }
    Ok(compiler.plan.finish(Signature::new(inputs, specs), sinks))
}

impl<'a> Compiler<'a> {
    /// Declares the inputs that are not initializers; one column each, or as many as they have.
    fn inputs(&mut self, inputs: &[ValueInfo<'a>]) -> Result<Vec<InputSpec>, ModelError> {
        let mut specs: Vec<InputSpec> = Vec::new();
        for info in inputs.iter().filter(|info| !self.initializers.contains_key(info.name)) {
            let place = format!("input '{}'", info.name);
            let element = element_of(info, &place)?;
            let shape = input_shape(info, &place)?;
            let width = shape.width();
            if specs.len().saturating_add(width) > MAX_INPUTS {
                return Err(ModelError::limit(place, format!("{width} columns more"), MAX_INPUTS));
            }
            let reg = self.plan.source(&place, element, width)?;
            let tensor: Arc<str> = info.name.into();
            specs.extend((0..width).map(|index| InputSpec {
                name: if width == 1 { info.name.to_owned() } else { format!("{}{index}", info.name) },
                tensor: tensor.clone(),
                index,
                width,
                element,
            }));
            let from_records = element == ElementType::String;
            let rows = Rows { reg, element, shape, classes: None, from_records };
            if self.values.insert(info.name, Value::Rows(rows)).is_some() {
                return Err(ModelError::invalid(place, "it is declared twice", "different names"));
            }
        }
        make_unique(&mut specs);
        Ok(specs)
    }

    fn output(&mut self, info: &ValueInfo<'a>) -> Result<(OutputSpec, AnyReg), ModelError> {
        let place = format!("output '{}'", info.name);
        let rows = match self.value(info.name, &place)? {
            Value::Rows(rows) => rows,
            Value::Constant(_) => {
                return Err(ModelError::invalid(place, "it does not depend on the inputs", "a prediction"));
            }
        };
        if rows.from_records {
            return Err(ModelError::invalid(place, "it hands out text of the input", "a prediction"));
        }
        if !rows.shape.rows_first() {
            let what = format!("its shape is {}", rows.shape);
            return Err(ModelError::invalid(place, what, "a shape whose first dimension is the batch"));
        }
        let width = rows.shape.width();
        let is_label = width == 1
            && matches!(rows.element, ElementType::Int64 | ElementType::Int32 | ElementType::String);
        let spec = OutputSpec {
            name: info.name.to_owned(),
            kind: if is_label { OutputKind::Label } else { OutputKind::Numbers },
            element: rows.element,
            width,
            classes: rows.classes.filter(|classes| is_label || classes.len() == width),
        };
        Ok((spec, rows.reg))
    }

    /// The value with this name: an input, what an earlier node made, or an initializer.
    pub(super) fn value(&mut self, name: &'a str, place: &str) -> Result<Value, ModelError> {
        if let Some(value) = self.values.get(name) {
            return Ok(value.clone());
        }
        let Some(tensor) = self.initializers.get(name).copied() else {
            return Err(ModelError::invalid(
                place,
                format!("there is no value '{name}' before it"),
                "an input, an initializer or the output of an earlier node",
            ));
        };
        let value = Value::Constant(Rc::new(Tensor::decode(tensor)?));
        self.values.insert(name, value.clone());
        Ok(value)
    }

    /// Defines what a node makes. Nothing may be defined twice.
    pub(super) fn define(&mut self, node: usize, output: usize, value: Value) -> Result<(), ModelError> {
        let node = &self.nodes[node];
        let Some(name) = node.output(output) else { return Ok(()) };
        if self.values.insert(name, value).is_some() {
            return Err(node.invalid(format!("value '{name}' is made twice"), "every value made once"));
        }
        Ok(())
    }

    pub(super) fn node(&self, position: usize) -> &Node<'a> {
        &self.nodes[position]
    }

    /// Version of the operator set of a domain; 1 where the file does not say.
    pub(super) fn opset(&self, domain: &str) -> i64 {
        self.opsets.get(domain).copied().unwrap_or(1)
    }

    /// The only node that reads the first output of a node, provided that the value is not an output of the model:
    /// the two can be compiled as one.
    pub(super) fn sole_reader(&self, node: usize) -> Option<usize> {
        let name = self.nodes[node].output(0)?;
        match self.readers.get(name).map(Vec::as_slice) {
            Some(&[reader]) if reader > node && !self.done[reader] && !self.outputs.contains(name) => {
                Some(reader)
            }
            _ => None,
        }
    }

    /// Marks a node as compiled together with one before it.
    pub(super) fn mark_done(&mut self, node: usize) {
        self.done[node] = true;
    }

    /// The error for an operator that is not in the table.
    pub(super) fn unsupported(&self, node: usize, supported: &[&str]) -> ModelError {
        let node = &self.nodes[node];
        // All of them, because the user needs to know what the model could be exported to.
        let supported = if supported.is_empty() { "none".to_owned() } else { supported.join(", ") };
        ModelErrorKind::Unsupported {
            node: node.place.clone(),
            operator: node.proto.operator.to_owned(),
            domain: node.domain().to_owned(),
            supported,
        }
        .into()
    }
}

fn element_of(info: &ValueInfo<'_>, place: &str) -> Result<ElementType, ModelError> {
    let number = info.tensor.ok_or_else(|| {
        ModelError::invalid(
            place,
            "it is not a tensor",
            "a tensor input (convert with a matrix or columns, not maps)",
        )
    })?;
    element_type(number)
        .ok_or_else(|| ModelError::invalid(place, format!("it has element type {number}"), ELEMENT_TYPES))
}

/// The declared shape with its first dimension as the batch, whatever that one is called or set to.
fn input_shape(info: &ValueInfo<'_>, place: &str) -> Result<Shape, ModelError> {
    let invalid = |what: String| {
        ModelError::invalid(
            place,
            what,
            "a shape such as [n, 10], with the number of rows open and all else fixed",
        )
    };
    let Some(dims) = &info.shape else { return Err(invalid("it has no shape".to_owned())) };
    let fixed = |dim: &Dimension| match dim {
        Dimension::Fixed(size) => usize::try_from(*size).ok().filter(|&size| size > 0).map(Dim::Fixed),
        Dimension::Free => None,
    };
    let Some((first, rest)) = dims.split_first() else {
        return Err(invalid("it is a single number".to_owned()));
    };
    if matches!(first, Dimension::Fixed(size) if *size > 1) {
        return Err(invalid(format!("its number of rows is fixed: shape {}", describe(dims))));
    }
    let mut shape = vec![Dim::Batch];
    for dim in rest {
        shape.push(fixed(dim).ok_or_else(|| invalid(format!("its shape is {}", describe(dims))))?);
    }
    Shape::new(shape).map_err(|(what, _)| invalid(what))
}

fn describe(dims: &[Dimension]) -> String {
    let dims = dims.iter().map(|dim| match dim {
        Dimension::Fixed(size) => size.to_string(),
        Dimension::Free => "?".to_owned(),
    });
    format!("[{}]", listing(dims))
}

/// Names columns by input and position where the short names collide: inputs `x` with two columns and `x1`.
fn make_unique(specs: &mut [InputSpec]) {
    let mut count: HashMap<String, usize> = HashMap::new();
    for spec in specs.iter() {
        *count.entry(spec.name.clone()).or_default() += 1;
    }
    for spec in specs {
        if spec.width > 1 && count.get(&spec.name).is_some_and(|&count| count > 1) {
            spec.name = format!("{}[{}]", spec.tensor, spec.index);
        }
    }
}
