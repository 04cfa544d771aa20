"""The language: what is read, what is printed, and what is refused, where and how fast."""

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eyeshot
from eyeshot.frontends.spec.tree import Join, Op, Skip, Step
from eyeshot.frontends.spec.words import words
from tests.frontends.spec import pages
from tests.frontends.spec.drawn import written


@settings(max_examples=150)
@given(st.randoms(use_true_random=False))
def test_text_round_trips(rng):
    spec = written(rng)
    assert eyeshot.parse(str(spec)) == spec
    assert str(eyeshot.parse(str(spec))) == str(spec)


@pytest.mark.parametrize("text", pages.EXAMPLES)
def test_examples_round_trip(text):
    spec = eyeshot.parse(text)
    assert eyeshot.parse(str(spec)) == spec


def test_the_tree():
    spec = eyeshot.parse("""
        stem=conv7s2p3:64   # a comment
        > 3*(conv3x1) > {id + @stem > pad1,0x2-reflect}""")
    assert spec.rank == 2
    assert spec.chain == (
        Step(Op("conv", (7,), stride=(2,), padding=(3,), channels=64), "stem"),
        Step(Op("conv", (3, 1)), times=3),
        Step(
            Join(
                "add",
                ((Step(Op("id")),), (Step(Skip("stem")), Step(Op("pad", ((1, 0), 2), modes=("reflect",))))),
            )
        ),
    )


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("(conv3)", "conv3"),
        ("((conv3 > relu))", "(conv3 > relu)"),
        ("a=(3*(conv3))", "a=3*(conv3)"),
        ("3*conv3", "3*(conv3)"),
        ("conv3d2s2", "conv3s2d2"),
        ("up2-corners-bilinear > fc:3", "up2-linear-corners > linear:3"),
        ("conv3:8-causal", "conv3-causal:8"),
        ("attnh8", "attnh8"),
        ("lstm:8", "1d: lstm:8"),
        ("conv1x7", "2d: conv1x7"),
    ],
)
def test_spellings(text, same):
    assert str(eyeshot.parse(text)) == same


# Text, the first wrong character, and words of the message.
WRONG = [
    ("", 0, "layer is missing"),
    ("conv3 >", 7, "layer is missing"),
    ("conv7s2 > masxpool3 > conv3", 10, "did you mean maxpool"),
    ("Conv3", 0, "did you mean conv"),
    ("conv", 4, "a kernel right behind"),
    ("convs2", 4, "a kernel right behind"),
    ("relu3", 4, "takes no number"),
    ("conv3 conv3", 6, "joined by >"),
    ("conv3 | conv3", 6, "[a | b]"),
    ("conv3 + conv3", 6, "{a + b}"),
    ("conv3)", 5, "closes nothing"),
    ("conv3 > [conv1 | conv3", 8, "never closed"),
    ("[conv1 | conv3}", 14, "closes nothing"),
    ("[conv3]", 0, "one branch alone"),
    ("{conv3 + conv3 * conv3}", 15, "braces of their own"),
    ("conv3q2", 5, "takes no 'q'"),
    ("conv3s2s2", 7, "twice"),
    ("maxpool3g2", 8, "takes no 'g'"),
    ("conv3-causl", 5, "it takes -causal"),
    ("conv3-causal-causal", 12, "twice"),
    ("conv3s", 6, "is missing"),
    ("conv3p-1", 6, "is missing"),
    ("conv3s0", 6, "at least 1"),
    ("conv0", 4, "at least 1"),
    ("conv3:0", 6, "no channels"),
    ("conv3:", 6, "channels is missing"),
    ("conv3g2x2", 6, "one number"),
    ("conv1x7 > conv1x2x3", 14, "2 spatial axes"),
    ("1d: conv1x7", 8, "1 spatial axis"),
    ("conv3x3x3x3", 4, "at most 3 axes"),
    ("conv3x", 6, "missing"),
    ("2d: lstm:4", 4, "exists in 1d"),
    ("4d: conv3", 0, "no header"),
    ("3x0: conv3", 0, "no header"),
    ("a=conv3 > @a", 10, "throw away"),
    ("{id + @b}", 6, "no layer before this one"),
    ("stem=conv3 > {id + @stm}", 19, "did you mean stem"),
    ("a=({id + @a} > conv3)", 9, "no layer before"),
    ("a=conv3 > a=conv3", 10, "taken"),
    ("a=conv3 > {id + b=@a}", 16, "has a name already"),
    ("a=conv3 > {id + 2*(@a > conv3)}", 19, "throw away"),
    ("0*(conv3)", 0, "at least once"),
    ("conv3:1000001", 6, "above 1,000,000"),
    ("999999999*(conv3)", 0, "above 1,000,000"),
    ("9999*(9999*(conv3))", 0, "10,000 layers"),
    ("(" * 10_000, 64, "64 deep"),
    ("conv3\n> conv3\n> cnv3", 16, "line 3, character 3"),
    ("conv3 > \x00", 8, "belongs here"),
    ("conv³", 4, "a kernel"),
]


@pytest.mark.parametrize(("text", "position", "words"), WRONG)
def test_errors_point_at_the_character(text, position, words):
    with pytest.raises(eyeshot.SpecError) as caught:
        eyeshot.parse(text)
    message = str(caught.value)
    assert words in message
    assert caught.value.position == position
    shown, caret = message.splitlines()[-2:]
    assert caret.strip() == "^"
    place = caret.index("^")
    if position < len(text) and text[position].isprintable():
        assert shown[place] == text[position]


@settings(max_examples=300)
@given(st.text("convdwmaxpsgk0123456789x>|+*()[]{}=@:,-# \n", max_size=40))
def test_any_text_is_read_or_refused(text):
    error, spec = None, None
    try:
        spec = eyeshot.parse(text)
    except eyeshot.SpecError as raised:
        error = raised
    if spec is not None:
        assert eyeshot.parse(str(spec)) == spec
    else:
        assert error is not None
        assert 0 <= error.position <= len(text)


HOSTILE = {
    "brackets": "(" * 1_000_000,
    "braces": "{" * 60_000,
    "repetition": "999999999*(conv3)",
    "nested repetition": "1000000*(" * 60 + "conv3" + ")" * 60,
    "long": "conv3 > " * 125_000 + "conv3",
    "digits": "conv" + "9" * 60_000,
    "names": " > ".join(f"a{n}=conv3" for n in range(6_000)) + " > [id | @a]",
    "deep layers": "10000*(conv3 > conv3)",
    "spaces": "conv3 > " + " " * 1_000_000,
    "wide": "conv1000000",
    "huge axis": "1x1000000: conv100",
    "growing": "1d: " + " > ".join(["up1000"] * 9),
    "tables": "1x1000000: 9000*(pad1-reflect > crop1)",
    "long axes": "1x1000000: 9000*(conv3)",
    "attention": "1x100000: attn-causal",
}


def test_hostile_text_is_refused_quickly():
    """In a process of its own, for the memory; its time is without what importing takes."""
    code = (
        "import json, resource, sys, time, eyeshot, eyeshot.pipeline\n"
        "import eyeshot.frontends.spec.lower\n"
        "eyeshot.analyze('spec:conv3 > up2')\n"
        "held = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for name, text in json.load(sys.stdin).items():\n"
        "    before, began = held(), time.process_time()\n"
        "    try:\n        eyeshot.analyze('spec:' + text)\n"
        "    except (eyeshot.SpecError, eyeshot.UnsafeFileError):\n"
        "        print(name, time.process_time() - began, held() - before, sep=',')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(HOSTILE),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    refused = [line.split(",") for line in done.stdout.splitlines()]
    assert [name for name, _, _ in refused] == list(HOSTILE)
    assert max(float(seconds) for _, seconds, _ in refused) < 2
    assert sum(int(kilobytes) for _, _, kilobytes in refused) < 300_000


def test_every_word_is_documented():
    (table,) = [part for part in pages.PAGE.read_text().split("\n## ") if part.startswith("Ops\n")]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    documented = {word.strip("` ") for row in rows for word in row.split("` `")}
    assert documented == set(words())


def test_the_page_quotes_the_true_message():
    text = pages.PAGE.read_text()
    with pytest.raises(eyeshot.SpecError) as caught:
        eyeshot.parse("conv7s2 > masxpool3 > conv3")
    assert f"eyeshot: {caught.value}\n" in text
