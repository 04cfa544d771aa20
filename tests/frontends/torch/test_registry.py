"""The registry of lowerings and the reason codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import eyeshot
from eyeshot.frontends.torch.context import LOWERINGS
from eyeshot.frontends.torch.lower import load_lowerings
from eyeshot.graph.reasons import REASONS

load_lowerings()


def _exists(name: str) -> bool:
    """Whether an overload exists, or its in-place form: the capture names that by dropping the underscore."""
    namespace, op, overload = name.split(".")
    packets = [getattr(getattr(torch.ops, namespace), form, None) for form in (op, f"{op}_")]
    return any(packet is not None and overload in packet.overloads() for packet in packets)


@pytest.mark.parametrize("name", sorted(name for name in LOWERINGS if name.startswith("aten.")))
def test_every_lowering_is_of_an_op_that_exists(name):
    assert _exists(name)


def test_every_lowering_says_what_an_element_reads():
    assert [name for name, function in LOWERINGS.items() if not function.__doc__] == []


def test_reason_codes_are_listed_and_used():
    source = "".join(
        path.read_text() for path in Path(eyeshot.__file__).parent.rglob("*.py") if path.stem != "reasons"
    )
    unused = [code for code in REASONS if f'"{code}"' not in source]
    assert unused == []
    given = set(re.findall(r'reason="([a-z-]+)"', source))
    assert given <= set(REASONS)
