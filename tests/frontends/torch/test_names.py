"""Names and messages that are safe to print, whoever wrote them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import eyeshot
from eyeshot.errors import EyeshotError, UnsupportedOpError, legible
from tests.test_views import shown

NAMES = ["conv\x1b[2J", "a\r\n\tb", "\x9b31m", "safe\u202etxt", "half\ud800", "nul\0"]


@given(st.text(st.characters(codec=None)), st.integers(10, 80))
def test_what_is_printed_neither_controls_nor_runs_on(text, most):
    told = legible(text, most)
    assert not {unicodedata.category(each) for each in told} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(told) <= 10 * (most + 40)
    told.encode()
    if text.isprintable() and len(text) <= most:
        assert told == text


def test_both_ends_of_what_is_too_long_stay():
    assert legible("a" * 50 + "z" * 50, 30) == f"{'a' * 20} [70 characters left out] {'z' * 10}"


@pytest.mark.parametrize("name", NAMES)
def test_messages(name):
    for error in (EyeshotError(f"the layer {name} is none\nat all"), UnsupportedOpError({name: [name]})):
        lines = str(error).split("\n")
        assert all(line.isprintable() for line in lines)
        assert len(lines) in (2, 3)
    assert len(str(EyeshotError("n" * 1_000_000))) < 10_000
    assert UnsupportedOpError({name: [name]}).ops == {name: [name]}


@pytest.mark.parametrize("name", [*NAMES, "[/bold]", "[red]", ":smile:", "n" * 1000])
def test_a_report_of_names_like_these(name):
    kind = type(name, (nn.Conv2d,), {}) if "\ud800" not in name and "\0" not in name else nn.Conv2d
    model = nn.Sequential()
    model.add_module(name, kind(3, 4, 3))
    report = eyeshot.analyze(model, (1, 3, 8, 8))
    told = next(iter(report))
    assert told == legible(name, 500)
    assert report[told].size == (3, 3)
    page = shown(eyeshot.views.text.Summary(report), width=2000)
    assert told in page
    assert all(line.isprintable() for line in page.splitlines())
