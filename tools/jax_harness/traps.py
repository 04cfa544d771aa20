"""Where an oracle misleads, and where none sees: written down group by group."""

from __future__ import annotations

COARSE = dict.fromkeys(
    ("igamma", "igammac", "random_gamma", "regularized_incomplete_beta"),
    "XLA iterates until all elements of a tensor have converged, so the last bits of one hang on the others: only changes "
    "of more than a hundredth count",
)
TOLERANCE = 0.01

LEAKS = {
    "dot_general, whole numbers known": "a NaN meets zeros of a known factor, and 0 times NaN is NaN",
    "conv_general_dilated": "a NaN in a weight meets the zeros around and between elements, and 0 times NaN is NaN",
}
"""Groups (or their cases of one kind) in which NaN is not believed."""
SINGULAR = ("singularity", "inf_nan")
"""In the name of a case whose inputs are fixed where a function has no finite value, so that nothing changes it."""

BLIND = {
    "sort": "which of equal keys comes first matters only where keys are equal",
    "select_n": "each draw selects one of several cases",
    "select_and_gather_add": "each draw selects one element of a window",
    "select_and_scatter_add": "each draw selects one element of a window",
    "igamma": "flat, up to rounding, over most of its domain",
    "igammac": "flat, up to rounding, over most of its domain",
    "random_gamma": "draws of small shape parameters are 0, up to rounding",
    "regularized_incomplete_beta": "flat, up to rounding, over most of its domain",
}
