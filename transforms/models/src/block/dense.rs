//! A dense layer: matrix product, bias and activation in one kernel.

use super::LANES;
use super::elementwise::Unary;
use super::lanes::{Frame, Kernel, Lanes, Real, Refusal, Reg};

/// Columns of the result computed together: their sums and one column of the input fit the sixteen SSE registers.
const TILE: usize = 4;

/// `output = activation(input × weights + bias)`.
#[derive(Debug)]
pub(crate) struct Dense<T> {
    input: Reg<T>,
    output: Reg<T>,
    /// For each tile of [`TILE`] result columns, for each input column, the weights of the tile; padded with zeros.
    tiles: Box<[[T; TILE]]>,
    /// One bias per result column, padded to whole tiles.
    bias: Box<[[T; TILE]]>,
    activation: Option<Unary<T>>,
}

impl<T: Real> Dense<T> {
    /// `weight(i, j)` is what input column `i` adds to result column `j`; `bias` has one number per result column.
    pub(crate) fn new(
        input: Reg<T>,
        output: Reg<T>,
        weight: impl Fn(usize, usize) -> T,
        bias: impl Fn(usize) -> T,
        activation: Option<Unary<T>>,
    ) -> Self {
        let (height, width) = (input.width, output.width);
        let tile_count = width.div_ceil(TILE);
        let mut tiles = Vec::with_capacity(tile_count * height);
        let mut biases = Vec::with_capacity(tile_count);
        for tile in 0..tile_count {
            let column = |k: usize| tile * TILE + k;
            for i in 0..height {
                tiles.push(std::array::from_fn(|k| {
                    if column(k) < width { weight(i, column(k)) } else { T::ZERO }
                }));
            }
            biases.push(std::array::from_fn(|k| if column(k) < width { bias(column(k)) } else { T::ZERO }));
        }
        Self { input, output, tiles: tiles.into(), bias: biases.into(), activation }
    }
}

impl<T: Real> Kernel for Dense<T> {
    fn run(&self, frame: &mut Frame) -> Result<(), Refusal> {
        let (height, width) = (self.input.width, self.output.width);
        frame.write(self.output, |frame, out| {
            let input = frame.read(self.input);
            for (group, out) in out.chunks_exact_mut(width.max(1)).enumerate() {
                let input = &input[group * height..][..height];
                for (tile, (out, bias)) in out.chunks_mut(TILE).zip(&self.bias).enumerate() {
                    let weights = &self.tiles[tile * height..][..height];
                    let sums = multiply(input, weights, bias);
                    out.copy_from_slice(&sums[..out.len()]);
                }
            }
            if let Some(activation) = self.activation {
                activation.apply(out);
            }
        });
        Ok(())
    }
}

#[inline(always)]
fn multiply<T: Real>(input: &[Lanes<T>], weights: &[[T; TILE]], bias: &[T; TILE]) -> [Lanes<T>; TILE] {
    let mut sums = bias.map(|bias| [bias; LANES]);
    for (x, w) in input.iter().zip(weights) {
        for k in 0..TILE {
            for lane in 0..LANES {
                sums[k][lane] = sums[k][lane].plus(w[k].times(x[lane]));
            }
        }
    }
    sums
}
