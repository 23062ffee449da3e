//! Tree ensembles: attributes to nodes and links.

use std::collections::HashMap;

use super::linear::{classes, hand_out, post_transform};
use crate::block::elementwise::Conversion;
use crate::block::lanes::{AnyReg, Real, Reg};
use crate::error::ModelError;
use crate::forest::compile::compile;
use crate::forest::kernel::{ForestKernel, Outcome};
use crate::forest::keys::Ordered;
use crate::forest::votes::{Aggregate, Classification, Regression};
use crate::forest::{Ensemble, Forest, Node as TreeNode, Test, Vote};
use crate::onnx::graph::{Compiler, Rows};
use crate::onnx::node::{Node, Numbers};
use crate::onnx::shape::Shape;
use crate::signature::ElementType;

/// The input in the width in which it meets the thresholds.
enum Input {
    Single(Reg<f32>),
    Double(Reg<f64>),
}

/// Doubles stay doubles, and thresholds that are doubles are not rounded to fit the input.
fn input(compiler: &mut Compiler<'_>, at: usize, rows: &Rows) -> Result<Input, ModelError> {
    let thresholds = compiler.node(at).tensor("nodes_values_as_tensor")?;
    let wide = thresholds.is_some_and(|tensor| tensor.element == ElementType::Float64);
    match rows.reg {
        AnyReg::Doubles(reg) => Ok(Input::Double(reg)),
        AnyReg::Floats(reg) if wide => Ok(Input::Double(compiler.converted(at, reg, Conversion::Plain)?)),
        _ => Ok(Input::Single(compiler.floats(at, rows)?)),
    }
}

/// `TreeEnsembleRegressor`.
pub(super) fn regressor(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    let targets = compiler.node(at).integer("n_targets")?.unwrap_or(0);
    let targets = usize::try_from(targets).ok().filter(|&targets| targets > 0).ok_or_else(|| {
        compiler.node(at).invalid(format!("attribute n_targets is {targets}"), "at least 1")
    })?;
    match input(compiler, at, &rows)? {
        Input::Single(input) => regressor_of(compiler, at, &rows, input, targets),
        Input::Double(input) => regressor_of(compiler, at, &rows, input, targets),
    }
}

fn regressor_of<T: Ordered>(
    compiler: &mut Compiler<'_>,
    at: usize,
    rows: &Rows,
    input: Reg<T>,
    targets: usize,
) -> Result<(), ModelError> {
    let columns = compiler.matrix(at, rows)?;
    // First of all, because it bounds the number of targets.
    let scores = compiler.register(at, targets)?;
    let node = compiler.node(at);
    let aggregate = match node.text("aggregate_function", "SUM")? {
        "SUM" => Aggregate::Sum,
        "AVERAGE" => Aggregate::Average,
        "MIN" => Aggregate::Min,
        "MAX" => Aggregate::Max,
        other => {
            let what = format!("attribute aggregate_function is '{other}'");
            return Err(node.invalid(what, "SUM, AVERAGE, MIN or MAX"));
        }
    };
    let base = base_values::<T>(node)?;
    if !base.is_empty() && base.len() != targets {
        return Err(node.invalid(format!("it has {} base_values", base.len()), format!("none or {targets}")));
    }
    let forest = forest(node, "target", columns, targets)?;
    let rule = Regression {
        aggregate,
        trees: T::from_f64(forest.trees() as f64),
        base,
        post: post_transform(node)?,
    };
    emit(compiler, at, forest, input, scores, Outcome::Regression(rule))?;
    compiler.make(at, 0, AnyReg::Floats(scores), ElementType::Float32, Shape::matrix(targets))
}

/// `TreeEnsembleClassifier`.
pub(super) fn classifier(compiler: &mut Compiler<'_>, at: usize) -> Result<(), ModelError> {
    let rows = compiler.rows(at, 0)?;
    match input(compiler, at, &rows)? {
        Input::Single(input) => classifier_of(compiler, at, &rows, input),
        Input::Double(input) => classifier_of(compiler, at, &rows, input),
    }
}

fn classifier_of<T: Ordered>(
    compiler: &mut Compiler<'_>,
    at: usize,
    rows: &Rows,
    input: Reg<T>,
) -> Result<(), ModelError> {
    let columns = compiler.matrix(at, rows)?;
    let classes = classes(compiler, at, "classlabels_strings", "classlabels_int64s")?;
    let targets = classes.labels.len();
    let scores = compiler.register(at, targets)?;
    let node = compiler.node(at);
    if targets == 0 {
        return Err(node.invalid("it has no classes", "classlabels_strings or classlabels_int64s"));
    }
    let base = base_values::<T>(node)?;
    let fits = match targets {
        1 => base.len() <= 1,
        2 => base.len() <= 2,
        _ => base.is_empty() || base.len() == targets,
    };
    if !fits {
        return Err(node.invalid(format!("it has {} base_values", base.len()), format!("none or {targets}")));
    }
    let voted = node.integers("class_ids")?.unwrap_or_default();
    let weights = node.numbers("class_weights")?;
    let rule = Classification {
        base,
        post: post_transform(node)?,
        one_sided: targets == 2 && !voted.is_empty() && voted.iter().all(|&class| class == voted[0]),
        positive: (0..weights.len()).filter_map(|vote| weights.get(vote)).all(|weight| weight >= 0.0),
    };
    let forest = forest(node, "class", columns, targets)?;
    // Labels that are integers are 0 and 1 there, whatever the classes are called; texts are the classes themselves.
    let signs = match (&classes.labels[..], classes.element) {
        (&[below, above], ElementType::String) => [below, above],
        (&[only], ElementType::String) => [only, only],
        _ => [0, 1],
    };
    let label = compiler.register(at, 1)?;
    let outcome = Outcome::Classification { rule, labels: classes.labels, signs, output: label };
    emit(compiler, at, forest, input, scores, outcome)?;
    hand_out(compiler, at, classes.element, classes.names, AnyReg::Integers(label), AnyReg::Floats(scores))
}

fn emit<T: Ordered>(
    compiler: &mut Compiler<'_>,
    at: usize,
    forest: Forest<T>,
    input: Reg<T>,
    scores: Reg<f32>,
    outcome: Outcome<T>,
) -> Result<(), ModelError> {
    let sums = compiler.register(at, scores.width)?;
    let marks = match ForestKernel::needs_marks(&forest) {
        true => Some(compiler.register(at, scores.width)?),
        false => None,
    };
    let kernel = ForestKernel { forest, input, sums, marks, scores, outcome };
    let writes = kernel.writes();
    compiler.emit(at, kernel, [T::any(input)], writes);
    Ok(())
}

fn base_values<T: Real>(node: &Node<'_>) -> Result<Vec<T>, ModelError> {
    let values = node.numbers("base_values")?;
    Ok((0..values.len()).filter_map(|position| values.get(position)).map(T::from_f64).collect())
}

/// The parallel lists that describe nodes, checked to be of one length.
struct NodeLists {
    trees: Vec<i64>,
    ids: Vec<i64>,
    features: Vec<i64>,
    yes: Vec<i64>,
    no: Vec<i64>,
    missing: Vec<i64>,
    thresholds: Numbers,
}

fn node_lists(node: &Node<'_>, count: usize) -> Result<NodeLists, ModelError> {
    let list = |name: &str| -> Result<Vec<i64>, ModelError> {
        let list = node.integers(name)?.unwrap_or_default();
        check_length(node, name, list.len(), count)?;
        Ok(list)
    };
    let thresholds = node.numbers("nodes_values")?;
    check_length(node, "nodes_values", thresholds.len(), count)?;
    let missing = node.integers("nodes_missing_value_tracks_true")?.unwrap_or_default();
    if !missing.is_empty() {
        check_length(node, "nodes_missing_value_tracks_true", missing.len(), count)?;
    }
    Ok(NodeLists {
        trees: list("nodes_treeids")?,
        ids: list("nodes_nodeids")?,
        features: list("nodes_featureids")?,
        yes: list("nodes_truenodeids")?,
        no: list("nodes_falsenodeids")?,
        missing,
        thresholds,
    })
}

fn check_length(node: &Node<'_>, name: &str, found: usize, wanted: usize) -> Result<(), ModelError> {
    if found == wanted {
        return Ok(());
    }
    Err(node.invalid(
        format!("attribute {name} has {found} entries"),
        format!("{wanted}, one per entry of its group"),
    ))
}

/// Builds the ensemble from the attributes `nodes_*` and `class_*` or `target_*`, and compiles it.
fn forest<T: Ordered>(
    node: &Node<'_>,
    prefix: &str,
    features: usize,
    targets: usize,
) -> Result<Forest<T>, ModelError> {
    let modes = node.texts("nodes_modes")?;
    let lists = node_lists(node, modes.len())?;
    let mut positions = HashMap::with_capacity(modes.len());
    for (position, (&tree, &id)) in lists.trees.iter().zip(&lists.ids).enumerate() {
        if positions.insert((tree, id), position).is_some() {
            return Err(node.invalid(format!("node {id} of tree {tree} is there twice"), "every node once"));
        }
    }

    let leaves = modes.iter().map(|mode| *mode == "LEAF").collect::<Vec<_>>();
    let (votes, spans) = votes(node, prefix, &positions, &leaves, targets)?;

    let mut nodes = Vec::with_capacity(modes.len());
    for (position, mode) in modes.iter().enumerate() {
        if leaves[position] {
            let (first, count) = spans[position];
            nodes.push(TreeNode::Leaf { first, count });
            continue;
        }
        let tree = lists.trees[position];
        let link = |id: i64, way: &str| {
            positions.get(&(tree, id)).copied().ok_or_else(|| {
                let what = format!("node {} of tree {tree} leads to node {id} if {way}", lists.ids[position]);
                node.invalid(what, "a node of the same tree")
            })
        };
        let feature = lists.features[position];
        nodes.push(TreeNode::Inner {
            test: test(node, mode)?,
            feature: usize::try_from(feature).map_err(|_| {
                node.invalid(format!("a node tests feature {feature}"), "features counted from 0")
            })?,
            threshold: T::from_f64(lists.thresholds.get(position).unwrap_or(f64::NAN)),
            yes: link(lists.yes[position], "true")?,
            no: link(lists.no[position], "false")?,
            missing_passes: lists.missing.get(position) == Some(&1),
        });
    }

    let roots = roots(node, &lists.trees)?;
    compile(&Ensemble { nodes, roots, votes, targets, features })
        .map_err(|flaw| node.invalid(flaw.what, flaw.expected))
}

fn test(node: &Node<'_>, mode: &str) -> Result<Test, ModelError> {
    Ok(match mode {
        "BRANCH_LEQ" => Test::LessOrEqual,
        "BRANCH_LT" => Test::Less,
        "BRANCH_GTE" => Test::GreaterOrEqual,
        "BRANCH_GT" => Test::Greater,
        "BRANCH_EQ" => Test::Equal,
        "BRANCH_NEQ" => Test::NotEqual,
        other => {
            let modes = "BRANCH_LEQ, BRANCH_LT, BRANCH_GTE, BRANCH_GT, BRANCH_EQ, BRANCH_NEQ or LEAF";
            return Err(node.invalid(format!("a node has mode '{other}'"), modes));
        }
    })
}

/// The first node listed of every tree, whose nodes must be next to each other.
fn roots(node: &Node<'_>, trees: &[i64]) -> Result<Vec<usize>, ModelError> {
    let mut roots = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (position, &tree) in trees.iter().enumerate() {
        if position > 0 && trees[position - 1] == tree {
            continue;
        }
        if !seen.insert(tree) {
            return Err(
                node.invalid(format!("the nodes of tree {tree} are not together"), "trees one after another")
            );
        }
        roots.push(position);
    }
    if roots.is_empty() {
        return Err(node.invalid("it has no trees", "at least one"));
    }
    Ok(roots)
}

/// The votes grouped by leaf, and for each node the first of its votes and their number.
type Votes<T> = (Vec<Vote<T>>, Vec<(usize, usize)>);

fn votes<T: Real>(
    node: &Node<'_>,
    prefix: &str,
    positions: &HashMap<(i64, i64), usize>,
    leaves: &[bool],
    targets: usize,
) -> Result<Votes<T>, ModelError> {
    let list = |name: &str| node.integers(&format!("{prefix}_{name}"));
    let ids = list("ids")?.unwrap_or_default();
    let (trees, nodes) = (list("treeids")?.unwrap_or_default(), list("nodeids")?.unwrap_or_default());
    let weights = node.numbers(&format!("{prefix}_weights"))?;
    check_length(node, &format!("{prefix}_treeids"), trees.len(), ids.len())?;
    check_length(node, &format!("{prefix}_nodeids"), nodes.len(), ids.len())?;
    check_length(node, &format!("{prefix}_weights"), weights.len(), ids.len())?;

    let mut cast: Vec<(usize, Vote<T>)> = Vec::with_capacity(ids.len());
    for (position, &id) in ids.iter().enumerate() {
        let (tree, leaf) = (trees[position], nodes[position]);
        let at = positions.get(&(tree, leaf)).copied().ok_or_else(|| {
            node.invalid(
                format!("a weight is for node {leaf} of tree {tree}, which is not there"),
                "nodes that are",
            )
        })?;
        let target =
            u32::try_from(id).ok().filter(|&target| (target as usize) < targets).ok_or_else(|| {
                node.invalid(
                    format!("attribute {prefix}_ids has {id}"),
                    format!("numbers from 0 to {}", targets - 1),
                )
            })?;
        // Old converters gave weights to inner nodes as well; they mean nothing.
        if leaves[at] {
            cast.push((at, Vote { target, weight: T::from_f64(weights.get(position).unwrap_or(0.0)) }));
        }
    }
    // Stable, so that the votes of a leaf keep their order.
    cast.sort_by_key(|(at, _)| *at);
    if targets == 1 {
        // With a single result only the first weight of a leaf counts.
        cast.dedup_by_key(|(at, _)| *at);
    }
    let mut spans = vec![(0, 0); leaves.len()];
    for (position, (at, _)) in cast.iter().enumerate() {
        let (first, count) = &mut spans[*at];
        if *count == 0 {
            *first = position;
        }
        *count += 1;
    }
    Ok((cast.into_iter().map(|(_, vote)| vote).collect(), spans))
}
