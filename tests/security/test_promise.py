"""What docs/security.md says is so."""

import re
from dataclasses import asdict

from eyeshot.errors import FileFormatError, SpecError, UnsafeFileError
from eyeshot.frontends.files import LIMITS
from tests.security.case import REFUSED
from tests.security.hostile import CORPUS
from tests.security.judge import MEGABYTES, ROOT, SECONDS
from tools.fuzz.engine import DEADLINE, ROOM
from tools.fuzz.targets import TARGETS

PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_limits():
    rows = dict(re.findall(r"^\| (\w+) \| ([\d,]+(?: MiB)?) \|", PAGE, re.MULTILINE))
    stated = {
        name: int(text.replace(",", "").removesuffix(" MiB")) * (1 << 20 if text.endswith("MiB") else 1)
        for name, text in rows.items()
    }
    assert stated == asdict(LIMITS)


def test_figures():
    assert f"within {SECONDS:g} s of processor time and {MEGABYTES:g} MiB" in PAGE
    assert f"within {DEADLINE:g} s and {ROOM >> 30} GiB each" in PAGE
    assert len(TARGETS) == 9
    assert "nine readers" in PAGE
    assert abs(len(CORPUS) - 600) < 50
    assert {FileFormatError.exit_code, UnsafeFileError.exit_code} == REFUSED
    assert SpecError.exit_code == 12


def test_every_family_of_the_corpus_has_a_row():
    table = PAGE.partition("## Hostile files")[2].partition("##")[0].lower()
    families = {name.partition(":")[0] for name in CORPUS}
    rows = {
        "exported": "`.pt2`",
        "onnx": "onnx, bombs",
        "graphs": "onnx, bombs",
        "protobufs": "protocol buffers",
        "text": "yaml, text",
    }
    for family in families:
        assert f"| {rows.get(family, family)}" in table
