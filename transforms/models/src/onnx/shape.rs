//! Shapes with a batch in them, and where columns go when shapes change.
//!
//! A value of the graph has a row for every record. Its shape has exactly one dimension that is the batch; the others
//! together are the columns of a row, in row-major order. Operators that would fold records together are refused, so a
//! record's prediction never depends on other records.

/// Dimensions a tensor may have.
pub(super) const MAX_RANK: usize = 8;

/// One dimension of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dim {
    /// As many as there are rows.
    Batch,
    Fixed(usize),
}

/// The shape of a value that has a row for every record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    dims: Vec<Dim>,
}

/// Why a shape is not possible: what, and what was expected.
pub(super) type Trouble = (String, &'static str);

impl Shape {
    /// The shape `[batch, columns]`.
    pub(super) fn matrix(columns: usize) -> Self {
        Self { dims: vec![Dim::Batch, Dim::Fixed(columns)] }
    }

    /// The shape `[batch]`.
    pub(super) fn vector() -> Self {
        Self { dims: vec![Dim::Batch] }
    }

    /// Checks that exactly one dimension is the batch.
    pub(super) fn new(dims: Vec<Dim>) -> Result<Self, Trouble> {
        let shape = Self { dims };
        let what = || format!("it would give a value of shape {shape}");
        if shape.dims.iter().filter(|dim| **dim == Dim::Batch).count() != 1 {
            return Err((what(), "a shape with the batch as one dimension"));
        }
        if shape.dims.len() > MAX_RANK || shape.checked_width().is_none() {
            return Err((what(), "at most eight dimensions that fit memory"));
        }
        Ok(shape)
    }

    /// Whether the values of a row lie together: all dimensions before the batch are 1.
    pub(super) fn rows_first(&self) -> bool {
        self.dims.iter().take_while(|dim| **dim != Dim::Batch).all(|dim| *dim == Dim::Fixed(1))
    }

    pub(super) fn dims(&self) -> &[Dim] {
        &self.dims
    }

    pub(super) fn rank(&self) -> usize {
        self.dims.len()
    }

    /// Columns of a row.
    pub(super) fn width(&self) -> usize {
        self.checked_width().unwrap_or(usize::MAX)
    }

    fn checked_width(&self) -> Option<usize> {
        self.columns().try_fold(1usize, usize::checked_mul)
    }

    /// The dimensions without the batch.
    fn columns(&self) -> impl DoubleEndedIterator<Item = usize> + Clone {
        self.dims.iter().filter_map(|dim| match dim {
            Dim::Batch => None,
            Dim::Fixed(size) => Some(*size),
        })
    }

    pub(super) fn batch_axis(&self) -> usize {
        self.dims.iter().position(|dim| *dim == Dim::Batch).unwrap_or(0)
    }

    /// The columns as `[n, k]`: the shape of the input of most operators. A vector counts as one column.
    pub(super) fn as_matrix(&self) -> Option<usize> {
        (self.batch_axis() == 0 && self.rank() <= 2).then(|| self.width())
    }

    /// The position of an axis that is not the batch; negative axes count from the end.
    pub(super) fn axis(&self, axis: i64) -> Result<usize, Trouble> {
        let position = resolve(axis, self.rank())?;
        if self.dims[position] == Dim::Batch {
            return Err((format!("axis {axis} of shape {self} is the batch"), "an axis within the row"));
        }
        Ok(position)
    }

    /// Columns before, along and after an axis: column = (before × along + position) × after + rest.
    pub(super) fn around(&self, axis: usize) -> Around {
        let size = |dims: &[Dim]| {
            dims.iter().fold(1, |size, dim| match dim {
                Dim::Batch => size,
                Dim::Fixed(dim) => size * dim,
            })
        };
        Around {
            before: size(&self.dims[..axis]),
            along: size(&self.dims[axis..=axis]),
            after: size(&self.dims[axis + 1..]),
        }
    }

    /// The same shape with another size along an axis.
    pub(super) fn with(&self, axis: usize, size: usize) -> Result<Self, Trouble> {
        let mut dims = self.dims.clone();
        dims[axis] = Dim::Fixed(size);
        Self::new(dims)
    }

    /// The columns that are folded into one when axes are reduced, result column by result column; with the number of
    /// columns in each and the shape of the result.
    pub(super) fn reduce(&self, axes: &[usize], keep: bool) -> Result<(Self, Vec<u32>, usize), Trouble> {
        let kept = |axis: usize| !axes.contains(&axis);
        let strides = self.strides();
        let mut offsets = vec![0usize];
        let mut folded = vec![0usize];
        for (axis, dim) in self.dims.iter().enumerate() {
            let Dim::Fixed(size) = *dim else { continue };
            let list = if kept(axis) { &mut offsets } else { &mut folded };
            *list = list
                .iter()
                .flat_map(|&offset| (0..size).map(move |position| (offset, position)))
                .map(|(offset, position)| offset + position * strides[axis])
                .collect();
        }
        let members =
            offsets.iter().flat_map(|offset| folded.iter().map(move |fold| (offset + fold) as u32)).collect();
        let dims = self.dims.iter().enumerate();
        let dims = dims.filter_map(|(axis, dim)| match (kept(axis), keep) {
            (true, _) => Some(*dim),
            (false, true) => Some(Dim::Fixed(1)),
            (false, false) => None,
        });
        Ok((Self::new(dims.collect())?, members, folded.len()))
    }

    /// How far apart the columns of neighbouring positions are along each axis; 0 for the batch.
    fn strides(&self) -> Vec<usize> {
        let mut strides = vec![0; self.rank()];
        let mut stride = 1usize;
        for (axis, dim) in self.dims.iter().enumerate().rev() {
            if let Dim::Fixed(size) = *dim {
                strides[axis] = stride;
                stride = stride.saturating_mul(size);
            }
        }
        strides
    }

    /// The shape and the columns after the axes are put in another order.
    pub(super) fn transpose(&self, order: &[usize]) -> Result<(Self, Vec<u32>), Trouble> {
        let mut seen = vec![false; self.rank()];
        for &axis in order {
            match seen.get_mut(axis) {
                Some(seen) if !*seen => *seen = true,
                _ => return Err((format!("it orders axes as {order:?}"), "every axis once")),
            }
        }
        if order.len() != self.rank() {
            return Err((format!("it orders {} axes of {}", order.len(), self.rank()), "every axis once"));
        }
        let shape = Self::new(order.iter().map(|&axis| self.dims[axis]).collect())?;
        let strides = self.strides();
        let mut columns = vec![0u32];
        for &axis in order {
            if let Dim::Fixed(size) = self.dims[axis] {
                columns = columns
                    .iter()
                    .flat_map(|&column| (0..size).map(move |position| (column, position)))
                    .map(|(column, position)| column + (position * strides[axis]) as u32)
                    .collect();
            }
        }
        Ok((shape, columns))
    }

    /// The shape that `Reshape` asks for: 0 keeps the dimension in that place, -1 is what is left, `None` is the batch.
    pub(super) fn reshape(&self, wanted: &[Option<i64>], zero_is_zero: bool) -> Result<Self, Trouble> {
        let sizes = || wanted.iter().map(|size| size.map_or("n".to_owned(), |size| size.to_string()));
        let trouble = || {
            let sizes = sizes().collect::<Vec<_>>().join(", ");
            (format!("it reshapes {self} to [{sizes}]"), "a shape that keeps every row a row")
        };
        if wanted.len() > MAX_RANK || !self.rows_first() {
            return Err(trouble());
        }
        let mut dims: Vec<Option<Dim>> = Vec::with_capacity(wanted.len());
        for (axis, &size) in wanted.iter().enumerate() {
            dims.push(match size {
                None => Some(Dim::Batch),
                Some(-1) => None,
                Some(0) if !zero_is_zero => Some(*self.dims.get(axis).ok_or_else(trouble)?),
                Some(size) => Some(Dim::Fixed(usize::try_from(size).map_err(|_| trouble())?)),
            });
        }
        let fixed = dims.iter().try_fold(1usize, |product, dim| match dim {
            Some(Dim::Fixed(size)) => product.checked_mul(*size),
            _ => Some(product),
        });
        let fixed = fixed.ok_or_else(trouble)?;
        let has_batch = dims.contains(&Some(Dim::Batch));
        let open = dims.iter().filter(|dim| dim.is_none()).count();
        let filler = match (has_batch, open) {
            // What is left is the batch, if the other dimensions hold exactly a row.
            (false, 1) if fixed == self.width() => Dim::Batch,
            (true, 1) if fixed > 0 && self.width().is_multiple_of(fixed) => Dim::Fixed(self.width() / fixed),
            (true, 0) if fixed == self.width() => Dim::Batch,
            // A model exported for one row at a time says 1 where others say -1.
            (false, 0) if fixed == self.width() && dims.first() == Some(&Some(Dim::Fixed(1))) => {
                dims[0] = Some(Dim::Batch);
                Dim::Batch
            }
            _ => return Err(trouble()),
        };
        Self::new(dims.into_iter().map(|dim| dim.unwrap_or(filler)).collect())
    }

    /// The shape with dimensions of 1 removed: those given, or all.
    pub(super) fn squeeze(&self, axes: Option<&[i64]>) -> Result<Self, Trouble> {
        let axes = match axes {
            Some(axes) => axes.iter().map(|&axis| self.axis(axis)).collect::<Result<Vec<_>, _>>()?,
            None => (0..self.rank()).filter(|&axis| self.dims[axis] == Dim::Fixed(1)).collect(),
        };
        if let Some(&axis) = axes.iter().find(|&&axis| self.dims[axis] != Dim::Fixed(1)) {
            return Err((format!("it squeezes axis {axis} of shape {self}"), "a dimension of 1"));
        }
        let dims = self.dims.iter().enumerate().filter(|(axis, _)| !axes.contains(axis)).map(|(_, dim)| *dim);
        Self::new(dims.collect())
    }

    /// The shape with dimensions of 1 put in at these positions of the result.
    pub(super) fn unsqueeze(&self, axes: &[i64]) -> Result<Self, Trouble> {
        let rank = self.rank() + axes.len().min(MAX_RANK + 1);
        if rank > MAX_RANK {
            return Err((format!("it would give a value of {rank} dimensions"), "at most eight"));
        }
        let mut dims: Vec<Option<Dim>> = vec![None; rank];
        for &axis in axes {
            let slot = &mut dims[resolve(axis, rank)?];
            if slot.replace(Dim::Fixed(1)).is_some() {
                return Err((format!("it puts in axis {axis} twice"), "different axes"));
            }
        }
        let mut rest = self.dims.iter();
        let dims = dims.into_iter().filter_map(|dim| dim.or_else(|| rest.next().copied()));
        Self::new(dims.collect())
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (position, dim) in self.dims.iter().enumerate() {
            f.write_str(if position == 0 { "[" } else { ", " })?;
            match dim {
                Dim::Batch => f.write_str("n")?,
                Dim::Fixed(size) => write!(f, "{size}")?,
            }
        }
        f.write_str("]")
    }
}

/// See [`Shape::around`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    pub(super) before: usize,
    pub(super) along: usize,
    pub(super) after: usize,
}

fn resolve(axis: i64, rank: usize) -> Result<usize, Trouble> {
    let from_end = axis.checked_add(rank as i64).filter(|_| axis < 0);
    let position = usize::try_from(from_end.unwrap_or(axis)).ok().filter(|&position| position < rank);
    position.ok_or_else(|| (format!("there is no axis {axis}"), "an axis of the input"))
}

/// The dimensions of an operand of an elementwise operator: a value's or a constant's.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent<'a> {
    Value(&'a Shape),
    Constant(&'a [usize]),
}

impl Extent<'_> {
    fn rank(self) -> usize {
        match self {
            Self::Value(shape) => shape.rank(),
            Self::Constant(dims) => dims.len(),
        }
    }

    /// The dimension at a position counted from the end.
    fn counted_from_end(self, position: usize) -> Dim {
        let at = self.rank().checked_sub(position + 1);
        match (self, at) {
            (_, None) => Dim::Fixed(1),
            (Self::Value(shape), Some(at)) => shape.dims[at],
            (Self::Constant(dims), Some(at)) => Dim::Fixed(dims[at]),
        }
    }
}

/// The common shape of operands by the rules of numpy, aligned at the last axis.
pub(super) fn broadcast(operands: &[Extent<'_>]) -> Result<Shape, Trouble> {
    let rank = operands.iter().map(|operand| operand.rank()).max().unwrap_or(0);
    let mut dims = Vec::with_capacity(rank);
    for position in 0..rank {
        let mut common = Dim::Fixed(1);
        for operand in operands {
            common = match (common, operand.counted_from_end(position)) {
                (common, Dim::Fixed(1)) => common,
                (Dim::Fixed(1), dim) => dim,
                (common, dim) if common == dim => common,
                (Dim::Batch, _) | (_, Dim::Batch) => {
                    return Err((
                        "it combines the batch with a dimension of another size".to_owned(),
                        "operands that keep every row a row",
                    ));
                }
                (common, dim) => {
                    return Err((
                        format!("it combines dimensions {common:?} and {dim:?}"),
                        "equal dimensions or 1",
                    ));
                }
            };
        }
        dims.push(common);
    }
    dims.reverse();
    Shape::new(dims)
}

/// For each column of `shape` the column of an operand that was broadcast to it.
pub(super) fn spread(shape: &Shape, operand: Extent<'_>) -> Vec<u32> {
    let mut strides = vec![0usize; shape.rank()];
    let mut stride = 1usize;
    for position in 0..shape.rank() {
        if let Dim::Fixed(size) = operand.counted_from_end(position) {
            let axis = shape.rank() - 1 - position;
            strides[axis] = if size == 1 { 0 } else { stride };
            stride = stride.saturating_mul(size);
        }
    }
    let mut columns = vec![0u32];
    for (axis, dim) in shape.dims.iter().enumerate() {
        if let Dim::Fixed(size) = *dim {
            columns = columns
                .iter()
                .flat_map(|&column| (0..size).map(move |position| (column, position)))
                .map(|(column, position)| column + (position * strides[axis]) as u32)
                .collect();
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(dims: &[i64]) -> Shape {
        let dims = dims.iter().map(|&dim| if dim < 0 { Dim::Batch } else { Dim::Fixed(dim as usize) });
        Shape::new(dims.collect()).unwrap()
    }

    impl Shape {
        fn reshape_to(&self, wanted: &[i64]) -> Result<Self, Trouble> {
            self.reshape(&wanted.iter().map(|&size| Some(size)).collect::<Vec<_>>(), false)
        }
    }

    #[test]
    fn one_dimension_is_the_batch() {
        assert!(Shape::new(vec![Dim::Fixed(2)]).is_err());
        assert!(Shape::new(vec![Dim::Batch, Dim::Batch]).is_err());
        assert!(Shape::new(vec![Dim::Batch, Dim::Fixed(usize::MAX), Dim::Fixed(2)]).is_err());
        assert_eq!(shape(&[1, -1]).to_string(), "[1, n]");
        assert!(shape(&[1, -1, 2]).rows_first() && !shape(&[2, -1]).rows_first());
        assert!(shape(&[2, -1]).reshape_to(&[-1, 2]).is_err(), "the values of a row do not lie together");
        assert_eq!(shape(&[-1, 2, 3]).width(), 6);
    }

    #[test]
    fn reshape_keeps_rows() {
        assert_eq!(shape(&[-1, 6]).reshape_to(&[-1, 2, 3]), Ok(shape(&[-1, 2, 3])));
        assert_eq!(shape(&[-1, 2, 3]).reshape_to(&[0, -1]), Ok(shape(&[-1, 6])));
        assert_eq!(shape(&[-1, 1]).reshape_to(&[-1]), Ok(shape(&[-1])));
        assert_eq!(shape(&[1, -1]).reshape_to(&[-1, 1]), Ok(shape(&[-1, 1])));
        assert_eq!(shape(&[-1, 4]).reshape_to(&[1, 4]), Ok(shape(&[-1, 4])));
        assert_eq!(shape(&[-1, 2, 3]).reshape(&[None, Some(6)], false), Ok(shape(&[-1, 6])));
        assert!(shape(&[-1, 6]).reshape(&[None, Some(5)], false).is_err());
        assert!(shape(&[-1, 6]).reshape(&[None, None], false).is_err());
        for wanted in
            [&[-1][..], &[-1, 3], &[2, -1], &[6], &[-1, -1], &[-2, 6], &[-1, 1 << 62, 1 << 62], &[0, 5]]
        {
            assert!(shape(&[-1, 6]).reshape_to(wanted).is_err(), "{wanted:?}");
        }
    }

    #[test]
    fn reduce_lists_the_members_of_each_result() {
        let (result, members, count) = shape(&[-1, 2, 3]).reduce(&[1], false).unwrap();
        assert_eq!((result, members, count), (shape(&[-1, 3]), vec![0, 3, 1, 4, 2, 5], 2));
        let (result, members, count) = shape(&[-1, 2, 3]).reduce(&[1, 2], true).unwrap();
        assert_eq!((result, members, count), (shape(&[-1, 1, 1]), vec![0, 1, 2, 3, 4, 5], 6));
    }

    #[test]
    fn axes_within_the_row_only() {
        let matrix = shape(&[-1, 5]);
        assert_eq!(matrix.axis(-1), Ok(1));
        for axis in [0, -2, 2, -3, i64::MIN, i64::MAX] {
            assert!(matrix.axis(axis).is_err(), "{axis}");
        }
    }

    #[test]
    fn broadcasting_aligns_at_the_end() {
        let (matrix, column, vector) = (shape(&[-1, 3]), shape(&[-1, 1]), shape(&[-1]));
        let value = Extent::Value(&matrix);
        assert_eq!(broadcast(&[value, Extent::Constant(&[3])]), Ok(matrix.clone()));
        assert_eq!(broadcast(&[value, Extent::Value(&column)]), Ok(matrix.clone()));
        assert_eq!(broadcast(&[Extent::Value(&vector), Extent::Constant(&[1])]), Ok(vector.clone()));
        assert!(broadcast(&[value, Extent::Constant(&[4])]).is_err());
        assert!(broadcast(&[value, Extent::Value(&vector)]).is_err(), "rows would meet other rows");
        assert!(broadcast(&[Extent::Value(&vector), Extent::Constant(&[2])]).is_err());
        assert_eq!(spread(&matrix, Extent::Value(&column)), [0, 0, 0]);
        assert_eq!(spread(&matrix, Extent::Constant(&[1, 3])), [0, 1, 2]);
        let cube = shape(&[-1, 2, 3]);
        assert_eq!(spread(&cube, Extent::Constant(&[2, 1])), [0, 0, 0, 1, 1, 1]);
    }

    #[test]
    fn squeeze_unsqueeze_transpose() {
        assert_eq!(shape(&[-1, 1, 3]).squeeze(None), Ok(shape(&[-1, 3])));
        assert_eq!(shape(&[1, -1]).squeeze(Some(&[0])), Ok(shape(&[-1])));
        assert!(shape(&[-1, 3]).squeeze(Some(&[1])).is_err());
        assert_eq!(shape(&[-1]).unsqueeze(&[1]), Ok(shape(&[-1, 1])));
        assert_eq!(shape(&[-1, 3]).unsqueeze(&[-1]), Ok(shape(&[-1, 3, 1])));
        assert!(shape(&[-1]).unsqueeze(&[1, 1]).is_err());
        let (result, columns) = shape(&[-1, 2, 3]).transpose(&[0, 2, 1]).unwrap();
        assert_eq!((result, columns), (shape(&[-1, 3, 2]), vec![0, 3, 1, 4, 2, 5]));
        assert_eq!(shape(&[-1, 3]).transpose(&[1, 0]), Ok((shape(&[3, -1]), vec![0, 1, 2])));
        assert!(shape(&[-1, 3]).transpose(&[0, 0]).is_err());
    }
}
