"""Ops on constants, computed with NumPy for exported programs: element by element what PyTorch's own op gives."""

import numpy as np
import pytest
import torch

from eyeshot.frontends.torch.constants import as_array
from eyeshot.frontends.torch.exported.constants import evaluate
from eyeshot.frontends.torch.exported.constants.registry import EVALUATORS
from eyeshot.frontends.torch.exported.known import TOTAL
from eyeshot.frontends.torch.nodes import dtype_name
from eyeshot.frontends.torch.trace import Value

INTS = torch.tensor([[5, -3, 0, 7], [2, 2, -8, 1], [9, 4, 3, -6]])
FLOATS = torch.tensor([[0.5, -1.5, 2.5], [3.0, -0.25, 1.0]])
POSITIVE = FLOATS.abs() + 0.1
BOOLS = torch.tensor([[True, False, True], [False, False, True]])
ROWS = torch.tensor([2, 0, 2, 1])
MASKED = torch.tensor([[0.0, -torch.inf, 1.0], [2.0, 0.5, -torch.inf]])
FINITE = torch.tensor([1.0, float("nan"), float("inf"), -float("inf")])

UNARY = "neg abs sign floor ceil trunc square exp expm1 sin cos tan tanh reciprocal sigmoid relu clone detach alias".split()
LOGARITHMS = "sqrt log log2 log10 log1p rsqrt".split()
BINARY = "mul true_divide remainder fmod eq ne lt le gt ge add sub div multiply".split()
BITS = "bitwise_and bitwise_or bitwise_xor __and__ __or__ __xor__ logical_and logical_or logical_xor".split()
REDUCED = "sum mean prod any all max min argmax argmin".split()
WHOLE = (torch.tensor([[3], [5]]), torch.tensor([4, 2, 7]))

CASES = [
    *((f"{name}.default", (FLOATS,), {}) for name in UNARY),
    *((f"{name}.default", (POSITIVE,), {}) for name in LOGARITHMS),
    *((f"{name}.default", (FINITE,), {}) for name in ("isnan", "isinf", "isfinite")),
    *((f"{name}.Tensor", (FLOATS, POSITIVE[:1]), {}) for name in BINARY),
    *((f"{name}.Tensor", (INTS, torch.tensor([3, -2, 5, 4])), {}) for name in ("add", "mul", "remainder", "fmod")),
    *((f"{name}.default", (FLOATS, POSITIVE), {}) for name in ("minimum", "maximum", "atan2")),
    *((f"{name}.Tensor", (BOOLS, BOOLS[:1]), {}) for name in BITS if "logical" not in name),
    *((f"{name}.default", (BOOLS, BOOLS[:1]), {}) for name in BITS if "logical" in name),
    *((f"{name}.Tensor", WHOLE, {}) for name in ("bitwise_left_shift", "bitwise_right_shift", "less", "greater")),
    ("negative.default", (INTS,), {}), ("logical_not.default", (INTS,), {}), ("bitwise_not.default", (BOOLS,), {}),
    ("bitwise_not.default", (INTS,), {}), ("add.Tensor", (BOOLS, BOOLS.flip(0)), {}),
    ("_to_copy.default", (FLOATS,), {"dtype": torch.int64}), ("_to_copy.default", (INTS,), {"dtype": torch.bool}),
    ("to.dtype", (FLOATS, torch.float64), {}), ("contiguous.default", (FLOATS.T,), {}),
    ("lift_fresh_copy.default", (INTS,), {}), ("pow.Tensor_Scalar", (INTS, 2), {}),
    ("pow.Scalar", (2.0, FLOATS), {}), ("pow.Tensor_Tensor", (POSITIVE, FLOATS), {}),
    ("add.Tensor", (INTS, INTS), {"alpha": 3}), ("add.Scalar", (INTS, 2), {}),
    ("sub.Tensor", (INTS, INTS[:1]), {"alpha": 2}),
    ("subtract.Tensor", (INTS, INTS), {}), ("rsub.Scalar", (INTS, 7), {}), ("rsub.Tensor", (FLOATS, POSITIVE), {}),
    ("div.Tensor_mode", (INTS, torch.tensor([3, -2, 5, -4])), {"rounding_mode": "floor"}),
    ("div.Tensor_mode", (INTS, torch.tensor([3, -2, 5, -4])), {"rounding_mode": "trunc"}),
    ("div.Scalar", (INTS, 2), {}), ("divide.Tensor", (INTS, torch.tensor(4)), {}),
    ("round.default", (torch.tensor([0.5, 1.5, 2.5, -0.5]),), {}), ("round.decimals", (FLOATS / 3,), {"decimals": 1}),
    ("clamp.default", (INTS, -2, 4), {}), ("clamp.Tensor", (INTS, None, torch.tensor([1, 2, 3, 4])), {}),
    ("clamp_min.default", (INTS, 1), {}), ("clamp_max.default", (INTS, 1), {}), ("clip.default", (FLOATS, 0.0), {}),
    ("hardtanh.default", (FLOATS, -0.5, 0.5), {}), ("where.self", (BOOLS, FLOATS, POSITIVE), {}),
    ("where.ScalarOther", (BOOLS, FLOATS, -1.0), {}), ("masked_fill.Scalar", (FLOATS, BOOLS, float("-inf")), {}),
    ("masked_fill.Tensor", (INTS, INTS > 3, torch.tensor(-1)), {}), ("isin.Tensor_Tensor", (INTS, ROWS), {}),
    ("floor_divide.default", (INTS, torch.tensor([3, -2, 5, -4])), {}),
    ("copy.default", (FLOATS, torch.tensor([1, 2, 3])), {}),
    # made of numbers
    ("arange.default", (7,), {}), ("arange.start", (2, 9), {}), ("arange.start_step", (9, 2, -3), {}),
    ("arange.start_step", (0.0, 1.0, 0.25), {}), ("full.default", ([2, 3], 5), {}),
    ("new_full.default", (INTS, [2], 4), {}),
    ("full_like.default", (FLOATS, 2.5), {}), ("fill.Scalar", (INTS, 6), {}), ("scalar_tensor.default", (3.5,), {}),
    ("zeros.default", ([2, 2],), {}), ("zeros_like.default", (INTS,), {}), ("new_zeros.default", (INTS, [3]), {}),
    ("zero.default", (INTS,), {}), ("ones.default", ([2],), {}), ("ones_like.default", (FLOATS,), {}),
    ("new_ones.default", (INTS, [3]), {}), ("eye.default", (3,), {}), ("eye.m", (2, 4), {}),
    ("linspace.default", (-1, 1, 5), {}), ("tril_indices.default", (3, 4, 1), {}),
    ("triu_indices.default", (4, 3, -1), {}),
    # moved
    ("view.default", (INTS, [2, 6]), {}), ("reshape.default", (INTS, [-1]), {}),
    ("_unsafe_view.default", (INTS, [4, 3]), {}),
    ("_reshape_alias.default", (INTS, [4, 3], [3, 1]), {}), ("flatten.using_ints", (INTS,), {}),
    ("unflatten.int", (INTS, 1, [2, 2]), {}), ("ravel.default", (INTS,), {}), ("squeeze.dim", (INTS[:1], 0), {}),
    ("unsqueeze.default", (INTS, -1), {}), ("view_as.default", (INTS, INTS.reshape(4, 3)), {}),
    ("reshape_as.default", (INTS, INTS.reshape(4, 3)), {}), ("expand.default", (INTS[:1], [3, 4]), {}),
    ("expand_as.default", (INTS[:1], INTS), {}), ("broadcast_to.default", (INTS, [2, 3, 4]), {}),
    ("permute.default", (INTS[None], [2, 0, 1]), {}), ("transpose.int", (INTS, 0, -1), {}),
    ("swapaxes.default", (INTS, 0, 1), {}), ("swapdims.default", (INTS, 0, 1), {}), ("t.default", (INTS,), {}),
    ("numpy_T.default", (INTS,), {}), ("mT.default", (INTS[None],), {}), ("adjoint.default", (INTS[None],), {}),
    ("movedim.int", (INTS[None], 0, 2), {}), ("moveaxis.intlist", (INTS[None], [0, 1], [1, 2]), {}),
    ("slice.Tensor", (INTS, 1, 1, 9223372036854775807, 2), {}), ("slice.Tensor", (INTS, -1, -3, -1), {}),
    ("select.int", (INTS, 1, -2), {}), ("narrow.default", (INTS, 1, -3, 2), {}),
    ("slice_scatter.default", (INTS, -INTS[:, 1:3], 1, 1, 3), {}),
    ("select_scatter.default", (INTS, INTS[0] * 2, 0, 2), {}),
    ("cat.default", ([INTS, torch.tensor([], dtype=torch.int64), INTS[:1]], 0), {}),
    ("concat.default", ([INTS, INTS], -1), {}),
    ("concatenate.default", ([INTS, INTS], 0), {}), ("stack.default", ([INTS, INTS + 1], -1), {}),
    ("split.Tensor", (INTS, 2, 0), {}), ("split_with_sizes.default", (INTS, [1, 3], 1), {}),
    ("chunk.default", (INTS, 2, 1), {}), ("tensor_split.sections", (INTS, 3, 1), {}), ("unbind.int", (INTS, 1), {}),
    ("flip.default", (INTS, [0, -1]), {}), ("roll.default", (INTS, [1, -1], [0, 1]), {}),
    ("roll.default", (INTS, [5]), {}),
    ("repeat.default", (INTS, [2, 1, 3]), {}), ("tile.default", (INTS, [2]), {}),
    ("repeat_interleave.self_int", (INTS, 2, 1), {}), ("repeat_interleave.Tensor", (ROWS,), {}),
    ("repeat_interleave.self_int", (INTS, 2), {}), ("tril.default", (INTS, -1), {}), ("triu.default", (INTS, 1), {}),
    ("diagonal.default", (INTS, 1), {}), ("index.Tensor", (INTS, [None, ROWS]), {}),
    ("index.Tensor", (INTS, [ROWS[:, None], ROWS[None]]), {}), ("index.Tensor", (FLOATS, [BOOLS]), {}),
    ("index_select.default", (INTS, 1, ROWS), {}), ("gather.default", (INTS, 1, torch.tensor([[0, 2], [3, 1]])), {}),
    ("embedding.default", (INTS, ROWS.reshape(2, 2)), {}),
    ("index_put.default", (INTS, [ROWS], torch.tensor([1, 2, 3, 4]), True), {}),
    ("index_put.default", (INTS, [None, ROWS[:1]], torch.tensor(8)), {}),
    ("constant_pad_nd.default", (INTS, [1, -2, 0, 2], 9), {}), ("constant_pad_nd.default", (INTS, [-1, 3]), {}),
    ("meshgrid.indexing", ([ROWS, ROWS[:3]],), {"indexing": "xy"}), ("meshgrid.default", ([ROWS, ROWS[:3]],), {}),
    ("one_hot.default", (ROWS, 4), {}), ("one_hot.default", (ROWS,), {}),
    # reduced and ordered
    *((f"{name}.default", (FLOATS,), {}) for name in REDUCED),
    ("sum.dim_IntList", (INTS, [0, -1], True), {}), ("sum.dim_IntList", (INTS, [1]), {"dtype": torch.float32}),
    ("mean.dim", (FLOATS, [1]), {}), ("prod.dim_int", (INTS, 1), {}), ("amax.default", (INTS, [1], True), {}),
    ("amin.default", (INTS,), {}), ("any.dim", (BOOLS, 0), {}), ("all.dim", (BOOLS, 1, True), {}),
    ("max.dim", (INTS, 1), {}), ("min.dim", (INTS, 0, True), {}), ("max.other", (INTS, INTS[:1]), {}),
    ("argmax.default", (INTS, 1), {}), ("argmin.default", (INTS, 0, True), {}), ("cumsum.default", (INTS, 1), {}),
    ("sort.default", (INTS, -1, True), {}), ("sort.stable", (INTS,), {"stable": True, "dim": 0}),
    ("argsort.default", (INTS[0], -1, True), {}), ("bucketize.Tensor", (FLOATS, torch.tensor([-1.0, 0.5, 2.0])), {}),
    ("_softmax.default", (MASKED, -1, False), {}), ("softmax.int", (MASKED, 0), {}),
    ("softmax.int", (INTS, 1, torch.float32), {}),
    ("_safe_softmax.default", (MASKED[:, :2], 0), {}), ("_log_softmax.default", (FLOATS, 1, False), {}),
    ("log_softmax.int", (MASKED, -1), {}), ("mm.default", (FLOATS, FLOATS.T), {}),
    ("matmul.default", (INTS, INTS.T), {}),
    ("bmm.default", (FLOATS[None], FLOATS.T[None]), {}), ("mv.default", (FLOATS, FLOATS[0]), {}),
    ("dot.default", (ROWS, ROWS), {}), ("addmm.default", (FLOATS[:, :2], FLOATS, FLOATS.T), {"beta": 2, "alpha": 0.5}),
    ("baddbmm.default", (FLOATS[None, :, :2], FLOATS[None], FLOATS.T[None]), {}),
    ("bucketize.Tensor", (FLOATS, torch.tensor([-1.0, 0.5, 2.0])), {"right": True}),
]  # fmt: skip

# Memory as it was: there is nothing to compare.
MADE_OF_NOTHING = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"}


def recorded(item):
    """An argument as a trace holds it."""
    if isinstance(item, torch.Tensor):
        return Value(tuple(item.shape), dtype_name(item.dtype), "constant", known=as_array(item))
    if isinstance(item, list | tuple):
        return [recorded(part) for part in item]
    return dtype_name(item) if isinstance(item, torch.dtype) else item


def computed(name, args, kwargs):
    packet, overload = name.split(".")
    with torch.no_grad():
        out = getattr(getattr(torch.ops.aten, packet), overload)(*args, **kwargs)
    return list(out) if isinstance(out, list | tuple) else [out]


@pytest.mark.parametrize(("name", "args", "kwargs"), CASES, ids=[f"{i}-{c[0]}" for i, c in enumerate(CASES)])
def test_evaluators_agree_with_torch(name, args, kwargs):
    expected = computed(name, args, kwargs)
    outputs = [(tuple(part.shape), dtype_name(part.dtype)) for part in expected]
    options = {key: recorded(item) for key, item in kwargs.items()}
    found = evaluate(f"aten.{name}", recorded(args), options, outputs, TOTAL)
    assert found is not None
    for array, tensor in zip(found, expected, strict=True):
        assert array.dtype == as_array(tensor).dtype
        assert np.allclose(array, as_array(tensor), rtol=1e-6, equal_nan=True)


def test_every_evaluator_has_a_case():
    assert {name.split(".")[0] for name, _, _ in CASES} | MADE_OF_NOTHING >= EVALUATORS.keys() - {"T"}


@pytest.mark.parametrize(
    ("name", "args", "shape"),
    [
        ("arange.default", (1 << 62,), (1 << 62,)),
        ("full.default", ([1 << 30], 1), (1 << 30,)),
        ("repeat.default", (INTS, [1 << 20, 1 << 20]), (3, 4)),
        ("repeat_interleave.Tensor", (torch.tensor([1 << 40]),), (1,)),
        ("tril_indices.default", (1 << 30, 1 << 30), (2, 4)),
        ("add.Tensor", (torch.zeros(1 << 16, 1), torch.zeros(1 << 16)), (1 << 16,)),
        ("index.Tensor", (INTS, [torch.zeros(1 << 16, 1).long(), torch.zeros(1 << 16).long()]), (1 << 16,)),
        ("meshgrid.default", ([torch.zeros(1 << 16), torch.zeros(1 << 16)],), (1 << 16,)),
        ("one_hot.default", (torch.zeros(1 << 16).long(), 1 << 30), (1 << 16, 1 << 30)),
    ],
)
def test_what_is_too_large_or_not_as_stated_is_never_made(name, args, shape):
    """Each of these would take more memory than there is; shapes are what the file says, arguments too."""
    assert evaluate(f"aten.{name}", recorded(args), {}, [(shape, "int64")], TOTAL) is None


def test_numbers_with_fractions_are_kept_only_where_few():
    many = torch.rand(100_000)
    outputs = [((100_000,), "float32")]
    assert evaluate("aten.neg.default", recorded((many,)), {}, outputs, TOTAL) is None
    assert evaluate("aten.neg.default", recorded((many.round(),)), {}, outputs, TOTAL) is not None
