"""Networks in YAML: structure instead of brackets. A document is rewritten as text of the language, and read as that.

Only PyYAML's event parser is used, which constructs nothing; scalars stay the characters that they are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import yaml  # type: ignore[import-untyped]

from eyeshot.errors import FileFormatError, SpecError, UnsafeFileError
from eyeshot.frontends.files import Limits, read_text
from eyeshot.frontends.spec.parsing import DEEPEST, LONGEST, MOST, NAME, parse
from eyeshot.frontends.spec.printing import BRACKETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from eyeshot.frontends.spec.tree import Spec

LIMITS = Limits(text=LONGEST, items=MOST, depth=DEEPEST)

HEADER = {"name", "input", "rank", "layers"}
REMEDY = "a document is a list of layers, or a mapping with layers: (docs/spec.md, 'YAML')"


def read_file(path: str | PathLike[str]) -> Spec:
    """The network of a YAML file, named after it unless it says its name.

    Raises
    ------
    ModelReferenceError, FileFormatError, UnsafeFileError
        where there is no such file, it is no YAML, or asks for what is never done (aliases, tags, depth, length).
    SpecError
        where it holds no network.
    """
    spec = read_yaml(read_text(path, LIMITS), str(path))
    return spec if spec.name else replace(spec, name=Path(path).stem)


def read_yaml(text: str, name: str = "the document") -> Spec:
    """The network of a YAML document; raises as `read_file`."""
    document = _Reader(text, name).document()
    given = document if isinstance(document, dict) and "layers" in document else {"layers": document}
    if unknown := sorted(given.keys() - HEADER):
        raise SpecError(
            f"{name} has {unknown[0]!r} beside its layers: the keys are {', '.join(sorted(HEADER))}"
        )
    header = given.get("input", "")
    header = "x".join(map(str, header)) if isinstance(header, list) else header
    if "rank" in given:
        header = header or f"{given['rank']}d"
    title = given.get("name", "")
    if not isinstance(header, str) or not isinstance(title, str):
        raise SpecError(f"{name}: name and rank are plain values, input is a list of channels and extents")
    line = (f"{header}:\n" if header else "") + _chain(given["layers"], name)
    try:
        return replace(parse(line), name=title)
    except SpecError as error:
        hint = " (in YAML, quotes go around text with brackets, @ or #)" if set(line) & set("|{}[]@") else ""
        raise SpecError(f"{name}, read as text{hint}: {error}", error.position) from error


def _chain(item: Any, name: str) -> str:
    """An item as text: lists are chains."""
    match item:
        case str() if item.strip():
            return item
        case list() if item:
            return "\n> ".join(_chain(part, name) for part in item)
        case {"repeat": str() as times, "layers": layers, **rest} if not rest:
            return f"{times}*(\n{_chain(layers, name)}\n)"
        case dict() if len(item) == 1:
            ((key, inner),) = item.items()
            if key in BRACKETS:
                if not isinstance(inner, list) or len(inner) < 2:
                    raise SpecError(f"{name}: {key} joins a list of two branches or more")
                before, sign, after = BRACKETS[key]
                return before + f"\n{sign}".join(_chain(part, name) for part in inner) + f"\n{after}"
            if NAME.fullmatch(key):
                return f"{key}=(\n{_chain(inner, name)}\n)"
    shown = repr(item)
    raise SpecError(f"{name}: {shown if len(shown) < 80 else shown[:80] + '…'} is no layer: {REMEDY}")


class _Reader:
    """Events as lists, dictionaries and strings, within limits."""

    def __init__(self, text: str, name: str) -> None:
        self._name = name
        self._items = 0
        self._events = self._parsed(text)

    def _refuse(self, what: str, event: Any) -> NoReturn:
        raise UnsafeFileError(f"{self._name}, line {event.start_mark.line + 1}: {what}")

    def _parsed(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except (yaml.YAMLError, RecursionError) as error:
            raise FileFormatError(f"{self._name} is no YAML: {error}") from error

    def document(self) -> Any:
        """The one document."""
        for event in self._events:
            if isinstance(event, yaml.events.DocumentStartEvent):
                found = self._item(next(self._events), 0)
                next(self._events)
                if isinstance(next(self._events), yaml.events.DocumentStartEvent):
                    raise FileFormatError(f"{self._name} holds several documents; one network is one")
                return found
        raise FileFormatError(f"{self._name} holds no document")

    def _item(self, event: Any, depth: int) -> Any:
        self._items += 1
        if self._items > LIMITS.items:
            self._refuse(f"more than {LIMITS.items:,} values", event)
        if depth > LIMITS.depth:
            self._refuse(f"more than {LIMITS.depth} levels deep", event)
        if isinstance(event, yaml.events.AliasEvent) or event.anchor is not None:
            self._refuse("anchors and aliases are not read: write the layers out, or repeat them", event)
        if event.tag is not None:
            self._refuse(
                f"the tag {event.tag!r} is not read: layers are plain text, lists and mappings", event
            )
        if isinstance(event, yaml.events.ScalarEvent):
            return event.value
        if isinstance(event, yaml.events.SequenceStartEvent):
            return [self._item(inner, depth + 1) for inner in self._until(yaml.events.SequenceEndEvent)]
        found: dict[Any, Any] = {}
        for inner in self._until(yaml.events.MappingEndEvent):
            key = self._item(inner, depth + 1)
            if not isinstance(key, str) or key in found:
                self._refuse("a key is text, and stands there once", inner)
            found[key] = self._item(next(self._events), depth + 1)
        return found

    def _until(self, end: type) -> Iterator[Any]:
        """Events up to the one that ends this level."""
        for event in self._events:
            if isinstance(event, end):
                return
            yield event
