"""Writes operators.json: small ONNX graphs, rows, and what ONNX Runtime (CPU) makes of them.

Needs: pip install numpy onnx onnxruntime
Usage: python3 operators.py > operators.json

Each case is {"name", "model" (hex), "rows" (cells by column; null is missing), "outputs": [{"name", "data"}]}.
Numbers that JSON has no word for are written as text: "nan", "inf", "-inf".
"""
import json
import math
import sys

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto as T
from onnx import helper as h
from onnx import numpy_helper

ort.set_default_logger_severity(4)
cases = []
NUMPY = {T.FLOAT: np.float32, T.DOUBLE: np.float64, T.INT64: np.int64, T.INT32: np.int32, T.STRING: object, T.BOOL: bool}


def plain(value):
    if isinstance(value, np.ndarray):
        # As many digits as tell 32-bit numbers apart, not as many as their double has.
        return plain([float(str(item)) for item in value.ravel()] if value.dtype == np.float32 else value.ravel().tolist())
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def case(name, nodes, inputs, outputs, constants=(), opset=17, ml=3):
    """inputs: {name: array with a row per record}; outputs: {name: (type, shape)}; constants: {name: array}."""
    types = {dtype: number for number, dtype in NUMPY.items()}
    kind = lambda array: T.STRING if array.dtype.kind in "OU" else types[array.dtype.type if array.dtype != bool else bool]
    graph = h.make_graph(
        nodes, "case",
        [h.make_tensor_value_info(key, kind(value), [None, *value.shape[1:]]) for key, value in inputs.items()],
        [h.make_tensor_value_info(key, dtype, shape) if dtype else
         h.make_value_info(key, h.make_sequence_type_proto(h.make_map_type_proto(shape, h.make_tensor_type_proto(T.FLOAT, []))))
         for key, (dtype, shape) in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in dict(constants).items()])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", opset), h.make_opsetid("ai.onnx.ml", ml)], ir_version=8)
    data = model.SerializeToString()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    results = session.run(None, inputs)
    count = len(next(iter(inputs.values())))
    columns = [array.reshape(count, -1) for array in inputs.values()]
    rows = [[None if cell == "nan" else cell for array in columns for cell in plain(array[row])] for row in range(count)]
    outs = [{"name": out.name, "data": plain(value)} for out, value in zip(session.get_outputs(), results)]
    cases.append({"name": name, "model": data.hex(), "rows": rows, "outputs": outs})


def floats(rows, columns, seed=0, scale=2.0):
    values = np.random.default_rng(seed).normal(scale=scale, size=(rows, columns))
    return np.round(values, 3).astype(np.float32)


# ---- Trees -------------------------------------------------------------------------------------------------------

def stump_votes(prefix, weights):
    return {prefix + "_treeids": [w[0] for w in weights], prefix + "_nodeids": [w[1] for w in weights],
            prefix + "_ids": [w[2] for w in weights], prefix + "_weights": [float(w[3]) for w in weights]}


def stumps(count):
    """Trees with one test x0 <= 0, node 1 where it holds and node 2 where not."""
    return dict(nodes_treeids=[t for t in range(count) for _ in range(3)], nodes_nodeids=[0, 1, 2] * count,
                nodes_featureids=[0] * 3 * count, nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"] * count,
                nodes_values=[0.0] * 3 * count, nodes_truenodeids=[1, 0, 0] * count, nodes_falsenodeids=[2, 0, 0] * count)


POSTS = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"]
SIDES = np.array([[-1.0], [1.0], [0.0]], np.float32)


def classifiers():
    votes = {
        "first_positive": [(0, 1, 0, .3), (0, 2, 0, .7)], "first_mixed": [(0, 1, 0, -.3), (0, 2, 0, .7)],
        "second_positive": [(0, 1, 1, .3), (0, 2, 1, .7)], "second_mixed": [(0, 1, 1, -.3), (0, 2, 1, .7)],
        "both": [(0, 1, 0, .6), (0, 1, 1, .4), (0, 2, 0, .2), (0, 2, 1, .8)],
        "both_mixed": [(0, 1, 0, .6), (0, 1, 1, -.4), (0, 2, 0, .2), (0, 2, 1, .8)],
        "split": [(0, 1, 0, .6), (0, 2, 1, .8)],
    }
    three = {
        "three": [(0, 1, 0, .6), (0, 1, 1, .4), (0, 2, 2, .2)],
        "three_negative": [(0, 1, 0, -.6), (0, 1, 1, -.4), (0, 2, 2, -.2)],
    }
    for post in POSTS:
        for name, weights in votes.items():
            # What PROBIT makes of a single score is one number; the other is whatever was in memory.
            if post == "PROBIT" and name in ("first_positive", "first_mixed", "split"):
                continue
            for base in (None, [.1], [.1, .2]):
                classifier(name, weights, post, base, ints=[5, 7])
        for name, weights in three.items():
            for base in (None, [.1, .2, .3]):
                classifier(name, weights, post, base, ints=[5, 7, 9])
        for base in (None, [.3]):
            classifier("one", [(0, 1, 0, -.6), (0, 2, 0, .4)], post, base, ints=[5])
    for name in ("first_positive", "both", "split"):
        classifier(name, votes[name], "NONE", None, strings=["no", "yes"])
    classifier("three", three["three"], "SOFTMAX", None, strings=["low", "mid", "high"])


def classifier(name, weights, post, base, ints=None, strings=None):
    # A single base value for scores that both come from votes leaves the second score unwritten.
    if base and len(base) == 1 and name == "split":
        return
    attributes = dict(stumps(1), **stump_votes("class", weights), post_transform=post)
    attributes.update(classlabels_strings=strings) if strings else attributes.update(classlabels_int64s=ints)
    if base:
        attributes["base_values"] = base
    node = h.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **attributes)
    case("_".join(["classifier", name, post, "text" if strings else "int", "base%d" % len(base or [])]), [node], {"x": SIDES},
         {"label": (T.STRING if strings else T.INT64, [None]), "scores": (T.FLOAT, [None, len(strings or ints)])})


def regressors():
    single = [(0, 1, 0, .1), (0, 2, 0, .2), (1, 1, 0, .3), (1, 2, 0, .1)]
    double = [(0, 1, 0, .1), (0, 2, 1, .2), (1, 1, 0, .3), (1, 2, 0, .1)]
    for post in POSTS:
        for aggregate in ("SUM", "AVERAGE", "MIN", "MAX"):
            regressor(1, single, post, aggregate, [.05])
            regressor(2, double, post, aggregate, [.05, .1])
            regressor(2, double, post, aggregate, None)
    regressor(1, [(0, 1, 0, .1), (0, 1, 0, .15), *single[1:]], "NONE", "SUM", None, "first_weight_counts")
    regressor(2, [(0, 1, 0, .1), (0, 1, 0, .15), *single[1:]], "NONE", "SUM", None, "all_weights_count")
    regressor(1, [single[0], *single[2:]], "NONE", "SUM", None, "leaf_without_weight")


def regressor(targets, weights, post, aggregate, base, name="plain"):
    attributes = dict(stumps(2), **stump_votes("target", weights), post_transform=post, n_targets=targets,
                      aggregate_function=aggregate)
    if base:
        attributes["base_values"] = base
    node = h.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **attributes)
    case("_".join(["regressor", name, str(targets), post, aggregate, "base%d" % len(base or [])]), [node], {"x": SIDES},
         {"y": (T.FLOAT, [None, targets])})


def random_tree(rng, tree, modes, depth, features, thresholds, weight):
    """Lists of nodes and votes of a random binary tree."""
    nodes, votes = [], []

    def grow(level):
        own = len(nodes)
        nodes.append(None)
        if level == depth or (level > 1 and rng.random() < .25):
            nodes[own] = (own, 0, "LEAF", 0.0, 0, 0, 0)
            votes.extend(weight(tree, own))
            return own
        yes = grow(level + 1)
        no = grow(level + 1)
        nodes[own] = (own, int(rng.integers(features)), str(rng.choice(modes)), float(rng.choice(thresholds)), yes, no,
                      int(rng.integers(2)))
        return own

    grow(0)
    return nodes, votes


def forest(rng, trees, modes, depth, features, thresholds, weight, missing=True):
    attributes = {key: [] for key in ("nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_values",
                                      "nodes_truenodeids", "nodes_falsenodeids", "nodes_missing_value_tracks_true")}
    votes = []
    for tree in range(trees):
        nodes, own = random_tree(rng, tree, modes, depth, features, thresholds, weight)
        for node, feature, mode, value, yes, no, track in nodes:
            for key, item in zip(attributes, (tree, node, feature, mode, value, yes, no, track if missing else 0)):
                attributes[key].append(item)
        votes += own
    return attributes, votes


def forests():
    rng = np.random.default_rng(7)
    thresholds = [-1.0, -0.5, 0.0, 0.5, 1.0]
    one = lambda tree, node: [(tree, node, 0, round(float(rng.normal()), 3))]
    grid = np.array(np.meshgrid([-1.0, -0.5, 0.0, 0.5, 2.0, np.nan], [-0.5, 0.0, 1.0, np.nan]), np.float32).reshape(2, -1).T
    all_modes = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
    for mode in all_modes + ["mixed"]:
        for missing in (False, True):
            attributes, votes = forest(rng, 5, all_modes if mode == "mixed" else [mode], 4, 2, thresholds, one, missing)
            node = h.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **attributes,
                               **stump_votes("target", votes))
            case("forest_%s_%s" % (mode, "missing" if missing else "plain"), [node], {"x": grid}, {"y": (T.FLOAT, [None, 1])})
    # The ends of the range, and both zeros.
    edges = np.array([[x, y] for x in (-np.inf, np.inf, -0.0, 0.0, 1e-45, -1e-45, 3.4e38) for y in (-np.inf, 0.0, np.nan)], np.float32)
    attributes, votes = forest(rng, 11, all_modes, 4, 2, [-math.inf, math.inf, 0.0, -0.0, 1e-45], one)
    node = h.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **attributes,
                       **stump_votes("target", votes))
    case("forest_edges", [node], {"x": edges}, {"y": (T.FLOAT, [None, 1])})
    # Deeper than the walk goes without looking whether it has arrived: a chain of tests, and a tree of one.
    count = 21
    chain = dict(nodes_treeids=[0] * (2 * count + 1) + [1] * 3, nodes_nodeids=[*range(2 * count + 1), 0, 1, 2],
                 nodes_featureids=[0] * (2 * count + 4), nodes_modes=["BRANCH_LEQ", "LEAF"] * count + ["LEAF", "BRANCH_LEQ", "LEAF", "LEAF"],
                 nodes_values=[value for step in range(count) for value in (step - 10.0, 0.0)] + [0.0] * 4,
                 nodes_truenodeids=[link for step in range(count) for link in (2 * step + 1, 0)] + [0, 1, 0, 0],
                 nodes_falsenodeids=[link for step in range(count) for link in (2 * step + 2, 0)] + [0, 2, 0, 0])
    votes = [(0, 2 * step + 1, 0, step / 4) for step in range(count)] + [(0, 2 * count, 0, 50), (1, 1, 0, 100), (1, 2, 0, 200)]
    node = h.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **chain, **stump_votes("target", votes))
    case("forest_deep", [node], {"x": np.arange(-12, 13, dtype=np.float32).reshape(-1, 1)}, {"y": (T.FLOAT, [None, 1])})
    # A test for one of three categories as LightGBM's converter writes it: three tests that share what follows.
    shared = dict(nodes_treeids=[0] * 7, nodes_nodeids=list(range(7)), nodes_featureids=[0, 0, 0, 1, 0, 0, 0],
                  nodes_modes=["BRANCH_EQ", "BRANCH_EQ", "BRANCH_EQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"], nodes_values=[1.0, 3.0, 4.0, 0.5, 0.0, 0.0, 0.0],
                  nodes_truenodeids=[3, 3, 3, 4, 0, 0, 0], nodes_falsenodeids=[1, 2, 6, 5, 0, 0, 0])
    node = h.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **shared,
                       **stump_votes("target", [(0, 4, 0, 1), (0, 5, 0, 2), (0, 6, 0, 3)]))
    shared_rows = np.array([[a, b] for a in (0, 1, 2, 3, 4, 5, np.nan) for b in (0, 1)], np.float32)
    case("forest_shared", [node], {"x": shared_rows}, {"y": (T.FLOAT, [None, 1])})
    # Votes for several classes at each leaf, and for one or two of three.
    some = lambda tree, node: [(tree, node, int(c), round(float(rng.random()), 3)) for c in rng.permutation(3)[:rng.integers(1, 4)]]
    every = lambda tree, node: [(tree, node, c, round(float(rng.random()), 3)) for c in range(3)]
    for name, weight in (("some", some), ("every", every)):
        attributes, votes = forest(rng, 11, ["BRANCH_LEQ"], 3, 3, thresholds, weight)
        node = h.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **attributes,
                           classlabels_int64s=[0, 1, 2], post_transform="SOFTMAX", **stump_votes("class", votes))
        case("forest_votes_for_%s" % name, [node], {"x": floats(19, 3, 3)}, {"label": (T.INT64, [None]), "scores": (T.FLOAT, [None, 3])})
    # Doubles throughout, with thresholds that differ in the last digits of a double.
    attributes, votes = forest(rng, 5, ["BRANCH_LEQ", "BRANCH_LT"], 3, 1, [0.1, 0.1 + 1e-12], one)
    values = attributes.pop("nodes_values")
    votes = stump_votes("target", votes)
    weights = votes.pop("target_weights")
    doubles = dict(nodes_values_as_tensor=numpy_helper.from_array(np.array(values)), target_weights_as_tensor=numpy_helper.from_array(np.array(weights)))
    node = h.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1, **attributes, **votes, **doubles)
    case("forest_doubles", [node], {"x": np.array([[0.1 - 5e-13], [0.1 + 5e-13], [0.1 + 1.5e-12], [0.0], [np.nan]])}, {"y": (T.FLOAT, [None, 1])})
    attributes, votes = forest(rng, 5, ["BRANCH_LEQ", "BRANCH_EQ"], 3, 2, [0.0, 1.0, 2.0], every, False)
    node = h.make_node("TreeEnsembleClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **attributes,
                       classlabels_int64s=[0, 1, 2], **stump_votes("class", votes))
    case("forest_integers", [node], {"x": np.array([[0, 1], [1, 0], [2, 2], [3, -1]], np.int64)}, {"label": (T.INT64, [None]), "scores": (T.FLOAT, [None, 3])})


# ---- Linear models and preparation -------------------------------------------------------------------------------

def linear():
    x = floats(11, 2, 5)
    coefficients = [.3, -.2, .1, .4, .5, -.6]
    for post in POSTS:
        for ints, intercepts in (([5, 7], [.1]), ([5, 7], [.1, .2]), ([5, 7, 9], [.1, .2, .3]), (None, [.1])):
            # With one score for two classes PROBIT of ONNX Runtime reads what it has not written.
            if post == "PROBIT" and len(intercepts) == 1 and ints:
                continue
            attributes = dict(coefficients=coefficients[:2 * len(intercepts)], intercepts=intercepts, post_transform=post)
            if ints:
                attributes["classlabels_ints"] = ints
            node = h.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **attributes)
            case("linear_classifier_%s_%d_%d" % (post, len(intercepts), len(ints or [])), [node], {"x": x},
                 {"label": (T.INT64, [None]), "scores": (T.FLOAT, [None, None])})
        for targets in (1, 2):
            node = h.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", targets=targets, post_transform=post,
                               coefficients=coefficients[:2 * targets], intercepts=[.1, .2][:targets])
            case("linear_regressor_%s_%d" % (post, targets), [node], {"x": x}, {"y": (T.FLOAT, [None, targets])})
    node = h.make_node("LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", coefficients=coefficients[:4],
                       intercepts=[.1, .2], classlabels_strings=["no", "yes"], post_transform="SOFTMAX")
    case("linear_classifier_text", [node], {"x": x}, {"label": (T.STRING, [None]), "scores": (T.FLOAT, [None, 2])})
    node = h.make_node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", targets=1, coefficients=coefficients[:2])
    case("linear_regressor_without_intercept", [node], {"x": x}, {"y": (T.FLOAT, [None, 1])})


def preparation():
    x = floats(11, 3, 6)
    holes = x.copy()
    holes[::3, 1] = np.nan
    y3 = {"y": (T.FLOAT, [None, 3])}
    ml = lambda name, inputs, outputs, **attributes: h.make_node(name, inputs, outputs, domain="ai.onnx.ml", **attributes)
    case("imputer_nan", [ml("Imputer", ["x"], ["y"], imputed_value_floats=[1., 2., 3.], replaced_value_float=math.nan)], {"x": holes}, y3)
    case("imputer_one_value", [ml("Imputer", ["x"], ["y"], imputed_value_floats=[9.], replaced_value_float=math.nan)], {"x": holes}, y3)
    numbers = np.array([[1, 2, 3], [-9, 2, -9], [4, -9, 6]], np.int64)
    case("imputer_integers", [ml("Imputer", ["x"], ["y"], imputed_value_int64s=[7, 8, 9], replaced_value_int64=-9)], {"x": numbers}, {"y": (T.INT64, [None, 3])})
    for name, values in (("float", x), ("double", x.astype(np.float64)), ("integer", numbers)):
        case("scaler_" + name, [ml("Scaler", ["x"], ["y"], offset=[.1, .2, .3], scale=[2., 3., .5])], {"x": values}, y3)
    case("scaler_one_value", [ml("Scaler", ["x"], ["y"], offset=[.1], scale=[2.])], {"x": x}, y3)
    zero_row = np.vstack([x, np.zeros((1, 3), np.float32)])
    for norm in ("MAX", "L1", "L2"):
        case("normalizer_" + norm, [ml("Normalizer", ["x"], ["y"], norm=norm)], {"x": zero_row}, y3)
    case("binarizer", [ml("Binarizer", ["x"], ["y"], threshold=.25)], {"x": x}, y3)
    texts = np.array([["a"], ["b"], ["c"], ["other"], ["A"]], object)
    case("one_hot_text", [ml("OneHotEncoder", ["x"], ["y"], cats_strings=["a", "b", "c"])], {"x": texts}, {"y": (T.FLOAT, [None, 1, 3])})
    case("one_hot_integers", [ml("OneHotEncoder", ["x"], ["y"], cats_int64s=[3, 1, -9])], {"x": numbers}, {"y": (T.FLOAT, [None, 3, 3])})
    case("one_hot_floats", [ml("OneHotEncoder", ["x"], ["y"], cats_int64s=[0, 1, 2])], {"x": np.array([[0.], [1.9], [-.5], [7.]], np.float32)}, {"y": (T.FLOAT, [None, 1, 3])})
    encoder = lambda **attributes: [ml("LabelEncoder", ["x"], ["y"], **attributes)]
    case("label_encoder_text_to_integer", encoder(keys_strings=["a", "b"], values_int64s=[10, 20], default_int64=-5), {"x": texts}, {"y": (T.INT64, [None, 1])})
    case("label_encoder_integer_to_text", encoder(keys_int64s=[1, 2], values_strings=["one", "two"], default_string="many"), {"x": numbers}, {"y": (T.STRING, [None, 3])})
    case("label_encoder_integer_to_float", encoder(keys_int64s=[-9, 1 << 40, 3], values_floats=[.5, .25, .125]), {"x": numbers}, y3)
    case("label_encoder_float_to_float", encoder(keys_floats=[0., math.nan, 2.], values_floats=[1., 2., 3.], default_float=9.),
         {"x": np.array([[0.], [-0.], [2.], [np.nan], [5.]], np.float32)}, {"y": (T.FLOAT, [None, 1])}, ml=4)
    case("label_encoder_text_to_text", encoder(keys_strings=["a", "b"], values_strings=["x", "y"]), {"x": texts}, {"y": (T.STRING, [None, 1])})
    case("label_encoder_tensors", encoder(keys_tensor=numpy_helper.from_array(np.array(["a", "c"], object)), values_tensor=numpy_helper.from_array(np.array([1.5, 2.5], np.float32)),
         default_tensor=numpy_helper.from_array(np.array([-1.], np.float32))), {"x": texts}, {"y": (T.FLOAT, [None, 1])}, ml=4)
    case("feature_vectorizer", [ml("FeatureVectorizer", ["a", "b"], ["y"], inputdimensions=[3, 1])], {"a": x, "b": x[:, :1]}, {"y": (T.FLOAT, [None, 4])})
    case("array_feature_extractor", [ml("ArrayFeatureExtractor", ["x", "i"], ["y"])], {"x": x}, {"y": (T.FLOAT, [None, 2])}, {"i": np.array([[2, 0]])})
    case("text_equal", [h.make_node("Equal", ["x", "t"], ["e"]), h.make_node("Cast", ["e"], ["y"], to=T.FLOAT)], {"x": texts}, {"y": (T.FLOAT, [None, 1])},
         {"t": np.array(["b"], object)}, opset=19)
    case("zip_map", [ml("ZipMap", ["x"], ["y"], classlabels_strings=["a", "b", "c"])], {"x": x}, {"y": (None, T.STRING)})


# ---- The core operators ------------------------------------------------------------------------------------------

def cells():
    x = floats(19, 3, 8)
    y3 = {"y": (T.FLOAT, [None, 3])}
    positive = np.abs(x) + np.float32(.001)
    unary = {"Abs": {}, "Ceil": {}, "Elu": {"alpha": .7}, "Exp": {}, "Floor": {}, "HardSigmoid": {"alpha": .3}, "LeakyRelu": {}, "Neg": {},
             "Reciprocal": {}, "Relu": {}, "Round": {}, "Selu": {}, "Sigmoid": {}, "Sign": {}, "Softplus": {}, "Softsign": {}, "Tanh": {},
             "ThresholdedRelu": {"alpha": .5}, "Log": {}, "Sqrt": {}}
    for name, attributes in unary.items():
        values = positive if name in ("Log", "Sqrt") else x
        case("cell_" + name, [h.make_node(name, ["x"], ["y"], **attributes)], {"x": values}, y3)
    for name in ("Exp", "Tanh", "Sigmoid", "Softplus", "Round"):
        wide = np.array([[-200., -90., -20.], [20., 80., 88.], [.5, 1.5, 2.5]], np.float32)
        case("cell_%s_wide" % name, [h.make_node(name, ["x"], ["y"])], {"x": wide}, y3)
        if name == "Softplus":  # not there for doubles
            continue
        case("cell_%s_double" % name, [h.make_node(name, ["x"], ["y"])], {"x": x.astype(np.float64)}, {"y": (T.DOUBLE, [None, 3])})
    case("clip", [h.make_node("Clip", ["x", "low", "high"], ["y"])], {"x": x}, y3, {"low": np.float32(-1), "high": np.float32(1.5)})
    case("clip_old", [h.make_node("Clip", ["x"], ["y"], min=-1., max=1.5)], {"x": x}, y3, opset=6)
    case("is_nan", [h.make_node("IsNaN", ["x"], ["y"])], {"x": np.where(x > 1, np.float32(np.nan), x)}, {"y": (T.BOOL, [None, 3])})
    row, column, one = np.array([1., -2., .5], np.float32), x[:, :1].copy(), np.array([3.], np.float32)
    for name in ("Add", "Sub", "Mul", "Div", "Max", "Min"):
        node = lambda a, b: [h.make_node(name, [a, b], ["y"])]
        case("pair_%s_values" % name, node("x", "z"), {"x": x, "z": floats(19, 3, 9)}, y3)
        case("pair_%s_row" % name, node("x", "c"), {"x": x}, y3, {"c": row})
        case("pair_%s_row_left" % name, node("c", "x"), {"x": x}, y3, {"c": row})
        case("pair_%s_column" % name, node("x", "z"), {"x": x, "z": column}, y3)
        case("pair_%s_column_left" % name, node("z", "x"), {"x": x, "z": column}, y3)
    case("mul_by_one", [h.make_node("Mul", ["x", "c"], ["y"])], {"x": x}, y3, {"c": np.float32(1)})
    case("integers", [h.make_node("Mul", ["x", "c"], ["a"]), h.make_node("Add", ["a", "d"], ["b"]), h.make_node("Neg", ["b"], ["y"])],
         {"x": np.array([[1, -2], [3, 1 << 40]], np.int64)}, {"y": (T.INT64, [None, 2])}, {"c": np.array([-2]), "d": np.array([1])})
    case("sum_of_three", [h.make_node("Sum", ["x", "c", "z"], ["y"])], {"x": x, "z": column}, y3, {"c": row})
    case("mean_of_three", [h.make_node("Mean", ["x", "c", "z"], ["y"])], {"x": x, "z": column}, y3, {"c": row})
    case("power", [h.make_node("Pow", ["x", "c"], ["y"])], {"x": positive}, y3, {"c": np.array([.5, 3., -1.], np.float32)})
    case("square", [h.make_node("Pow", ["x", "c"], ["y"])], {"x": x}, y3, {"c": np.float32(2)})
    case("power_of_two", [h.make_node("Pow", ["c", "x"], ["y"])], {"x": x}, y3, {"c": np.float32(2)})
    for name in ("Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"):
        case("compare_" + name, [h.make_node(name, ["x", "c"], ["y"])], {"x": np.round(x)}, {"y": (T.BOOL, [None, 3])}, {"c": np.array([0., 1., -1.], np.float32)})
    for name in ("And", "Or", "Xor"):
        nodes = [h.make_node("Greater", ["x", "c"], ["a"]), h.make_node("Less", ["z", "c"], ["b"]), h.make_node(name, ["a", "b"], ["n"]), h.make_node("Not", ["n"], ["y"])]
        case("logic_" + name, nodes, {"x": x, "z": column}, {"y": (T.BOOL, [None, 3])}, {"c": np.float32(0)})
    case("where", [h.make_node("Greater", ["x", "zero"], ["a"]), h.make_node("Where", ["a", "x", "c"], ["y"])], {"x": x}, y3, {"zero": np.float32(0), "c": row})
    for name, kind in (("int64", T.INT64), ("int32", T.INT32), ("bool", T.BOOL), ("double", T.DOUBLE)):
        case("cast_float_" + name, [h.make_node("Cast", ["x"], ["y"], to=kind)], {"x": np.vstack([x, np.zeros((1, 3), np.float32)])}, {"y": (kind, [None, 3])})
        case("cast_%s_float" % name, [h.make_node("Cast", ["x"], ["y"], to=T.FLOAT)], {"x": np.round(x).astype(NUMPY[kind])}, y3)


def folds():
    x = floats(11, 6, 10)
    for name in ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "SumSquare"):
        case("reduce_" + name, [h.make_node("Reduce" + name, ["x"], ["y"], axes=[1], keepdims=0)], {"x": x}, {"y": (T.FLOAT, [None])})
    case("reduce_log_sum", [h.make_node("ReduceLogSum", ["x"], ["y"], axes=[1])], {"x": np.abs(x)}, {"y": (T.FLOAT, [None, 1])})
    case("reduce_sum", [h.make_node("ReduceSum", ["x", "a"], ["y"], keepdims=1)], {"x": x}, {"y": (T.FLOAT, [None, 1])}, {"a": np.array([-1])})
    case("reduce_middle", [h.make_node("ReduceSum", ["x", "a"], ["y"], keepdims=0)], {"x": x.reshape(11, 2, 3)}, {"y": (T.FLOAT, [None, 3])}, {"a": np.array([1])})
    ties = np.array([[1, 3, 3], [2, 2, 2], [0, -1, 5]], np.float32)
    for name in ("ArgMax", "ArgMin"):
        for last in (0, 1):
            case("%s_last%d" % (name, last), [h.make_node(name, ["x"], ["y"], axis=1, keepdims=0, select_last_index=last)], {"x": ties}, {"y": (T.INT64, [None])})
    case("arg_max_kept", [h.make_node("ArgMax", ["x"], ["y"], axis=-1)], {"x": x}, {"y": (T.INT64, [None, 1])})
    for p in (1, 2):
        case("lp_normalization_%d" % p, [h.make_node("LpNormalization", ["x"], ["y"], axis=1, p=p)], {"x": x}, {"y": (T.FLOAT, [None, 6])})
    large = np.vstack([x, np.full((1, 6), 1000, np.float32)])
    for name in ("Softmax", "LogSoftmax"):
        case(name.lower(), [h.make_node(name, ["x"], ["y"])], {"x": large}, {"y": (T.FLOAT, [None, 6])})
        case(name.lower() + "_old", [h.make_node(name, ["x"], ["y"])], {"x": x.reshape(11, 2, 3)}, {"y": (T.FLOAT, [None, 2, 3])}, opset=11)
        case(name.lower() + "_middle", [h.make_node(name, ["x"], ["y"], axis=1)], {"x": x.reshape(11, 2, 3)}, {"y": (T.FLOAT, [None, 2, 3])})


def layers():
    x = floats(19, 5, 11)
    w, b = floats(5, 3, 12, .5), floats(1, 3, 13)[0]
    y3 = {"y": (T.FLOAT, [None, 3])}
    gemm = lambda inputs, **attributes: [h.make_node("Gemm", inputs, ["y"], **attributes)]
    case("gemm", gemm(["x", "w", "b"]), {"x": x}, y3, {"w": w, "b": b})
    case("gemm_turned", gemm(["x", "w", "b"], alpha=.5, beta=2., transB=1), {"x": x}, y3, {"w": w.T.copy(), "b": b})
    case("gemm_without_bias", gemm(["x", "w"]), {"x": x}, y3, {"w": w})
    case("gemm_bias_of_rows", gemm(["x", "w", "z"], beta=-1.5), {"x": x, "z": floats(19, 1, 14)}, y3, {"w": w})
    case("gemm_double", gemm(["x", "w", "b"]), {"x": x.astype(np.float64)}, {"y": (T.DOUBLE, [None, 3])}, {"w": w.astype(np.float64), "b": b.astype(np.float64)})
    for name in ("Relu", "Tanh", "Sigmoid", "Elu"):
        nodes = [h.make_node("MatMul", ["x", "w"], ["m"]), h.make_node("Add", ["b", "m"], ["a"]), h.make_node(name, ["a"], ["y"])]
        case("layer_" + name, nodes, {"x": x}, y3, {"w": w, "b": b})
    nodes = [h.make_node("MatMul", ["x", "w"], ["m"]), h.make_node("Add", ["m", "b"], ["a"]), h.make_node("Exp", ["a"], ["y"])]
    case("matmul_of_vector", nodes, {"x": x}, {"y": (T.FLOAT, [None])}, {"w": w[:, 0].copy(), "b": b[:1].copy()})
    nodes = [h.make_node("MatMul", ["x", "w"], ["m"]), h.make_node("Add", ["m", "b"], ["a"]), h.make_node("Relu", ["a"], ["y"])]
    case("layer_with_outputs_between", nodes, {"x": x}, {"m": (T.FLOAT, [None, 3]), "a": (T.FLOAT, [None, 3]), **y3}, {"w": w, "b": b})
    nodes = [h.make_node("MatMul", ["x", "w"], ["m"]), h.make_node("Relu", ["m"], ["r"]), h.make_node("Add", ["m", "r"], ["y"])]
    case("layer_read_twice", nodes, {"x": x}, y3, {"w": w})
    nodes = [h.make_node("Transpose", ["t"], ["w"], perm=[1, 0]), h.make_node("MatMul", ["x", "w"], ["y"])]
    case("matmul_of_turned_constant", nodes, {"x": x}, y3, {"t": w.T.copy()})
    norm = {"scale": np.array([1., 2., .5, 1., 3.], np.float32), "bias": floats(1, 5, 15)[0], "mean": floats(1, 5, 16)[0], "var": np.abs(floats(1, 5, 17)[0])}
    case("batch_normalization", [h.make_node("BatchNormalization", ["x", *norm], ["y"], epsilon=1e-3)], {"x": x}, {"y": (T.FLOAT, [None, 5])}, norm)


def layouts():
    x, z = floats(11, 6, 18), floats(11, 2, 19)
    cube = x.reshape(11, 2, 3)
    case("concat", [h.make_node("Concat", ["x", "z", "x"], ["y"], axis=1)], {"x": x, "z": z}, {"y": (T.FLOAT, [None, 14])})
    case("concat_middle", [h.make_node("Concat", ["c", "c"], ["y"], axis=1)], {"c": cube}, {"y": (T.FLOAT, [None, 4, 3])})
    case("concat_last", [h.make_node("Concat", ["c", "c"], ["y"], axis=-1)], {"c": cube}, {"y": (T.FLOAT, [None, 2, 6])})
    case("gather", [h.make_node("Gather", ["x", "i"], ["y"], axis=1)], {"x": x}, {"y": (T.FLOAT, [None, 3])}, {"i": np.array([4, -1, 0])})
    case("gather_one", [h.make_node("Gather", ["x", "i"], ["y"], axis=1)], {"x": x}, {"y": (T.FLOAT, [None])}, {"i": np.array(2)})
    case("gather_last", [h.make_node("Gather", ["c", "i"], ["y"], axis=2)], {"c": cube}, {"y": (T.FLOAT, [None, 2, 2])}, {"i": np.array([2, 0])})
    names = np.array(["low", "mid", "high"], object)
    nodes = [h.make_node("ArgMax", ["x"], ["i"], axis=1, keepdims=0), h.make_node("Gather", ["names", "i"], ["y"], axis=0)]
    case("gather_names", nodes, {"x": x[:, :3].copy()}, {"y": (T.STRING, [None])}, {"names": names})
    nodes = [h.make_node("ArgMax", ["x"], ["i"], axis=1), h.make_node("ArrayFeatureExtractor", ["names", "i"], ["n"], domain="ai.onnx.ml"),
             h.make_node("Reshape", ["n", "s"], ["y"])]
    case("extract_names", nodes, {"x": x[:, :3].copy()}, {"y": (T.STRING, [None])}, {"names": names, "s": np.array([-1])})
    bounds = lambda a, b, axis, step: {"a": np.array([a]), "b": np.array([b]), "c": np.array([axis]), "d": np.array([step])}
    case("slice", [h.make_node("Slice", ["x", "a", "b", "c", "d"], ["y"])], {"x": x}, {"y": (T.FLOAT, [None, None])}, bounds(-5, 6, 1, 2))
    case("slice_old", [h.make_node("Slice", ["x"], ["y"], axes=[1], starts=[1], ends=[1000])], {"x": x}, {"y": (T.FLOAT, [None, 5])}, opset=9)
    case("split", [h.make_node("Split", ["x", "s"], ["y", "w"], axis=1)], {"x": x}, {"w": (T.FLOAT, [None, 4]), "y": (T.FLOAT, [None, 2])}, {"s": np.array([2, 4])})
    case("split_evenly", [h.make_node("Split", ["x"], ["y", "w"], axis=1)], {"x": x}, {"y": (T.FLOAT, [None, 3]), "w": (T.FLOAT, [None, 3])})
    case("reshape", [h.make_node("Reshape", ["x", "s"], ["y"])], {"x": x}, {"y": (T.FLOAT, [None, 3, 2])}, {"s": np.array([0, 3, -1])})
    case("flatten", [h.make_node("Flatten", ["c"], ["y"])], {"c": cube}, {"y": (T.FLOAT, [None, 6])})
    case("transpose", [h.make_node("Transpose", ["c"], ["y"], perm=[0, 2, 1])], {"c": cube}, {"y": (T.FLOAT, [None, 3, 2])})
    nodes = [h.make_node("Unsqueeze", ["x", "a"], ["u"]), h.make_node("Squeeze", ["u", "a"], ["y"])]
    case("unsqueeze_squeeze", nodes, {"x": x}, {"u": (T.FLOAT, [None, 1, 6]), "y": (T.FLOAT, [None, 6])}, {"a": np.array([1])})
    nodes = [h.make_node("Unsqueeze", ["x", "a"], ["u"]), h.make_node("Unsqueeze", ["w", "a"], ["v"]), h.make_node("Concat", ["u", "v", "u"], ["c"], axis=0),
             h.make_node("ReduceMean", ["c"], ["y"], axes=[0], keepdims=0), h.make_node("Transpose", ["x"], ["t"]), h.make_node("Transpose", ["t"], ["b"])]
    case("batch_in_the_middle", nodes, {"x": x, "w": floats(11, 6, 20)}, {"y": (T.FLOAT, [None, 6]), "b": (T.FLOAT, [None, 6])}, {"a": np.array([0])})
    nodes = [h.make_node("Shape", ["c"], ["s"]), h.make_node("Gather", ["s", "zero"], ["n"]), h.make_node("Unsqueeze", ["n", "zeros"], ["l"]),
             h.make_node("Concat", ["l", "rest"], ["w"], axis=0), h.make_node("Reshape", ["c", "w"], ["y"])]
    case("shape_taken_apart", nodes, {"c": cube}, {"y": (T.FLOAT, [None, 6])}, {"zero": np.array(0), "zeros": np.array([0]), "rest": np.array([-1])})
    nodes = [h.make_node("Shape", ["x"], ["s"]), h.make_node("ArrayFeatureExtractor", ["s", "zero"], ["n"], domain="ai.onnx.ml"), h.make_node("Reshape", ["n", "flat"], ["l"]),
             h.make_node("Concat", ["l", "one"], ["w"], axis=0), h.make_node("ConstantOfShape", ["w"], ["ones"], value=numpy_helper.from_array(np.array([1.5], np.float32))),
             h.make_node("Concat", ["ones", "x"], ["y"], axis=1)]
    case("constant_of_shape", nodes, {"x": x}, {"y": (T.FLOAT, [None, 7])}, {"zero": np.array([0]), "flat": np.array([-1]), "one": np.array([1])})
    nodes = [h.make_node("Shape", ["c"], ["s"], start=-2), h.make_node("Slice", ["s", "a", "b"], ["t"]), h.make_node("Concat", ["first", "t", "u"], ["w"], axis=0),
             h.make_node("Reshape", ["c", "w"], ["y"])]
    case("shape_in_part", nodes, {"c": cube}, {"y": (T.FLOAT, [None, 3, 2])}, {"a": np.array([1]), "b": np.array([9]), "first": np.array([0]), "u": np.array([2])})
    nodes = [h.make_node("Constant", [], ["k"], value_float=2.5), h.make_node("Add", ["x", "k"], ["a"]), h.make_node("Dropout", ["a"], ["d"]), h.make_node("Identity", ["d"], ["y"])]
    case("constant_dropout_identity", nodes, {"x": x}, {"y": (T.FLOAT, [None, 6])})
    nodes = [h.make_node("Cast", ["k"], ["f"], to=T.FLOAT), h.make_node("Reshape", ["f", "s"], ["r"]), h.make_node("Add", ["x", "r"], ["y"])]
    case("constants_are_folded", nodes, {"x": x}, {"y": (T.FLOAT, [None, 6])}, {"k": np.arange(6).reshape(2, 3), "s": np.array([1, -1])})


for group in (classifiers, regressors, forests, linear, preparation, cells, folds, layers, layouts):
    group()
json.dump(cases, sys.stdout, separators=(",", ":"))
print(len(cases), "cases with onnx", onnx.__version__, "and onnxruntime", ort.__version__, file=sys.stderr)
