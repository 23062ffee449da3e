//! The engine under the readers: a straight-line plan of kernels over blocks of rows.
//!
//! A block is up to [`BLOCK_ROWS`] rows. Inside it every value is kept as groups of [`LANES`] rows with the columns of
//! one group next to each other (`[group][column][lane]`), so that a kernel's inner loop runs over rows, has a
//! constant length and is turned into vector instructions by the compiler, without `unsafe` and without knowing the
//! machine. One row alone still costs one group only, and its columns lie together.
//!
//! - [`lanes`]: registers, the frame that holds their values, the traits of the three storage types.
//! - [`plan`]: the compiled plan, the builder that gives out registers, and the scorer that runs it.
//! - [`approx`]: exp, tanh and the logistic function without branches.
//! - [`elementwise`], [`dense`], [`columns`], [`lookup`], [`post`]: the kernels.
//!
//! Lanes beyond the last row hold leftovers; a kernel that can fail looks at valid lanes only.

pub(crate) mod approx;
pub(crate) mod columns;
pub(crate) mod dense;
pub(crate) mod elementwise;
pub(crate) mod lanes;
pub(crate) mod lookup;
pub(crate) mod plan;
pub(crate) mod post;

/// Rows in a group: two SSE registers of `f32`, and enough independent work to hide the latency of a tree's steps.
pub(crate) const LANES: usize = 8;
/// Groups in a block.
pub(crate) const GROUPS: usize = 8;
/// Rows in a block: small enough that the values of a small network stay in the first-level cache.
pub(crate) const BLOCK_ROWS: usize = LANES * GROUPS;
/// Columns that all values of a plan may have together: bounds the scratch memory of a scorer (8 bytes × 64 rows each).
pub(crate) const MAX_COLUMNS: usize = 1 << 18;
/// Numbers that the constants and column tables of a plan may have together. A graph can use one constant many times,
/// so this bounds memory where the length of the file does not.
pub(crate) const MAX_CONSTANTS: usize = 1 << 26;
