"""Makes docs/support_keras.md of the tables: python -m tests.frontends.keras.support_page > docs/support_keras.md."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator

from eyeshot.frontends.keras.context import LOWERINGS
from eyeshot.frontends.keras.lower import load_lowerings
from eyeshot.frontends.keras.refused import REFUSED

HEAD = """# Keras: what is supported

Made of the registry of lowerings and the table of refusals by `python -m tests.frontends.keras.support_page`. Models are
read as at inference (`training=False`), from their configuration alone: weights are never looked at. Paddings and the
places of transposed convolutions are those that all backends of Keras agree on.

Each row says what an output element reads. Where that is more than the layer needs, answers are `sound` and carry a reason.
"""


def page() -> str:
    """The whole page."""
    load_lowerings()
    layers = {name: function for name, function in LOWERINGS.items() if name.startswith("layers.")}
    ops = {name: function for name, function in LOWERINGS.items() if name not in layers}
    parts = [HEAD]
    for title, table, kind in (
        ("Layers", layers, "layers."),
        ("Ops of `keras.ops` between layers", ops, ""),
    ):
        refused = {
            name: reason for name, reason in REFUSED.items() if name.startswith("layers.") == bool(kind)
        }
        parts += [f"## {title} ({len(table)})\n", "| what an output element reads | names |", "| --- | --- |"]
        parts += [f"| {text} | {_names(names, kind)} |" for text, names in _grouped(table)]
        parts += [f"\n### Refused ({len(refused)})\n", "| why | names |", "| --- | --- |"]
        reasons = defaultdict(list)
        for name, reason in refused.items():
            reasons[reason].append(name)
        parts += [f"| {reason} | {_names(names, kind)} |" for reason, names in reasons.items()]
        parts.append("")
    return "\n".join(parts)


def _grouped(table: dict) -> Iterator[tuple[str, list[str]]]:
    found = defaultdict(list)
    for name, function in table.items():
        found[(inspect.getdoc(function) or "").splitlines()[0]].append(name)
    yield from sorted(found.items(), key=lambda item: min(item[1]))


def _names(names: list[str], prefix: str) -> str:
    return ", ".join(f"`{name.removeprefix(prefix)}`" for name in sorted(names))


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201 - that is what it is for
