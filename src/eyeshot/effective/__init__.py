"""Effective fields: how much each place of the input really contributes to a unit. NumPy only; `execution` runs models."""

from eyeshot.effective.comparing import Comparison, Growth, compare, growth
from eyeshot.effective.field import EffectiveField
from eyeshot.effective.measure import effective_field

__all__ = ["Comparison", "EffectiveField", "Growth", "compare", "effective_field", "growth"]
