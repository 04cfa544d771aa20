"""Effective fields: how much each place of the input really contributes to a unit. NumPy only; `execution` runs models."""

from eyeshot.effective.comparing import Comparison, Growth, compare, growth
from eyeshot.effective.field import EffectiveField
from eyeshot.effective.measure import effective_field
from eyeshot.effective.occlusion import OcclusionMap, occlude
from eyeshot.effective.training import Monitor

__all__ = [
    "Comparison",
    "EffectiveField",
    "Growth",
    "Monitor",
    "OcclusionMap",
    "compare",
    "effective_field",
    "growth",
    "occlude",
]
