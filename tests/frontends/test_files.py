"""Safe opening: what is refused, before how much work, and that everything else comes through unchanged."""

import io
import json
import os
import socket
import struct
import time
import tracemalloc
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyeshot.errors import EyeshotError, FileFormatError, ModelReferenceError, UnsafeFileError
from eyeshot.frontends.files import (
    LIMITS,
    Archive,
    Budget,
    Limits,
    mapped,
    opened,
    parse_json,
    read_text,
    suffix_of,
)
from eyeshot.graph import Builder
from eyeshot.relations import All, Prefix, Window

SMALL = Limits(text=4096, items=50, depth=6, members=5, unpacked=3000)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def depth(value):
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


def descriptors():
    return sorted(path.name for path in Path("/proc/self/fd").glob("*"))


def peak(action):
    """Megabytes that an action needs at once."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


class TestJson:
    @given(values, st.booleans())
    def test_what_json_writes_is_read_as_it_was(self, value, ascii_only):
        assert parse_json(json.dumps(value, ensure_ascii=ascii_only).encode(), "net") == value

    def test_half_characters_are_no_utf_8(self):
        with pytest.raises(FileFormatError, match="no JSON"):
            parse_json(b'"\xed\xa0\x80"', "net")

    @given(values)
    def test_the_levels_that_it_counts_are_the_levels_there_are(self, value):
        text = json.dumps(value).encode()
        levels = depth(value)
        assert parse_json(text, "net", Limits(depth=levels)) == value
        if levels:
            with pytest.raises(UnsafeFileError, match=f"nests {levels} levels deep"):
                parse_json(text, "net", Limits(depth=levels - 1))

    @given(st.binary(max_size=60) | st.text('[]{}",:\\u01e ', max_size=60).map(str.encode))
    def test_anything_at_all_is_answered_as_json_answers_it_or_refused(self, data):
        try:
            found = parse_json(data, "net", SMALL)
        except EyeshotError:
            return
        np.testing.assert_equal(found, json.loads(data.decode()))

    @pytest.mark.parametrize(
        "text",
        [
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b"[" * 100_000 + b"]" * 100_000,
            b'["]"' * 101,
            b'["\\"]",' * 101,
        ],
        ids=["lists", "mappings", "closed", "brackets in strings close nothing", "nor behind escaped quotes"],
    )
    def test_nesting_is_refused(self, text):
        with pytest.raises(UnsafeFileError, match=r"levels deep|values"):
            parse_json(text, "net")

    @pytest.mark.parametrize(
        "text",
        [
            b"[" + b"1," * (1 << 20) + b"1]",
            b"[" + b"[]," * (1 << 20) + b"1]",
            b"]" * (16 << 20),
            b"," * (16 << 20),
        ],
        ids=["numbers", "empty lists", "closings alone", "commas alone"],
    )
    def test_too_many_values_are_refused_before_they_are_built(self, text):
        def refused():
            with pytest.raises(UnsafeFileError, match="more than 1,000,000 values"):
                parse_json(text, "net")

        assert peak(refused) < 40

    @pytest.mark.parametrize("part", [b'"', b'\\"', b'"\\', b"\\", b'"[', b'\\\\"'])
    def test_quotes_that_never_close_take_linear_time(self, part):
        text = b'"' + part * (LIMITS.text // len(part) - 1)
        began = time.process_time()
        with pytest.raises(EyeshotError):
            parse_json(text, "net")
        assert time.process_time() - began < 2

    @pytest.mark.parametrize("code", ["utf-16", "utf-16-le", "utf-32", "utf-32-be"])
    def test_only_utf_8_is_read(self, code):
        """In other codes a byte that looks like a quote hides whatever follows from what is counted."""
        with pytest.raises(FileFormatError, match="no JSON"):
            parse_json(('["∀", ' + "[" * 99 + "]" * 100).encode(code), "net", SMALL)

    def test_texts_are_refused_by_their_length(self):
        with pytest.raises(UnsafeFileError, match="4,097 bytes of text; more than 4,096"):
            parse_json(b" " * 4097, "net", SMALL)
        with pytest.raises(FileFormatError):
            parse_json(b" " * 4096, "net", SMALL)

    def test_numbers_of_millions_of_digits(self):
        with pytest.raises(FileFormatError, match="no JSON"):
            parse_json(b"9" * (1 << 20), "net")


class TestOpening:
    def test_what_is_no_regular_file(self, tmp_path):
        os.mkfifo(tmp_path / "pipe.onnx")
        (tmp_path / "folder.onnx").mkdir()
        (tmp_path / "empty.onnx").touch()
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(tmp_path / "socket.onnx"))
        (tmp_path / "loop.onnx").symlink_to("loop.onnx")
        for name, error in {
            "pipe": FileFormatError,
            "folder": EyeshotError,
            "empty": FileFormatError,
            "socket": ModelReferenceError,
            "loop": ModelReferenceError,
            "absent": ModelReferenceError,
            "absent\0": ModelReferenceError,
            "x" * 5000: ModelReferenceError,
        }.items():
            for opening in (opened, lambda path: mapped(path).__enter__(), read_text, Archive):
                with pytest.raises(error):
                    opening(str(tmp_path / f"{name}.onnx"))
        listening.close()

    @pytest.mark.parametrize(
        "path", ["/dev/zero", "/dev/null", "/proc/self/mem", "/proc/self/environ", "/proc/kcore"]
    )
    def test_devices_and_what_the_kernel_makes_up(self, path):
        if not Path(path).exists():
            pytest.skip(f"no {path} here")
        with pytest.raises(EyeshotError), mapped(path):
            pass

    def test_what_cannot_be_mapped(self):
        path = "/sys/kernel/mm/transparent_hugepage/enabled"
        if not Path(path).exists():
            pytest.skip(f"no {path} here")
        with pytest.raises(FileFormatError, match="cannot be mapped"), mapped(path):
            pass

    def test_the_users_own_link_is_followed(self, tmp_path):
        (tmp_path / "model").write_bytes(b"bytes")
        (tmp_path / "link").symlink_to("model")
        with mapped(tmp_path / "link") as data:
            assert bytes(data) == b"bytes"

    def test_nothing_stays_open(self, tmp_path):
        (tmp_path / "text").write_bytes(b"no archive \xff")
        before = descriptors()
        for opening in (read_text, Archive):
            for path in (tmp_path / "text", tmp_path):
                with pytest.raises(FileFormatError):
                    opening(path)
        assert descriptors() == before

    def test_an_error_that_still_holds_a_part_of_the_file_comes_through(self, tmp_path):
        (tmp_path / "model").write_bytes(b"bytes")

        def look(data):
            numbers = np.frombuffer(data[1:], np.uint8)
            raise FileFormatError(f"{numbers} are no network")

        with pytest.raises(FileFormatError, match="no network"), mapped(tmp_path / "model") as data:
            look(data)

    def test_text(self, tmp_path):
        path = tmp_path / "net.yaml"
        path.write_text("conv3 ∪", encoding="utf-8")
        assert read_text(path) == "conv3 ∪"
        with pytest.raises(UnsafeFileError, match="9 bytes"):
            read_text(path, Limits(text=8))
        path.write_text("conv3", encoding="utf-16")
        with pytest.raises(FileFormatError, match="no UTF-8"):
            read_text(path)

    def test_suffixes(self, tmp_path):
        assert [suffix_of(model) for model in ("a/b.ONNX", tmp_path / "net.pt2", "a.b/c", 3, b"a.onnx", None)] == [
            ".onnx", ".pt2", "", "", "", "",
        ]  # fmt: skip


def archive(path, *members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as made:
        for name, data in members:
            made.writestr(name, data)
    return path


class TestArchive:
    @given(st.dictionaries(st.text("abc/.", min_size=1, max_size=8), st.binary(max_size=300), max_size=5))
    def test_members_come_out_as_they_went_in(self, members):
        with TemporaryDirectory() as folder:
            path = archive(f"{folder}/zip", *members.items())
            with Archive(path, SMALL) as opened_:
                assert {name: opened_.read(name) for name in opened_.names} == members

    @pytest.mark.parametrize(
        ("members", "words"),
        [
            ([("a", b"0" * 3001)], "claims 3,001 bytes; more than 3,000"),
            ([("a", b"0" * 2000), ("b", b"0" * 2000)], "claims 2,000 bytes; more than 1,000"),
            ([(str(number), b"") for number in range(6)], "lists 6 members in 282 bytes; more than 5"),
            ([("a", b""), ("a", b"")], "two members of one name"),
        ],
        ids=["a large one", "large together", "many", "twins"],
    )
    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_refusals(self, tmp_path, members, words):
        archive(tmp_path / "zip", *members)

        def read():
            with Archive(tmp_path / "zip", SMALL) as opened_:
                for name in opened_.names:
                    opened_.read(name)

        with pytest.raises(UnsafeFileError, match=words):
            read()

    def test_uncommon_packing(self, tmp_path):
        for compression in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            archive(tmp_path / "zip", ("a", b"0"), compression=compression)
            with Archive(tmp_path / "zip") as opened_, pytest.raises(UnsafeFileError, match="uncommon way"):
                opened_.read("a")

    def test_a_member_that_is_not_there(self, tmp_path):
        archive(tmp_path / "zip", ("a", b"0"))
        with (
            Archive(tmp_path / "zip") as opened_,
            pytest.raises(FileFormatError, match=r"no member '\.\./a'"),
        ):
            opened_.read("../a")

    def test_a_packed_size_that_lies_unpacks_no_more_than_it_claims(self, tmp_path):
        path = archive(tmp_path / "zip", ("a", bytes(64 << 20)))
        data = bytearray(path.read_bytes())
        entry = data.index(b"PK\1\2")
        data[entry + 24 : entry + 28] = struct.pack("<I", 1000)
        path.write_bytes(data)

        def read():
            with Archive(path) as opened_, pytest.raises(FileFormatError, match="damaged"):
                opened_.read("a")

        assert peak(read) < 4

    def test_more_members_than_it_says(self, tmp_path):
        path = archive(tmp_path / "zip", *((str(number), b"") for number in range(1000)))
        data = bytearray(path.read_bytes())
        end = data.rindex(b"PK\5\6")
        data[end + 8 : end + 12] = struct.pack("<HH", 1, 1)
        path.write_bytes(data)
        with pytest.raises(UnsafeFileError, match="has 1,000 members; more than 5"):
            Archive(path, SMALL)

    @given(st.data())
    def test_a_damaged_archive_raises_nothing_else(self, data):
        """Bytes of the tables at the end replaced by anything, and by the numbers that break arithmetic."""
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as zipped:
            with zipped.open("a", "w", force_zip64=True) as member:
                member.write(b"some text" * 9)
            zipped.writestr("é", b"0" * 99)
        damaged = bytearray(made.getvalue())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(damaged) - 1))
            piece = data.draw(
                st.sampled_from([b"\xff" * 8, b"\0" * 4, b"PK\6\6", b"\1\0\x18\0"]) | st.binary(max_size=8)
            )
            damaged[place : place + len(piece)] = piece
        with TemporaryDirectory() as folder:
            path = Path(folder, "zip")
            path.write_bytes(damaged)
            try:
                with Archive(path, SMALL) as opened_:
                    for name in opened_.names:
                        opened_.read(name)
            except (FileFormatError, UnsafeFileError):
                pass


class TestBudget:
    def test_ops_are_counted(self):
        budget = Budget("net", Limits(nodes=3))
        budget.node(2)
        budget.node()
        with pytest.raises(UnsafeFileError, match="net has more than 3 ops"):
            budget.node()

    def test_time_runs_out(self):
        budget = Budget("net", Limits(seconds=0.001))
        time.sleep(0.01)
        with pytest.raises(UnsafeFileError, match=r"within 0\.001 s"):
            budget.node()

    def test_shapes(self):
        budget = Budget("net", Limits(extent=100, extents=120))
        assert budget.shape((1, 100, 0), "x") == (1, 100, 0)
        assert budget.shape((), "x") == ()
        for shape, error in {
            (1, 101): UnsafeFileError,
            (2**63,): UnsafeFileError,
            (-1, 3): FileFormatError,
            (1,) * 65: UnsafeFileError,
        }.items():
            with pytest.raises(error, match="x in net"):
                budget.shape(shape, "x")
        budget.network([(1, 100), (19,)])
        with pytest.raises(UnsafeFileError, match="121 elements together"):
            budget.network([(1, 100), (20,)])

    def test_what_windows_read(self):
        builder = Builder()
        x = builder.input("x", (1, 8))
        for _ in range(3):  # the same map between the same extents is written down once
            builder.along(x, {1: (Window(kernel=3), 6)})
        builder.along(x, {1: (Prefix(), 8)})
        builder.along(x, {1: (All(), 1)})
        nodes = builder.graph.nodes
        Budget("net", Limits(entries=18 + 32)).maps(nodes)
        with pytest.raises(UnsafeFileError, match="the windows of all ops in net have 50 elements"):
            Budget("net", Limits(entries=49)).maps(nodes)

    def test_nodes_are_counted_as_they_are_added(self):
        budget = Budget("net", Limits(extent=100, extents=100))
        for _ in range(3):
            assert budget.grow((1, 9), "x") == (1, 9)  # and 16 for the node
        with pytest.raises(UnsafeFileError, match="have 104 elements together; more than 100"):
            budget.grow((1, 9), "x")
        with pytest.raises(UnsafeFileError, match="an axis of 101"):
            budget.grow((101,), "x")
