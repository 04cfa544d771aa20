"""Reports as plain data: JSON (schema version 1) and flat records."""

from __future__ import annotations

from dataclasses import asdict
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict
from pydantic import Field as Column

if TYPE_CHECKING:
    from eyeshot.fields.field import Field
    from eyeshot.fields.proof import Proof
    from eyeshot.fields.report import Report

Number = int | str
"""An integer, or a fraction as text ("1/2")."""


class TensorDocument(BaseModel):
    """One tensor's field; tuples have one entry a spatial axis of the input, None is no bound.

    ``clipped`` tells where ``size`` is the largest extent at this input size, for want of a law.
    """

    model_config = ConfigDict(extra="forbid")

    name: str
    op: str
    shape: tuple[int, ...]
    size: tuple[int | None, ...]
    stride: tuple[Number | None, ...]
    offset: tuple[Number | None, ...]
    phases: tuple[tuple[tuple[Number, int], ...], ...]
    halo: tuple[tuple[Number, Number] | None, ...]
    kind: Literal["hull", "sound", "exact", "shadow"]
    clipped: tuple[bool, ...]
    share: float
    at_this_size: bool
    misaligned: bool
    global_since: str | None
    reasons: tuple[str, ...]
    parameters: int
    macs: int
    activation_bytes: int


class InputDocument(BaseModel):
    """The input that the fields are about."""

    model_config = ConfigDict(extra="forbid")

    name: str
    shape: tuple[int, ...]
    axes: str


class OracleDocument(BaseModel):
    """What one oracle was compared on."""

    model_config = ConfigDict(extra="forbid")

    name: str
    cells: int
    one_way: int
    tensors: int
    blind_spots: tuple[str, ...]


class ProofDocument(BaseModel):
    """What a verification of the report found; ``mismatches`` are sentences."""

    model_config = ConfigDict(extra="forbid")

    clean: bool
    cells: int
    units: int
    elements: int
    seed: int
    oracles: tuple[OracleDocument, ...]
    mismatches: tuple[str, ...]


class ReportDocument(BaseModel):
    """A whole report; ``proof`` is there where one was attached."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    version: Literal[1] = Column(default=1, alias="schema")
    model: str
    input: InputDocument
    inputs: tuple[str, ...]
    view: Literal["full", "local"]
    notes: tuple[str, ...]
    modules: tuple[TensorDocument, ...]
    tensors: tuple[TensorDocument, ...]
    outputs: tuple[TensorDocument, ...]
    proof: ProofDocument | None = None


def document(report: Report) -> ReportDocument:
    """The report as validated data."""
    return ReportDocument(
        model=report.model,
        input=InputDocument(name=report.input, shape=report.input_shape, axes=report.axes),
        inputs=tuple(report.spatial),
        view=report.shown,
        notes=tuple(report.notes),
        modules=tuple(_tensor(field) for field in report.values()),
        tensors=tuple(_tensor(field) for field in report.tensors),
        outputs=tuple(_tensor(field) for field in report.outputs),
        proof=None if report.proof is None else _proof(report.proof),
    )


def _proof(proof: Proof) -> ProofDocument:
    oracles = tuple(
        OracleDocument(**asdict(oracle), blind_spots=proof.blind_spots.get(oracle.name, ()))
        for oracle in proof.oracles
    )
    return ProofDocument(
        clean=proof.clean,
        cells=proof.cells,
        units=proof.units,
        elements=proof.elements,
        seed=proof.seed,
        oracles=oracles,
        mismatches=tuple(str(mismatch) for mismatch in proof.mismatches),
    )


def write(report: Report, path: str | Path | None) -> str:
    """JSON text, and a file of it where a path is given."""
    text = document(report).model_dump_json(by_alias=True, indent=1)
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text


def records(report: Report) -> list[dict[str, Any]]:
    """One record a module: scalars only, an axis's letter behind each per-axis name."""
    return [_record(field, report.axes) for field in report.values()]


def _record(field: Field, letters: str) -> dict[str, Any]:
    record: dict[str, Any] = {"name": field.name, "op": field.op, "shape": "x".join(map(str, field.shape))}
    for axis, letter in enumerate(letters.lower()):
        record |= {
            f"size_{letter}": field.size[axis],
            f"stride_{letter}": _float(field.stride[axis]),
            f"offset_{letter}": _float(field.offset[axis]),
        }
    return record | {
        "kind": field.kind,
        "clipped": any(field.clipped),
        "view": field.view,
        "share": field.share,
        "misaligned": field.misaligned,
        "global_since": field.global_since,
        "parameters": field.cost.parameters,
        "macs": field.cost.macs,
        "activation_bytes": field.cost.activation_bytes,
    }


def _tensor(field: Field) -> TensorDocument:
    return TensorDocument(
        name=field.name,
        op=field.op,
        shape=field.shape,
        size=field.size,
        stride=tuple(_number(value) for value in field.stride),
        offset=tuple(_number(value) for value in field.offset),
        phases=tuple(tuple((_exact(offset), size) for offset, size in phases) for phases in field.phases),
        halo=tuple(None if halo is None else (_exact(halo[0]), _exact(halo[1])) for halo in field.halo),
        kind=field.kind,
        clipped=field.clipped,
        share=field.share,
        at_this_size=any(law.at_size for law in field.law),
        misaligned=field.misaligned,
        global_since=field.global_since,
        reasons=tuple(sorted(field.reasons)),
        parameters=field.cost.parameters,
        macs=field.cost.macs,
        activation_bytes=field.cost.activation_bytes,
    )


def _exact(value: int | Fraction) -> Number:
    return value if isinstance(value, int) else str(value)


def _number(value: int | Fraction | None) -> Number | None:
    return None if value is None else _exact(value)


def _float(value: int | Fraction | None) -> float | None:
    return None if value is None else float(value)
