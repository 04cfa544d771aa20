"""What the oracles cannot see, op by op, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eyeshot.proof.compare import Comparison, Tally

HIDING = frozenset(
    """
    eq ne lt le gt ge logical_and logical_or logical_not logical_xor isnan isinf isfinite isneginf isposinf isin
    isclose signbit sign sgn heaviside nan_to_num argmax argmin sort topk argsort msort kthvalue mode nanmedian
    nansum count_nonzero any all fmax fmin bucketize searchsorted bincount histc bernoulli grid_sampler_2d
    grid_sampler_3d max_unpool2d max_unpool3d median round _cdist_forward
    """.split()
)
"""Ops that may answer without NaN where an operand is NaN."""

NAN_SPOTS = {
    "hides": "{ops} may answer without NaN where they read NaN: behind them, units that stay clean prove nothing",
    "leaks": "{ops} multiply what is masked by 0, and 0 times NaN is NaN: behind them, units that turn NaN prove nothing",
}
GRADIENT_SPOTS = {
    "misses": "{ops} read places that are computed from data, or have no linear form: behind them, what has no gradient "
    "proves nothing",
}
"""Sentences for the kinds of flags, with the ops that earned them."""


def spots(comparison: Comparison, tally: Tally, oracle: str) -> tuple[str, ...]:
    """What an oracle could not see on the ops at hand."""
    recording, nan = comparison.recording, oracle == "NaN probe"
    found = list(dict.fromkeys(tally.notes))
    for kind, sentence in (NAN_SPOTS if nan else GRADIENT_SPOTS).items():
        ops = sorted(set().union(*(recording.flags(name, kind) for name in comparison.fields)))
        if ops:
            found.append(sentence.format(ops=", ".join(ops)))
    if nan and not comparison.setup.x.is_floating_point():
        found.append("the input holds integers, which are never NaN: nothing was probed")
    elif nan and recording.scalars:
        found.append(
            "the model's own Python reads numbers computed from the input, and NaN may turn its course: "
            "nothing was probed"
        )
    if nan and recording.spoilt:
        found.append(
            f"{len(recording.spoilt)} tensors hold NaN or infinities without any poison, and were left out"
        )
    sound = sum(bool(field.reasons) for field in comparison.fields.values())
    if sound:
        found.append(
            f"{sound} fields are sound, not exact: what is found has to be in them, and they may be larger"
        )
    if comparison.strangers:
        names = ", ".join(repr(name) for name in comparison.strangers[:3])
        found.append(
            f"{len(comparison.strangers)} tensors of this run are not in the report, or have another shape: {names}"
        )
    return tuple(found)
