"""What users hold: reports and fields, over analyses that run when first asked for."""

from eyeshot.fields.field import Field
from eyeshot.fields.report import InputAxes, Report, spatial_axes

__all__ = ["Field", "InputAxes", "Report", "spatial_axes"]
