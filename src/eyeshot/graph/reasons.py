"""Why a relation over-approximates: the reason codes that nodes carry, and a sentence for each."""

from __future__ import annotations

REASONS: dict[str, str] = {
    "computed-weights": "a kernel computed from an input counts as read whole, even over padding",
    "data-dependent-index": "positions are computed from data, so every position that could be read counts",
    "data-dependent-mask": "a mask is computed from an input, so every position that it could leave counts",
    "data-dependent-shape": "which elements are kept, and how many, depends on data",
    "kernels-differ": "the framework's kernels pick different elements here; what any of them reads counts",
    "large-static-mask": "a static mask over several axes is too large to hold as a table",
    "loop": "how often a loop runs is computed, or it is too long to be followed; what its steps may hand on counts",
    "lost-mask": "a static mask went through an op that does not hand it on, so what it hides counts from there",
    "many-steps": "a recurrence of many steps is not written out, so every earlier step counts whole",
    "many-terms": "a field of very many pieces was united, so units count what their neighbours read too",
    "mask-varies": "the static attention mask differs along batch or heads; the union of its supports counts",
    "packed-sequence": "a packed sequence hides which step belongs to which sample",
    "random-index": "positions are drawn at random, so every position that could be drawn counts",
    "repeated-index": "a known index writes a place more than once, in no stated order; every write counts",
    "unknown-op": "an op without a lowering, taken to read everything of every operand",
    "zero-coefficient": "coefficients of the op's formula vanish at some positions, and are counted still",
}
