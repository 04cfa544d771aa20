"""A live ``torch.export.ExportedProgram``: written as the JSON that a file would hold, and read as that is."""

from __future__ import annotations

import json
from math import prod
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch._export.serde.serialize import serialize

from eyeshot.frontends.files import TRUSTED, Budget
from eyeshot.frontends.torch.constants import as_array
from eyeshot.frontends.torch.exported import known
from eyeshot.frontends.torch.exported.program import read
from eyeshot.frontends.torch.exported.reading import reading
from eyeshot.frontends.torch.exported.schema import Meta
from eyeshot.frontends.torch.nodes import dtype_name

if TYPE_CHECKING:
    from eyeshot.frontends.registry import Reading, Request
    from eyeshot.frontends.torch.trace import Origin


def read_live(request: Request) -> Reading:
    """An exported program in memory; the user's own, so without limits."""
    began = perf_counter()
    exported: torch.export.ExportedProgram = request.model
    artifact = serialize(
        exported, serialize_state_dict=False, serialize_constants=False, serialize_example_inputs=False
    )
    held = {**exported.state_dict, **exported.constants}

    def values(name: str, origin: Origin) -> known.Array | None:
        tensor = held.get(name)
        if not isinstance(tensor, torch.Tensor) or tensor.is_meta or tensor.layout is not torch.strided:
            return None
        shape = tuple(tensor.shape)
        meta = Meta(shape, dtype_name(tensor.dtype), tuple(tensor.stride()))
        if not known.worth_reading(meta, origin, name) or not prod(shape):
            return None
        found = as_array(tensor)
        return found if known.counts(found, origin) else None

    program = read(json.loads(artifact.exported_program), values, Budget("the exported program", TRUSTED))
    return reading(program, "ExportedProgram", request, perf_counter() - began)
