"""YAML: the same networks, and nothing but networks."""

import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eyeshot
from eyeshot.frontends.spec.documents import read_yaml
from tests.frontends.spec import pages


def test_the_page():
    (document,) = pages.blocks("yaml")
    spec = read_yaml(document)
    assert spec.name == "small-resnet"
    assert spec == eyeshot.parse(
        "3x64x64: stem=(conv7s2p3:64 > bn > relu) > maxpool3s2p1 "
        "> stage=3*({id + conv3 > bn > relu > conv3 > bn} > relu) > [conv1:32 | @stem > maxpool3s2p1]"
    )


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("conv3 > conv3", "conv3 > conv3"),
        ("- conv3\n- conv3 # why\n- relu", "conv3 > conv3 > relu"),
        ("rank: 1\nlayers: conv3", "1d: conv3"),
        ("input: 3x8x8\nlayers: [conv3]", "3x8x8: conv3"),
        ("layers: |\n  conv3  # a comment\n  > conv5", "conv3 > conv5"),
        ("- repeat: 2\n  layers: [conv3, relu]", "2*(conv3 > relu)"),
        ("- mul: [id, [gap, sigmoid]]", "{id * gap > sigmoid}"),
        ("- a:\n    concat: [id, [add: [id, conv3]]]", "a=[id | {id + conv3}]"),
    ],
)
def test_structure_is_brackets(document, text):
    assert read_yaml(document) == eyeshot.parse(text)


@pytest.mark.parametrize(
    ("document", "kind", "words"),
    [
        ("a: &x [conv3]\nb: *x", eyeshot.UnsafeFileError, "anchors"),
        ("a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]", eyeshot.UnsafeFileError, "anchors"),
        ("- !!python/object/apply:os.system [touch /tmp/x]", eyeshot.UnsafeFileError, "tag"),
        ("- !include secret", eyeshot.UnsafeFileError, "tag"),
        ("[" * 5000, eyeshot.UnsafeFileError, "levels deep"),
        ("{a: " * 5000, eyeshot.UnsafeFileError, "levels deep"),
        ("- conv3\n" * 7_000 + "- " * 4_000, eyeshot.UnsafeFileError, "values|deep"),
        ("[" + "a," * 12_000 + "]", eyeshot.UnsafeFileError, "values"),
        ("a: 1\na: 2", eyeshot.UnsafeFileError, "once"),
        ("? [a]\n: b", eyeshot.UnsafeFileError, "key"),
        ("a: b: c", eyeshot.FileFormatError, "no YAML"),
        ("\x00", eyeshot.FileFormatError, "no YAML"),
        ("conv3\n---\nconv3", eyeshot.FileFormatError, "several"),
        ("# nothing", eyeshot.FileFormatError, "no document"),
        ("layers: conv3\nlearning_rate: 3", eyeshot.SpecError, "learning_rate"),
        ("layers: []", eyeshot.SpecError, "no layer"),
        ("- {id + conv3}", eyeshot.SpecError, "no layer"),
        ("- [conv1 | conv3]", eyeshot.SpecError, "quotes"),
        ("- add: [conv3]", eyeshot.SpecError, "two branches"),
        ("- add: conv3", eyeshot.SpecError, "two branches"),
        ("- repeat: many\n  layers: conv3", eyeshot.SpecError, "many"),
        ("- conv3x", eyeshot.SpecError, "missing"),
        ("- bad name: conv3", eyeshot.SpecError, "no layer"),
        ("name: [a]\nlayers: conv3", eyeshot.SpecError, "plain"),
        ("rank: [2]\nlayers: conv3", eyeshot.SpecError, "header|layer"),
    ],
)
def test_what_is_no_network_is_refused(document, kind, words):
    with pytest.raises(kind, match=words):
        read_yaml(document)


@given(st.text("-:[]{}&*!|>'\"#?, \nab1conv3", max_size=60))
def test_any_document_is_read_or_refused(document):
    spec = None
    with suppress(eyeshot.SpecError, eyeshot.FileFormatError, eyeshot.UnsafeFileError):
        spec = read_yaml(document)
    assert spec is None or eyeshot.parse(str(spec)) == spec


def test_files(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text("- conv3s2\n- conv3\n")
    for given_path in (path, str(path)):
        report = eyeshot.analyze(given_path, input_size=(1, 3, 64, 64))
        assert report.model == "tiny"
        assert report["conv_1"].size == (7, 7)
    long = tmp_path / "long.yml"
    long.write_text("- conv3\n" * 20_000)
    with pytest.raises(eyeshot.UnsafeFileError):
        eyeshot.analyze(long)
    with pytest.raises(eyeshot.ModelReferenceError):
        eyeshot.analyze(str(tmp_path / "absent.yaml"))
    with pytest.raises(eyeshot.FileFormatError):
        eyeshot.analyze(os.fspath(tmp_path) + "/../" + tmp_path.name + "/" + _pipe(tmp_path))


def _pipe(folder):
    os.mkfifo(folder / "pipe.yaml")
    return "pipe.yaml"
