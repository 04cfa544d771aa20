"""Branches, loops, scans, sequences and functions: each element of each output, changed input by changed input.

The other side is onnx's reference evaluator: an output element that changes when an input element does must lie in that
input's field, and where nothing is over-approximated, and values are drawn at random, the two sets are equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.reference import ReferenceEvaluator

import eyeshot

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL


def parsed(text: str) -> onnx.ModelProto:
    model = parser.parse_model(text)
    onnx.checker.check_model(model)
    return model


def moved(model: onnx.ModelProto, inputs: dict[str, np.ndarray], about: str) -> list[np.ndarray]:
    """For each output a boolean of shape (output elements, input elements): which change with which."""
    session = ReferenceEvaluator(model)
    rng = np.random.default_rng(0)
    clean = {name: rng.uniform(0.5, 1.5, array.shape).astype(array.dtype) if array.dtype.kind == "f" else array
             for name, array in inputs.items()}  # fmt: skip
    before = [np.asarray(out) for out in session.run(None, clean)]
    found = [np.zeros((out.size, inputs[about].size), bool) for out in before]
    for place in range(inputs[about].size):
        changed = {name: array.copy() for name, array in clean.items()}
        changed[about].reshape(-1)[place] += 0.37
        for table, old, new in zip(found, before, session.run(None, changed), strict=True):
            table[:, place] = (np.asarray(new) != old).reshape(-1)
    return found


def told(report: Any, name: str) -> np.ndarray:
    """The same from the masks of a report."""
    field = next(field for field in report.outputs if field.name == name)
    rows = [field.mask(*place, axes="all").reshape(-1) for place in np.ndindex(field.shape)]
    return np.array(rows)


def check(model: onnx.ModelProto, inputs: dict[str, Any], about: str, *, exact: bool = True) -> Any:
    report = eyeshot.analyze(model, inputs=inputs, input=about, axes="all")
    arrays = {name: np.zeros(given, np.float32) if isinstance(given, tuple) else np.asarray(given)
              for name, given in inputs.items()}  # fmt: skip
    for output, table in zip(model.graph.output, moved(model, arrays, about), strict=True):
        seen = told(report, output.name)
        assert seen.shape == table.shape
        assert not (table & ~seen).any(), "unsound"
        if exact:
            assert (table == seen).all()
            assert not report[output.name].reasons
    return report


BRANCHES = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[4] x, bool c) => (float[4] y)
<int64[1] back = {-1}, int64[1] ends = {-9}, int64[1] zero = {0}>
{
  y = If (c) <
    then_branch = straight () => (float[4] a) { a = Neg (x) },
    else_branch = turned () => (float[4] b) { b = Slice (x, back, ends, zero, back) }
  >
}
"""


@pytest.mark.parametrize("given", [True, False])
def test_a_given_condition_leads_to_its_branch(given):
    report = check(parsed(BRANCHES), {"x": (4,), "c": np.array(given)}, "x")
    assert "which branch" in report.notes[0]


def test_of_an_open_condition_both_branches_count():
    report = eyeshot.analyze(parsed(BRANCHES), axes="all")
    seen = told(report, "y")
    assert np.array_equal(seen, np.eye(4, dtype=bool) | np.eye(4, dtype=bool)[::-1])


def test_a_computed_condition_is_read():
    model = parsed("""
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[4] x) => (float[2] y)
    <int64[1] zero = {0}, int64[1] two = {2}, int64[1] four = {4}, float limit = {1.0}>
    {
      first = Slice (x, zero, two)
      last = Slice (x, two, four)
      sum = ReduceSum <keepdims = 0> (last)
      c = Less (sum, limit)
      y = If (c) <
        then_branch = one () => (float[2] a) { a = Neg (first) },
        else_branch = other () => (float[2] b) { b = Abs (first) }
      >
    }
    """)
    seen = told(eyeshot.analyze(model, axes="all"), "y")
    assert np.array_equal(seen, [[True, False, True, True], [False, True, True, True]])


def loop(count: int | None) -> onnx.ModelProto:
    """Cumulative sums of rows, collected too; ``count`` None leaves it to an input."""
    body = helper.make_graph(
        [
            helper.make_node("Gather", ["x", "i"], ["row"], axis=0),
            helper.make_node("Add", ["state", "row"], ["state_out"]),
            helper.make_node("Identity", ["c"], ["c_out"]),
            helper.make_node("Neg", ["state_out"], ["each"]),
        ],
        "body",
        [helper.make_tensor_value_info("i", INT64, []), helper.make_tensor_value_info("c", BOOL, []),
         helper.make_tensor_value_info("state", FLOAT, [2])],
        [helper.make_tensor_value_info("c_out", BOOL, []), helper.make_tensor_value_info("state_out", FLOAT, [2]),
         helper.make_tensor_value_info("each", FLOAT, [2])],
    )  # fmt: skip
    inputs = [helper.make_tensor_value_info("x", FLOAT, [3, 2])]
    constants = [
        numpy_helper.from_array(np.zeros(2, np.float32), "first"),
        numpy_helper.from_array(np.array(True), "go"),
    ]
    if count is None:
        inputs.append(helper.make_tensor_value_info("n", INT64, []))
    else:
        constants.append(numpy_helper.from_array(np.array(count, np.int64), "n"))
    graph = helper.make_graph(
        [helper.make_node("Loop", ["n", "go", "first"], ["last", "all"], body=body)],
        "net",
        inputs,
        [
            helper.make_tensor_value_info("last", FLOAT, [2]),
            helper.make_tensor_value_info("all", FLOAT, [None, 2]),
        ],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("count", [1, 3])
def test_a_loop_of_known_length_is_followed(count):
    check(loop(count), {"x": (3, 2)}, "x")


def test_a_loop_that_never_runs_collects_nothing():
    report = eyeshot.analyze(loop(0))
    assert (report["last"].shape, report["all"].shape) == ((2,), (0, 2))
    assert report["last"].empty


def test_a_loop_of_given_length_is_followed_and_reads_it():
    report = check(loop(None), {"x": (3, 2), "n": np.array(2)}, "x")
    assert "how often" in report.notes[0]


def test_a_loop_of_open_length_is_refused_for_what_it_collects():
    with pytest.raises(eyeshot.errors.InputError, match="number of turns"):
        eyeshot.analyze(loop(None))


def test_a_loop_that_data_ends_may_read_everything():
    model = parsed("""
    <ir_version: 8, opset_import: ["" : 17]>
    net (float[3] x) => (float[3] y)
    <float limit = {2.0}, bool go = {1}>
    {
      y = Loop (, go, x) <
        body = step (int64 i, bool c, float[3] s) => (bool c_out, float[3] s_out) {
          s_out = Mul (s, s)
          sum = ReduceSum <keepdims = 0> (s_out)
          c_out = Less (sum, limit)
        }
      >
    }
    """)
    report = check(model, {"x": (3,)}, "x", exact=False)
    assert report["y"].reasons == {"loop"}
    assert told(report, "y").all()


def scan(**attributes: Any) -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "part"], ["s_out"]), helper.make_node("Neg", ["s_out"], ["each"])],
        "body",
        [helper.make_tensor_value_info("s", FLOAT, [2]), helper.make_tensor_value_info("part", FLOAT, [2])],
        [
            helper.make_tensor_value_info("s_out", FLOAT, [2]),
            helper.make_tensor_value_info("each", FLOAT, [2]),
        ],
    )
    graph = helper.make_graph(
        [helper.make_node("Scan", ["s0", "x"], ["last", "all"], body=body, num_scan_inputs=1, **attributes)],
        "net",
        [helper.make_tensor_value_info("s0", FLOAT, [2]), helper.make_tensor_value_info("x", FLOAT, [3, 2])],
        [
            helper.make_tensor_value_info("last", FLOAT, [2]),
            helper.make_tensor_value_info("all", FLOAT, None),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("about", ["s0", "x"])
@pytest.mark.parametrize(
    "attributes",
    [{}, {"scan_input_directions": [1]}, {"scan_output_directions": [1]}, {"scan_output_axes": [1]}],
)
def test_a_scan_is_unrolled(attributes, about):
    if attributes and "scan_input_directions" not in attributes:
        report = eyeshot.analyze(scan(**attributes), axes="all")  # the reference evaluator lacks these two
        plain = told(eyeshot.analyze(scan(), axes="all"), "all").reshape(3, 2, -1)
        wanted = plain[::-1] if "scan_output_directions" in attributes else plain.transpose(1, 0, 2)
        assert np.array_equal(told(report, "all"), wanted.reshape(6, -1))
        return
    if attributes:
        report = eyeshot.analyze(scan(**attributes), input=about, axes="all")
        forward = told(eyeshot.analyze(scan(), input=about, axes="all"), "all")
        turned = forward.reshape(6, -1, 2)[:, ::-1].reshape(6, -1) if about == "x" else forward
        assert np.array_equal(told(report, "all"), turned)
        return
    check(scan(), {"s0": (2,), "x": (3, 2)}, about)


def test_a_very_long_scan_is_sound_and_says_so(monkeypatch):
    monkeypatch.setattr("eyeshot.frontends.onnx.ops.control.LONGEST", 3)
    report = check(scan(), {"s0": (2,), "x": (3, 2)}, "x", exact=False)
    assert report["all"].reasons == {"loop"}


def test_functions_of_the_model_are_put_in_their_place():
    model = parsed("""
    <ir_version: 8, opset_import: ["" : 17, "own" : 1]>
    net (float[1,1,8] x, float[1,1,3] w) => (float[1,1,8] y)
    {
      h = own.Wide <d = [2]> (x, w)
      y = own.Wide <d = [1]> (h, w)
    }
    <domain: "own", opset_import: ["" : 17]>
    Wide <d> (a, k) => (b) { b = Conv <auto_pad = "SAME_UPPER", dilations : ints = @d> (a, k) }
    """)
    check(model, {"x": (1, 1, 8), "w": (1, 1, 3)}, "x")
