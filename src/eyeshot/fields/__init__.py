"""What users hold: reports and fields, over analyses that run when first asked for."""

from eyeshot.fields.axes import InputAxes, input_axes
from eyeshot.fields.field import Field
from eyeshot.fields.influence import Influence
from eyeshot.fields.proof import Mismatch, Oracle, Proof
from eyeshot.fields.report import Report

__all__ = [
    "Field",
    "Influence",
    "InputAxes",
    "Mismatch",
    "Oracle",
    "Proof",
    "Report",
    "input_axes",
]
