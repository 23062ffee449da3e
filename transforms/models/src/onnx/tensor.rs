//! Constant tensors: initializers and attributes.

use super::proto::{TensorMessage, each_field};
use super::shape::MAX_RANK;
use super::wire::{Message, malformed};
use crate::error::ModelError;
use crate::signature::ElementType;

/// A tensor whose value is known when the model is loaded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Tensor {
    pub(super) element: ElementType,
    pub(super) dims: Vec<usize>,
    pub(super) data: Data,
}

/// The values, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Data {
    Floats(Vec<f32>),
    Doubles(Vec<f64>),
    /// 32-bit and 64-bit integers and booleans.
    Integers(Vec<i64>),
    Texts(Vec<String>),
    /// 64-bit integers that come from the shape of a value; `None` is the number of rows.
    Sizes(Vec<Option<i64>>),
}

impl Data {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Doubles(values) => values.len(),
            Self::Integers(values) => values.len(),
            Self::Texts(values) => values.len(),
            Self::Sizes(values) => values.len(),
        }
    }
}

/// `TensorProto.DataType` of the types that are supported.
pub(super) fn element_type(number: i64) -> Option<ElementType> {
    Some(match number {
        1 => ElementType::Float32,
        6 => ElementType::Int32,
        7 => ElementType::Int64,
        8 => ElementType::String,
        9 => ElementType::Bool,
        11 => ElementType::Float64,
        _ => return None,
    })
}

/// What messages say about element types.
pub(super) const ELEMENT_TYPES: &str = "float, double, int32, int64, bool or string";

impl Tensor {
    /// Decodes a tensor. Its data must have exactly the elements its shape calls for, so what is allocated is bounded
    /// by the length of the file.
    pub(super) fn decode(tensor: TensorMessage<'_>) -> Result<Self, ModelError> {
        let at = tensor.message.at;
        let mut dims = Vec::new();
        let mut data_type = 0;
        let mut raw: Option<Message<'_>> = None;
        let mut external = false;
        let (mut floats, mut doubles) = (Vec::new(), Vec::new());
        let (mut int32s, mut int64s) = (Vec::new(), Vec::new());
        let mut texts = Vec::new();
        each_field(tensor, |field| {
            match field.number {
                1 => field.integers(&mut dims)?,
                2 => data_type = field.integer()?,
                4 => field.floats(&mut floats)?,
                5 => field.integers(&mut int32s)?,
                6 => texts.push(field.text()?.to_owned()),
                7 => field.integers(&mut int64s)?,
                9 => raw = Some(field.message()?),
                10 => field.doubles(&mut doubles)?,
                13 => external = true,
                14 => external |= field.integer()? == 1,
                _ => {}
            }
            Ok(())
        })?;
        let place = || format!("tensor '{}'", tensor.name);
        if external {
            return Err(ModelError::invalid(
                place(),
                "its data is in another file",
                "data inside the model file",
            ));
        }
        let element = element_type(data_type).ok_or_else(|| {
            ModelError::invalid(place(), format!("it has element type {data_type}"), ELEMENT_TYPES)
        })?;
        let data = match (element, raw) {
            (ElementType::Float32, None) => Data::Floats(floats),
            (ElementType::Float64, None) => Data::Doubles(doubles),
            (ElementType::Int64, None) => Data::Integers(int64s),
            (ElementType::Int32 | ElementType::Bool, None) => Data::Integers(int32s),
            (ElementType::String, None) => Data::Texts(texts),
            (element, Some(raw)) => raw_data(element, raw)?,
        };
        let dims = dimensions(&dims)
            .ok_or_else(|| malformed(at, format!("tensor '{}' of shape {dims:?}", tensor.name)))?;
        let wanted = dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        if wanted != Some(data.len()) {
            return Err(malformed(
                at,
                format!("tensor '{}' of shape {dims:?} with {} elements", tensor.name, data.len()),
            ));
        }
        Ok(Self { element, dims, data })
    }

    pub(super) fn len(&self) -> usize {
        self.data.len()
    }

    /// A list of sizes.
    pub(super) fn sizes(sizes: Vec<Option<i64>>) -> Self {
        Self { element: ElementType::Int64, dims: vec![sizes.len()], data: Data::Sizes(sizes) }
    }

    /// The values as sizes, if they are integers.
    pub(super) fn as_sizes(&self) -> Option<Vec<Option<i64>>> {
        match &self.data {
            Data::Integers(values) => Some(values.iter().map(|&value| Some(value)).collect()),
            Data::Sizes(sizes) => Some(sizes.clone()),
            _ => None,
        }
    }
}

fn dimensions(dims: &[i64]) -> Option<Vec<usize>> {
    if dims.len() > MAX_RANK {
        return None;
    }
    dims.iter().map(|&dim| usize::try_from(dim).ok()).collect()
}

/// Little-endian bytes, as `raw_data` has them.
fn raw_data(element: ElementType, raw: Message<'_>) -> Result<Data, ModelError> {
    fn numbers<const N: usize, T>(
        raw: Message<'_>,
        convert: impl Fn([u8; N]) -> T,
    ) -> Result<Vec<T>, ModelError> {
        let (numbers, rest) = raw.bytes.as_chunks::<N>();
        if !rest.is_empty() {
            return Err(malformed(
                raw.at,
                format!("{} bytes of data for elements of {N} bytes", raw.bytes.len()),
            ));
        }
        Ok(numbers.iter().map(|&bytes| convert(bytes)).collect())
    }
    Ok(match element {
        ElementType::Float32 => Data::Floats(numbers(raw, f32::from_le_bytes)?),
        ElementType::Float64 => Data::Doubles(numbers(raw, f64::from_le_bytes)?),
        ElementType::Int64 => Data::Integers(numbers(raw, i64::from_le_bytes)?),
        ElementType::Int32 => Data::Integers(numbers(raw, |bytes| i64::from(i32::from_le_bytes(bytes)))?),
        ElementType::Bool => Data::Integers(raw.bytes.iter().map(|&byte| i64::from(byte != 0)).collect()),
        ElementType::String => return Err(malformed(raw.at, "text as raw data")),
    })
}
