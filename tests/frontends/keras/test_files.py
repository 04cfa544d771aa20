"""Files: read without Keras, refused with a reason, and never run."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest

import eyeshot
from eyeshot.errors import FileFormatError, ModelReferenceError, UnsafeFileError, UnsupportedOpError
from tests.frontends.keras.backend import keras

L = keras.layers

CONFIG = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "small",
        "layers": [
            {"module": "keras.layers", "class_name": "InputLayer", "registered_name": None,
             "config": {"batch_shape": [None, 16, 16, 3], "dtype": "float32", "name": "image"}},
            {"module": "keras.layers", "class_name": "Conv2D", "registered_name": None,
             "config": {"name": "c", "filters": 4, "kernel_size": [3, 3], "padding": "same"}},
        ],
    },
    "registered_name": None,
}  # fmt: skip


def _written(path, config, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", config if isinstance(config, bytes) else json.dumps(config))
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return path


def _with_layer(**layer):
    data = json.loads(json.dumps(CONFIG))
    data["config"]["layers"].append(layer)
    return data


def test_a_file_needs_no_keras(tmp_path):
    path = _written(tmp_path / "small.keras", CONFIG, metadata_json='{"keras_version": "3.9.0"}')
    code = (
        "import sys, eyeshot; report = eyeshot.analyze(sys.argv[1]); print(report['c'].size, report.provenance['keras']); "
        "assert not {'keras', 'torch', 'jax', 'h5py'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
    assert done.stdout == "(3, 3) 3.9.0\n", done.stderr


def test_a_path_is_as_good_as_a_string(tmp_path):
    path = _written(tmp_path / "small.keras", CONFIG)
    assert eyeshot.analyze(path)["c"].size == eyeshot.analyze(str(path))["c"].size == (3, 3)


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": None,
         "config": {"name": "l", "function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}}},
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": None,
         "config": {"name": "l", "function": {"module": "os", "class_name": "function", "config": "system"}}},
        {"module": "keras.layers", "class_name": "Dense", "registered_name": None,
         "config": {"name": "l", "units": 3, "activation": {"class_name": "__lambda__", "config": {"value": "4wEA"}}}},
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "registered_name": None,
         "config": {"name": "l", "module": {"class_name": "__bytes__", "config": {"value": "gASV"}}}},
        {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None,
         "config": {"name": "l", "filepath": "/etc"}},
        {"module": "keras.layers", "class_name": "TimeDistributed", "registered_name": None,
         "config": {"name": "t", "layer": {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l"}}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("unknown", ["error", "dense"])
def test_what_holds_code_is_refused(layer, unknown, tmp_path):
    path = _written(tmp_path / "code.keras", _with_layer(**layer))
    with pytest.raises(UnsafeFileError, match="Nothing of a file is run here"):
        eyeshot.analyze(path, on_unknown=unknown)


def test_classes_of_other_modules_are_names_and_nothing_more(tmp_path):
    layer = {
        "module": "os",
        "class_name": "system",
        "registered_name": "system",
        "config": {"name": "l", "command": "id"},
    }
    path = _written(tmp_path / "other.keras", _with_layer(**layer))
    with pytest.raises(UnsupportedOpError, match=r"os\.system"):
        eyeshot.analyze(path)


@pytest.mark.parametrize(
    ("config", "error", "said"),
    [
        (b"{", FileFormatError, "no JSON"),
        (b"[]", FileFormatError, "layer belongs"),
        (b"[" * 4000 + b"]" * 4000, UnsafeFileError, "levels deep"),
        ({"class_name": "Mine", "module": "mine", "config": {"width": 3}}, FileFormatError, "Python code"),
        ({"class_name": "Functional", "module": "keras.src.models.functional", "config": {"name": "f"}}, FileFormatError,
         "without a list of layers"),
        (b" " * (17 << 20), UnsafeFileError, "refused"),
    ],
)  # fmt: skip
def test_what_is_no_model_is_refused_quickly(config, error, said, tmp_path):
    path = _written(tmp_path / "odd.keras", config)
    began = time.monotonic()
    with pytest.raises(error, match=said):
        eyeshot.analyze(path)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("UpSampling2D", {"size": [1 << 22, 1]}, "more than"),
        ("ZeroPadding2D", {"padding": [1 << 40, 0]}, "more than"),
        ("ZeroPadding2D", {"padding": [1 << 24, 0]}, "more than"),
        ("Resizing", {"height": 1 << 30, "width": 2}, "more than"),
        ("Resizing", {"height": 1 << 23, "width": 2}, "more than|refused"),
        ("Conv2D", {"filters": 2, "kernel_size": 1 << 23, "padding": "same"}, "more than"),
        ("Conv2DTranspose", {"filters": 2, "kernel_size": 2, "strides": 1 << 23}, "more than"),
        ("Reshape", {"target_shape": [0, 3]}, "reshapes"),
        ("Reshape", {"target_shape": "x"}, "cannot be called"),
        ("Permute", {"dims": [1, 1, 1]}, "in some order"),
        ("Cropping2D", {"cropping": 9}, "crops"),
        ("EinsumDense", {"equation": "a" * 99, "output_shape": 3}, "equation"),
        ("EinsumDense", {"equation": "abcd,de->abce", "output_shape": [None, None, -1]}, "output_shape"),
        ("TimeDistributed", {"layer": 3}, "layer belongs"),
        ("Bidirectional", {"layer": None}, "cannot be called"),
        ("RNN", {"cell": {"class_name": "Dense", "config": {"units": 3}}}, "cannot be called"),
        ("RepeatVector", {"n": 1 << 23}, "is not read"),
        ("MultiHeadAttention", {"num_heads": 2, "key_dim": 2}, "cannot be called"),
    ],
)
def test_configurations_that_ask_for_much_are_refused_quickly(kind, options, said, tmp_path):
    path = _written(
        tmp_path / "bomb.keras",
        _with_layer(module="keras.layers", class_name=kind, config={"name": "b", **options}),
    )
    began = time.monotonic()
    with pytest.raises(eyeshot.errors.EyeshotError, match=said):
        eyeshot.analyze(path)
    assert time.monotonic() - began < 2


def test_an_archive_without_a_configuration(tmp_path):
    path = tmp_path / "empty.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", "")
    with pytest.raises(FileFormatError, match=r"no config\.json"):
        eyeshot.analyze(path)


def test_what_is_no_archive(tmp_path):
    path = tmp_path / "text.keras"
    path.write_text("hello")
    with pytest.raises(FileFormatError, match="no zip archive"):
        eyeshot.analyze(path)
    with pytest.raises(ModelReferenceError, match="cannot open"):
        eyeshot.analyze(tmp_path / "absent.keras")


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning", "ignore:You are saving")
def test_hdf5_files_need_trust(tmp_path):
    x = keras.Input((None, 4))
    inner = keras.Model(x, L.Conv1D(4, 3, name="c")(x), name="inner")
    y = keras.Input((20, 4))
    model = keras.Model(y, inner(inner(y)))
    path = tmp_path / "old.h5"
    model.save(path)
    with pytest.raises(UnsafeFileError, match="trust=True"):
        eyeshot.analyze(path)
    report = eyeshot.analyze(path, trust=True)
    assert report["inner.c:1"].size == eyeshot.analyze(model)["inner.c:1"].size == (5,)


def test_hdf5_files_that_hold_no_model(tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(FileFormatError, match="holds no Keras model"):
        eyeshot.analyze(path, trust=True)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_saved_model_is_the_live_one(tmp_path):
    x = keras.Input((12, 4), name="tokens")
    y = L.MultiHeadAttention(2, 4, name="mha")(x, x, use_causal_mask=True)
    y = keras.ops.concatenate([y, L.Bidirectional(L.LSTM(2, return_sequences=True), name="b")(x)], -1)
    y = L.TimeDistributed(L.Dense(3), name="t")(y[:, ::2])
    model = keras.Model(x, {"all": y, "scaled": y * np.ones((6, 1), "float32")})
    path = tmp_path / "model.keras"
    model.save(path)
    live, saved = eyeshot.analyze(model), eyeshot.analyze(path)
    assert list(live) == list(saved)
    for name in live:
        mine, other = live[name], saved[name]
        assert (mine.shape, mine.size, mine.cost, mine.kind) == (
            other.shape,
            other.size,
            other.cost,
            other.kind,
        )
        assert all((a == b).all() for a, b in zip(mine.boxes()[0], other.boxes()[0], strict=True))


def test_nothing_but_two_members_is_read(tmp_path, monkeypatch):
    path = _written(
        tmp_path / "small.keras",
        CONFIG,
        metadata_json="{}",
        model_weights_h5=io.BytesIO(b"x" * 99).getvalue(),
    )
    seen = []
    read = zipfile.ZipFile.open
    monkeypatch.setattr(
        zipfile.ZipFile,
        "open",
        lambda self, name, *args: seen.append(name.filename) or read(self, name, *args),
    )
    eyeshot.analyze(path)
    assert seen == ["config.json", "metadata.json"]
