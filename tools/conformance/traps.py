"""Where an oracle misleads, operator by operator, and why.

A lie is evidence that isn't believed; a blind spot is a dependence that no oracle can show.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lie:
    """Evidence of ``oracles`` about these operators (and inputs, by number) that isn't believed."""

    names: tuple[str, ...]
    oracles: tuple[str, ...]
    why: str
    inputs: tuple[int, ...] | None = None

    def about(self, name: str, output: int, given: int) -> bool:
        """Whether it concerns one output and one input of an operator."""
        return name in self.names and (self.inputs is None or given in self.inputs)


RESIZES = "linear bilinear trilinear bicubic"
ATTENTION = (
    "nn.functional.scaled_dot_product_attention",
    "torch.ops.aten._scaled_dot_product_flash_attention_for_cpu",
    "nn.functional.multi_head_attention_forward",
    "nn_MultiheadAttention",
    "nn_TransformerEncoder",
    "nn_TransformerEncoderLayer",
    "nn_TransformerDecoderLayer",
    "nn_Transformer",
)
LIES: tuple[Lie, ...] = (
    Lie(
        ("as_strided_scatter",),
        ("gradient",),
        "its derivative by the base is inverted: kept where overwritten",
        (0,),
    ),
    Lie(
        (
            *(f"nn.functional.interpolate.{mode}" for mode in RESIZES.split()),
            "nn.functional.upsample_bilinear",
            "_upsample_bilinear2d_aa",
        ),
        ("nan",),
        "0 * NaN, where a sampling position falls on an element and its neighbour's weight is 0",
    ),
    Lie(ATTENTION, ("nan",), "0 * NaN: a masked key has weight 0, and its value is multiplied still"),
    Lie(
        ("nn.functional.conv1d", "nn.functional.conv2d", "nn.functional.conv3d"),
        ("nan",),
        "0 * NaN: weights are multiplied with the zeros of padding, too",
        (1,),
    ),
    Lie(
        ("masked.log_softmax",),
        ("nan", "gradient"),
        "a masked element is −inf whatever the others are; NaN and derivatives pass through −inf − x",
    ),
    Lie(("masked.softmax",), ("nan",), "0 * NaN: a masked element comes out as 0 whatever the others are"),
    Lie(
        tuple(f"fft.{name}{axes}" for name in ("irfft", "hfft") for axes in ("", "2", "n")),
        ("nan",),
        "0 * NaN, where the cosine of a real coefficient is 0",
    ),
    Lie(("addr",), ("nan",), "0 * NaN, where alpha or beta is 0"),
    Lie(
        ("linspace.tensor_overload", "logspace.tensor_overload"),
        ("nan",),
        "0 * NaN: the last step is the end minus no step at all",
    ),
    Lie(("nn_MarginRankingLoss",), ("nan",), "0 * NaN, where the target is 0"),
    Lie(
        ("nn.functional.rrelu",),
        ("change", "nan"),
        "an element's sign decides how many random numbers are left to the others",
    ),
    Lie(
        ("empty_like", "new_empty", "new_empty_strided"),
        ("gradient", "change", "nan"),
        "the results are whatever memory held",
    ),
)

# What no oracle sees, though the rule's formula reads it.
BLIND: dict[str, str] = {
    "stft": "the imaginary part is 0 at frequency 0 and at half the sampling rate",
    **dict.fromkeys(ATTENTION, "a softmax over one key is 1 whatever its score"),
    **dict.fromkeys(
        ("histc", "histogram", "histogramdd"), "a count changes only where a number crosses an edge"
    ),
    **dict.fromkeys(("masked.argmax", "masked.argmin"), "a place, handed on as a floating-point number"),
    **dict.fromkeys(
        ("masked.softmax", "masked.log_softmax"),
        "a masked element is 0 (or −inf), and read by the rule where the mask isn't one matrix",
    ),
    "bernoulli": "a draw turns only where its probability crosses the number drawn",
    "heaviside": "the second number counts only where the first is exactly 0",
    "max_pool2d_with_indices_backward": "a slope moves only where an element wins or loses its window",
    "linalg.pinv": "a tolerance of 1 leaves no singular value",
}

# Operators that take numbers in [0, 1) alone for what they are given as random: other draws mean nothing.
UNIT = frozenset(
    {
        "nn.functional.fractional_max_pool2d",
        "nn.functional.fractional_max_pool3d",
        "nn_FractionalMaxPool2d",
        "nn_FractionalMaxPool3d",
    }
)
