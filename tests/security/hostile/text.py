"""Networks as text and YAML that are small to write and large to read."""

import codecs

from tests.security.case import ANSWERED, REFUSED, Hostile

SPEC = frozenset({11, 12})
"""Exit codes of `UnsafeFileError` and `SpecError`; the text on a command line is no file, but may be a stranger's too."""
YAML = REFUSED | {12}
EITHER = YAML | ANSWERED | {4}


def _yaml(text: str | bytes, codes: frozenset[int] = YAML) -> Hostile:
    return Hostile(".yaml", text if isinstance(text, bytes) else text.encode(), codes)


def _spec(text: str, codes: frozenset[int] = SPEC) -> Hostile:
    """A line of text, handed over as one line of YAML."""
    return Hostile(".yaml", f"layers: '{text}'\n".encode(), codes | {10})


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [conv3, conv3]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join([*lines, f"layers: *a{levels - 1}", ""])


CASES = {
    "YAML: a billion laughs": _yaml(_laughs(10)),
    "YAML: one alias": _yaml("layers: [&a conv3, *a]\n"),
    "YAML: an alias of itself": _yaml("layers: &a [*a]\n"),
    "YAML: an alias of nothing": _yaml("layers: [*nobody]\n"),
    "YAML: merge keys": _yaml("a: &a {layers: conv3}\n<<: *a\n"),
    "YAML: a merge of a merge": _yaml("<<: {<<: {<<: {layers: conv3}}}\n"),
    "YAML: a tag that runs": _yaml("layers: !!python/object/apply:os.system ['echo eyeshot-was-here']\n"),
    "YAML: a tag that runs, new": _yaml("!!python/object/new:os.system ['echo eyeshot-was-here']\n"),
    "YAML: a tag that names": _yaml("layers: !!python/name:os.system ''\n"),
    "YAML: a tag that imports": _yaml("layers: !!python/module:eyeshot_canary ''\n"),
    "YAML: a tag in full": _yaml(
        "!<tag:yaml.org,2002:python/object/apply:os.system> ['echo eyeshot-was-here']\n"
    ),
    "YAML: a tag of its own": _yaml(
        "%TAG ! tag:yaml.org,2002:python/\n---\nlayers: !object/apply:os.system [id]\n"
    ),
    "YAML: binary": _yaml("layers: !!binary gASVJQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOU\n"),
    "YAML: lists, 100,000 deep": _yaml("[" * 100_000),
    "YAML: mappings, 100,000 deep": _yaml("{a: " * 100_000),
    "YAML: lists in lists, 50,000 deep": _yaml("- " * 50_000 + "conv3\n"),
    "YAML: questions, 50,000 deep": _yaml("? " * 50_000),
    "YAML: a million layers": _yaml("- conv3\n" * 1_000_000),
    "YAML: a text of 30 MB": _yaml("layers: '" + "conv3 > " * 4_000_000 + "conv3'\n"),
    "YAML: 15 MB of blanks": _yaml(" " * (15 << 20), YAML),
    "YAML: 60,000 quotes": _yaml("'" * 60_000),
    "YAML: 60,000 hashes": _yaml("#" * 60_000),
    "YAML: 60,000 colons": _yaml("a" + ": " * 60_000),
    "YAML: 60,000 tabs and bars": _yaml("|\t" * 30_000),
    "YAML: a key of 60,000 letters": _yaml("a" * 60_000 + ": conv3\n"),
    "YAML: 10,000 keys": _yaml("".join(f"a{n}: conv3\n" for n in range(10_000))),
    "YAML: one key twice": _yaml("layers: conv3\nlayers: conv5\n", EITHER),
    "YAML: a key that is a list": _yaml("? [layers]\n: conv3\n"),
    "YAML: a NUL": _yaml(b"layers: conv3\0\n"),
    "YAML: control characters": _yaml("layers: conv3 \x1b[31m\x07\n"),
    "YAML: UTF-16": _yaml("layers: conv3\n".encode("utf-16")),
    "YAML: a byte order mark": _yaml(codecs.BOM_UTF8 + b"layers: conv3\n", EITHER),
    "YAML: Latin-1": _yaml(b"layers: conv3 \xe9\n"),
    "YAML: half a character": _yaml(b"layers: conv3 \xed\xa0\x80\n"),
    "YAML: many documents": _yaml("---\nlayers: conv3\n" * 1000),
    "YAML: a directive of version 99": _yaml("%YAML 99999999999999999999.9\n---\nlayers: conv3\n", EITHER),
    "YAML: nothing": _yaml("\n", YAML),
    "YAML: numbers": _yaml("layers: 0x7fffffffffffffffffffffffffffff\n"),
    "YAML: a time": _yaml("layers: 2026-11-23 04:05:06.789\n"),
    "text: a kernel of 10**300": _spec("conv1" + "0" * 300),
    "text: a kernel of 10**9": _spec("1d: conv1000000001", EITHER),
    "text: a number of 60,000 digits": _spec("conv" + "9" * 60_000),
    "text: a stride of nothing": _spec("conv3s0", EITHER),
    "text: 10**9 times": _spec("1000000000*(conv3)", EITHER),
    "text: 10 ** 10 times, in tens": _spec("10*(" * 10 + "conv3" + ")" * 10, EITHER),
    "text: up by 10**9": _spec("up1000000000", EITHER),
    "text: up by 10, 12 times": _spec("12*(up10)", EITHER),
    "text: 20,000 brackets": _spec("(" * 20_000, SPEC),
    "text: brackets, closed": _spec("(" * 300 + "conv3" + ")" * 300, EITHER),
    "text: 10,000 branches": _spec("[" + " | ".join(["conv3"] * 10_000) + "]", EITHER),
    "text: branches in branches": _spec("[conv3 | " * 60 + "conv1" + "]" * 60, EITHER),
    "text: branches of branches, doubling": _spec("2*(" * 40 + "[conv3 | conv1]" + ")" * 40, EITHER),
    "text: channels of 10**12": _spec("conv3@1000000000000", EITHER),
    "text: groups of 10**12": _spec("conv3g1000000000000", EITHER),
    "text: an input of 10**12": _spec("3x1000000000000x1000000000000: conv3", EITHER),
    "text: a dilation of 10**12": _spec("conv3d1000000000000", EITHER),
    "text: a padding of 10**12": _spec("conv3p1000000000000", EITHER),
    "text: a rank of 10**6": _spec("1000000d: conv3", EITHER),
    "text: 60,000 arrows": _spec(">" * 60_000),
    "text: 300 layers": _spec(" > ".join(["conv3"] * 300), EITHER),
    "text: digits of other scripts": _spec("conv\u0663s\uff12", EITHER),
    "text: names that are code": _spec("__import__=conv3 > os.system=conv3", EITHER),
}
