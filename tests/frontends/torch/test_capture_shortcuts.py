"""Every shortcut answers as the true meta kernel (shape, dtype, strides), or leaves it to that."""

import pytest
import torch

from eyeshot.errors import InputError
from eyeshot.frontends.torch.shortcuts import SHORTCUTS


def m(*shape, dtype=torch.float32):
    return torch.empty(shape, dtype=dtype, device="meta")


half, i64 = torch.float16, torch.int64
X = m(2, 4, 7, 9)
UNARY = (
    "relu.default gelu.default silu.default sigmoid.default tanh.default hardswish.default "
    "hardsigmoid.default leaky_relu.default hardtanh.default elu.default mish.default softplus.default "
    "sqrt.default rsqrt.default exp.default log.default neg.default abs.default sin.default cos.default "
    "erf.default square.default"
).split()
BINARY = "add.Tensor sub.Tensor mul.Tensor div.Tensor".split()
RESIZES = {
    "upsample_nearest1d": 1,
    "upsample_nearest2d": 2,
    "upsample_nearest3d": 3,
    "_upsample_nearest_exact1d": 1,
    "_upsample_nearest_exact2d": 2,
    "_upsample_nearest_exact3d": 3,
    "upsample_linear1d": 1,
    "upsample_bilinear2d": 2,
    "upsample_trilinear3d": 3,
    "upsample_bicubic2d": 2,
    "_upsample_bilinear2d_aa": 2,
    "_upsample_bicubic2d_aa": 2,
}
LSTM = [m(4 * 5, 3), m(4 * 5, 5), m(20), m(20)]
GRU = [m(3 * 5, 3), m(3 * 5, 5), m(15), m(15)]
RNN = [m(5, 3), m(5, 5), m(5), m(5)]
STEPS = torch.tensor([2, 2, 1])

SAMPLES = [
    ("convolution.default", (X, m(6, 4, 3, 3), None, [2], [1], [1], False, [0], 1)),
    ("convolution.default", (X, m(6, 4, 3, 2), m(6), [2, 1], [1, 0], [2, 3], False, [0, 0], 1)),
    ("convolution.default", (X, m(8, 1, 3, 3), m(8), [1, 1], [0, 0], [1, 1], False, [0, 0], 4)),
    ("convolution.default", (X, m(4, 3, 3, 3), m(6), [2, 2], [1, 0], [1, 2], True, [1, 0], 2)),
    ("convolution.default", (m(1, 2, 9), m(3, 2, 4), m(3), [3], [2], [1], False, [0], 1)),
    (
        "convolution.default",
        (m(1, 2, 5, 6, 7), m(3, 2, 2, 3, 4), None, [1, 2, 3], [0, 1, 2], [1, 1, 1], False, [0, 0, 0], 1),
    ),
    ("linear.default", (m(2, 3, 4), m(5, 4), m(5))),
    ("linear.default", (m(4), m(5, 4))),
    ("batch_norm.default", (X, m(4), m(4), m(4), m(4), True, 0.1, 1e-5, True)),
    ("batch_norm.default", (X, None, None, m(4), m(4), False, 0.1, 1e-5, True)),
    ("batch_norm.default", (m(2, 4), m(4), m(4), None, None, True, 0.1, 1e-5, True)),
    ("layer_norm.default", (X, [9], m(9), m(9), 1e-5)),
    ("layer_norm.default", (X, [7, 9])),
    ("group_norm.default", (X, 2, m(4), m(4), 1e-5, True)),
    ("instance_norm.default", (X, None, None, None, None, True, 0.1, 1e-5, True)),
    ("rms_norm.default", (X, [9], m(9), 1e-5)),
    *(
        (op, (x,))
        for op in UNARY
        for x in (X, X.permute(0, 2, 3, 1), m(3, dtype=half), m(3, 0), m(2, 3, dtype=i64))
        if op
        not in {
            "relu.default",
            "gelu.default",
            "silu.default",
            "hardswish.default",
            "hardsigmoid.default",
            "leaky_relu.default",
            "elu.default",
            "mish.default",
            "softplus.default",
            "hardtanh.default",
        }
        or x.is_floating_point()
    ),
    ("clamp.default", (X, 0, 1)),
    ("clamp.default", (m(3, dtype=i64), 0.5)),
    ("clamp_min.default", (X, 1e-6)),
    ("clamp_max.default", (X, 2)),
    ("pow.Tensor_Scalar", (X, 2)),
    ("pow.Tensor_Scalar", (m(2, dtype=i64), 0.5)),
    ("rsub.Scalar", (X, 1)),
    ("roll.default", (X, [2, 3], [2, 3])),
    ("_softmax.default", (X, 1, False)),
    ("_log_softmax.default", (X, -1, False)),
    ("dropout.default", (X, 0.5, True)),
    *(
        (op, pair)
        for op in BINARY
        for pair in (
            (X, X),
            (X.mT, m(2, 4, 9, 7)),
            (m(2, 4, 9, 7), X.mT),
            (X.mT, m(9, 7)),
            (X, m(4, 1, 1)),
            (m(9), X),
            (X, m(2, 1, 7, 1)),
            (m(1, 4, 1, 1), X),
            (X, 2.5),
            (X, m(4, 1, 1, dtype=half)),
            (m(3, dtype=i64), 2),
            (m(3, dtype=i64), 2.5),
            (m(3, dtype=half), m()),
            (m(), m()),
        )
    ),
    ("mean.dim", (X, [2, 3])),
    ("mean.dim", (X, [-1], True)),
    ("sum.dim_IntList", (X, [1])),
    ("sum.dim_IntList", (m(2, 3, dtype=torch.bool), [1])),
    ("sum.dim_IntList", (X, None)),
    ("amax.default", (X, [1], True)),
    ("linalg_vector_norm.default", (X, 2, [-1], True)),
    ("linalg_vector_norm.default", (X, 2)),
    ("cat.default", ([X, m(2, 3, 7, 9)], 1)),
    ("cat.default", ([X, X], -1)),
    ("cat.default", ([X],)),
    ("cat.default", ([X, m(2, 3, 7, 9, dtype=half)], 1)),
    *(
        (
            f"{op}.default",
            (m(2, 3, *(5, 6, 7)[:rank]), [9, 4, 8][:rank], *([] if "nearest" in op else [False])),
        )
        for op, rank in RESIZES.items()
    ),
    ("adaptive_avg_pool1d.default", (m(2, 3, 7), [2])),
    ("adaptive_avg_pool2d.default", (X, [1, 1])),
    ("adaptive_avg_pool2d.default", (X[0], [3, 2])),
    ("adaptive_avg_pool3d.default", (m(1, 2, 4, 5, 6), [2, 2, 2])),
    ("matmul.default", (m(2, 3, 4, 5), m(2, 3, 5, 6))),
    ("matmul.default", (m(4, 5), m(5, 6))),
    ("matmul.default", (m(3, 4, 5), m(1, 5, 6))),
    ("matmul.default", (m(4, 5), m(5))),
    ("scaled_dot_product_attention.default", (m(2, 3, 5, 4), m(2, 3, 7, 4), m(2, 3, 7, 6))),
    ("lstm.input", (m(7, 2, 3), [m(1, 2, 5), m(1, 2, 5)], LSTM, True, 1, 0.0, False, False, False)),
    ("lstm.input", (m(2, 7, 3), [m(2, 2, 5), m(2, 2, 5)], LSTM * 2, True, 1, 0.0, False, True, True)),
    ("gru.input", (m(7, 2, 3), m(2, 2, 5), GRU * 2, True, 1, 0.0, False, True, False)),
    ("rnn_tanh.input", (m(7, 2, 3), m(1, 2, 5), RNN, True, 1, 0.0, False, False, False)),
    ("rnn_relu.input", (m(2, 7, 3), m(1, 2, 5), RNN, True, 1, 0.0, False, False, True)),
    ("lstm.data", (m(5, 3), STEPS, [m(1, 2, 5), m(1, 2, 5)], LSTM, True, 1, 0.0, False, False)),
    ("gru.data", (m(5, 3), STEPS, m(1, 2, 5), GRU, True, 1, 0.0, False, False)),
    ("rnn_tanh.data", (m(5, 3), STEPS, m(1, 2, 5), RNN, True, 1, 0.0, False, False)),
    ("rnn_relu.data", (m(5, 3), STEPS, m(1, 2, 5), RNN, True, 1, 0.0, False, False)),
]


def described(out):
    parts = out if isinstance(out, tuple) else (out,)
    return [(tuple(part.shape), part.dtype, part.stride()) for part in parts]


@pytest.mark.parametrize("sample", range(len(SAMPLES)), ids=lambda i: f"{i}-{SAMPLES[i][0]}")
def test_agrees_with_the_meta_kernel(sample):
    name, args = SAMPLES[sample]
    answer = SHORTCUTS[f"aten.{name}"](*args)
    if answer is None:
        return
    packet, overload = name.split(".")
    with torch.no_grad():
        expected = getattr(getattr(torch.ops.aten, packet), overload)(*args)
    assert described(answer) == described(expected)


def test_every_shortcut_answers_at_least_one_sample():
    answered = {name for name, args in SAMPLES if SHORTCUTS[f"aten.{name}"](*args) is not None}
    assert {f"aten.{name}" for name in answered} == set(SHORTCUTS)


@pytest.mark.parametrize(
    ("name", "args", "words"),
    [
        (
            "convolution.default",
            (m(1, 4, 8, 8), m(6, 3, 3, 3), None, [1], [0], [1], False, [0], 1),
            "expects 3 .* got 4",
        ),
        (
            "convolution.default",
            (m(1, 3, 2, 8), m(6, 3, 3, 3), None, [1], [0], [1], False, [0], 1),
            "too small",
        ),
        ("linear.default", (m(1, 5), m(3, 4)), "expects 4 features, got 5"),
        (
            "batch_norm.default",
            (m(1, 5, 2), m(4), None, None, None, True, 0.1, 1e-5, True),
            "expects 4 .* got 5",
        ),
    ],
)
def test_what_does_not_fit_is_named(name, args, words):
    with pytest.raises(InputError, match=words):
        SHORTCUTS[f"aten.{name}"](*args)
