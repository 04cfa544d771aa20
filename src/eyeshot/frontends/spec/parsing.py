"""From text to a `Spec`: a descent over the characters, with limits on everything that can grow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn

from eyeshot.frontends.spec.faults import fault, meant
from eyeshot.frontends.spec.tree import LETTERS, Join, Op, Skip, Spec, Step
from eyeshot.frontends.spec.words import ALIASES, Word, words

if TYPE_CHECKING:
    from eyeshot.frontends.spec.tree import Chain, Extent, JoinKind, Sizes

LONGEST = 65_536
"""Characters of a text."""

DEEPEST = 64
"""Brackets inside each other."""

MOST = 10_000
"""Layers, repetitions written out."""

LARGEST = 1_000_000
"""Any one number."""

SPACE = re.compile(r"(?:\s|#[^\n]*)*")
HEADER = re.compile(r"(?:(?P<rank>\d+)d|(?P<input>\d+(?:x\d+)+))\s*:")
NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
NAMING = re.compile(r"([A-Za-z_]\w*)\s*=", re.ASCII)
COUNT = re.compile(r"(\d+)\s*\*")
NUMBER = re.compile(r"\d+")
KIND = re.compile(r"[A-Za-z]+")

OPENING = {"(": ")", "[": "]", "{": "}"}
SIGNS = {"|": "concat", "+": "add", "*": "mul"}
MEANINGS = {letter: name.replace("_", " ") for letter, name in LETTERS.items()}


def parse(text: str) -> Spec:
    """Read a network from one line of text (or several): ``conv7s2 > maxpool3s2 > 3*(conv3) > [conv1 | conv3d2]``.

    The language is described in docs/spec.md. ``str`` of the result gives text that is read as an equal spec.

    Raises
    ------
    SpecError
        where the text is no network; the message points at the character.

    Examples
    --------
    >>> spec = eyeshot.parse("stem=conv7s2p3:64 > maxpool3s2p1 > 3*({id + conv3 > conv3})")
    >>> eyeshot.analyze(spec)["add_2"].size
    (59, 59)
    """
    return Parser(text).spec()


class Parser:
    """The text, where reading stands in it, and what has been seen so far.

    ``names`` are the layers that may be referred to: those of ``known`` and those read before.
    """

    def __init__(self, text: str, known: dict[str, int] | None = None, rank: int | None = None) -> None:
        self.text = text
        self.names = known if known is not None else {}
        self.at = 0
        self._depth = 0
        self.rank = rank
        if len(text) > LONGEST:
            self.refuse(f"{len(text):,} characters are more than the {LONGEST:,} that are read", LONGEST)

    def refuse(self, problem: str, at: int | None = None) -> NoReturn:
        """Raise for the character at hand, or another."""
        raise fault(self.text, self.at if at is None else at, problem)

    def spec(self) -> Spec:
        """The whole text."""
        rank, shape = self._header()
        chain, _ = self.chain(fresh=False)
        if self.peek():
            self._stray()
        return Spec(chain, rank or (len(shape) - 1 if shape else None) or self.rank, shape, source=self.text)

    def _header(self) -> tuple[int | None, tuple[int, ...] | None]:
        self.peek()
        found = HEADER.match(self.text, self.at)
        if not found:
            return None, None
        begin = self.at
        if found["rank"]:
            rank, shape = self._limited(found["rank"], begin), None
        else:
            shape = tuple(self._limited(part, begin) for part in found["input"].split("x"))
            rank = len(shape) - 1
        if rank not in {1, 2, 3} or (shape and 0 in shape):
            self.refuse(
                f"{found[0]!r} is no header: write 1d:, 2d: or 3d:, or the input's channels and extents, 3x224x224:"
            )
        self.rank = rank
        self.at = found.end()
        return (None if shape else rank), shape

    # Characters

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        found = SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
        return self.text[self.at : self.at + 1]

    def _limited(self, digits: str, at: int) -> int:
        if len(digits) > len(str(LARGEST)) or int(digits) > LARGEST:
            self.refuse(f"a number above {LARGEST:,}", at)
        return int(digits)

    def _number(self, what: str) -> int:
        found = NUMBER.match(self.text, self.at)
        if not found:
            self.refuse(f"{what} is missing here: it is a whole number that is not negative")
        begin, self.at = self.at, found.end()
        return self._limited(found[0], begin)

    def _stray(self) -> NoReturn:
        found = self.text[self.at]
        if found in "|+*":
            shown = "[a | b]" if found == "|" else f"{{a {found} b}}"
            self.refuse(f"{found!r} joins branches inside brackets alone: write {shown}")
        if found in ")]}":
            self.refuse(f"{found!r} closes nothing that is open")
        self.refuse(f"{found!r} cannot follow a layer: layers are joined by >, as in conv3 > conv3")

    # Steps

    def chain(self, *, fresh: bool) -> tuple[Chain, int]:
        """Steps up to what is no >, and how many layers they are; an earlier layer may begin them where ``fresh``."""
        steps: list[Step] = []
        layers = 0
        while True:
            step, count = self._step(fresh=fresh and not steps)
            layers += count
            if layers > MOST:
                self.refuse(f"more than {MOST:,} layers, repetitions written out", step.at)
            steps.append(step)
            if self.peek() != ">":
                return tuple(steps), layers
            self.at += 1

    def _step(self, *, fresh: bool) -> tuple[Step, int]:
        self.peek()
        begin, name = self.at, ""
        naming = NAMING.match(self.text, self.at)
        if naming:
            name, self.at = naming[1], naming.end()
            if name in self.names:
                self.refuse(f"the name {name!r} is taken by an earlier layer", begin)
        self.peek()
        counting = COUNT.match(self.text, self.at)
        times = 1
        if counting:
            times = self._limited(counting[1], self.at)
            if times == 0:
                self.refuse("a layer is repeated at least once")
            self.at = counting.end()
        self.peek()
        at: int | None = self.at
        body, count = self._body(fresh=fresh and times == 1)
        if name and isinstance(body, Skip):
            self.refuse(f"@{body.name} has a name already", begin)
        if name:
            self.names[name] = begin
        if times * count > MOST:
            self.refuse(
                f"{times:,} times {count:,} are more than {MOST:,} layers, repetitions written out", begin
            )
        match body:
            case (Step(body=inner, name="", times=more, at=place),) if 1 in {more, times}:
                body, times, at, count = inner, times * more, place, count // more
            case _:
                pass
        return Step(body, name, times, at), times * count

    def _body(self, *, fresh: bool) -> tuple[Op | Skip | Join | Chain, int]:
        found = self.peek()
        if found == "@":
            return self._skip(fresh=fresh), 1
        if found in OPENING and found:
            self._depth += 1
            if self._depth > DEEPEST:
                self.refuse(f"brackets more than {DEEPEST} deep")
            body = self._group(fresh=fresh) if found == "(" else self._join(found)
            self._depth -= 1
            return body
        return self._op(), 1

    def _skip(self, *, fresh: bool) -> Skip:
        at = self.at
        self.at += 1
        found = NAME.match(self.text, self.at)
        if not found:
            self.refuse("@ is followed by the name of an earlier layer, as in {id + @stem}")
        name = found[0]
        if name not in self.names:
            hint = meant(name, self.names, "name one first, as in stem=conv7s2")
            self.refuse(f"no layer before this one is called {name!r}: {hint}", at)
        if not fresh:
            self.refuse(
                f"@{name} would throw away what is computed before it: it begins a branch, "
                f"as in [id | @{name}] or {{id + @{name}}}",
                at,
            )
        self.at = found.end()
        return Skip(name)

    def _group(self, *, fresh: bool) -> tuple[Chain, int]:
        opened = self.at
        self.at += 1
        chain, layers = self.chain(fresh=fresh)
        self._close(")", opened)
        return chain, layers

    def _join(self, bracket: str) -> tuple[Join, int]:
        opened = self.at
        self.at += 1
        signs = "|" if bracket == "[" else "+*"
        kind: str = "concat" if bracket == "[" else "add"
        branches: list[Chain] = []
        layers = 1
        while True:
            chain, count = self.chain(fresh=True)
            branches.append(chain)
            layers += count
            found = self.peek()
            if not found or found not in signs:
                break
            if len(branches) > 1 and SIGNS[found] != kind:
                self.refuse("+ and * in the same braces: put the inner ones into braces of their own")
            kind = SIGNS[found]
            self.at += 1
        self._close(OPENING[bracket], opened)
        if len(branches) == 1:
            shown = "[a | b]" if bracket == "[" else "{a + b} or {a * b}"
            self.refuse(f"one branch alone joins nothing: write {shown}, or parentheses", opened)
        joined: JoinKind = kind  # type: ignore[assignment]
        return Join(joined, tuple(branches)), layers

    def _close(self, bracket: str, opened: int) -> None:
        found = self.peek()
        if found == bracket:
            self.at += 1
        elif not found:
            self.refuse(f"{self.text[opened]!r} is never closed: a {bracket!r} is missing", opened)
        else:
            self._stray()

    # Ops

    def _op(self) -> Op:
        begin = self.at
        kind, word = self._kind()
        size = (
            self._sizes(word, word.size, least=0 if word.pairs else 1)
            if NUMBER.match(self.text, self.at)
            else ()
        )
        if not size and word.size and not word.optional:
            self.refuse(f"{kind} takes {word.size} right behind its name: {kind}{_example(word)}")
        if size and not word.size:
            self.refuse(f"{kind} takes no number", begin + len(kind))
        given: dict[str, Sizes] = {}
        modes: list[str] = []
        channels: int | None = None
        while (found := self.text[self.at : self.at + 1]) and (found.isalnum() or found in "-:_"):
            if found == ":" and word.channels and channels is None:
                self.at += 1
                channels = self._number("the number of channels")
                if channels == 0:
                    self.refuse("no channels", self.at - 1)
            elif found == "-":
                modes.append(self._mode(kind, word, modes))
            elif found in word.letters and LETTERS[found] not in given:
                self.at += 1
                given[LETTERS[found]] = self._letter(found, word, kind)
            else:
                self._not_taken(found, kind, word)
        ordered = tuple(mode for mode in word.modes if mode in modes)
        return Op(kind, size, modes=ordered, channels=channels, **given)

    def _kind(self) -> tuple[str, Word]:
        """The name of an op; its first letter may follow at once, as in ``attnh8``."""
        known = words()
        found = KIND.match(self.text, self.at)
        if not found:
            shown = self.text[self.at : self.at + 1]
            if not shown:
                self.refuse("a layer is missing at the end, such as conv3")
            self.refuse(f"a layer, such as conv3, belongs here, not {shown!r}")
        kind, after = found[0], self.text[found.end() : found.end() + 1]
        if kind not in known and kind not in ALIASES and kind[-1] in LETTERS and after.isdigit():
            kind = kind[:-1]
        end = self.at + len(kind)
        kind = ALIASES.get(kind, kind)
        if kind not in known:
            hint = meant(found[0].lower(), known, f"the ops are {', '.join(known)}")
            self.refuse(f"there is no op {found[0]!r}: {hint}")
        ranks = known[kind].ranks
        self.rank = ranks[0] if self.rank is None and len(ranks) == 1 else self.rank
        if self.rank is not None and self.rank not in ranks:
            exists = " or ".join(f"{rank}d" for rank in ranks)
            self.refuse(f"{kind} exists in {exists}, and this network is {self.rank}d")
        self.at = end
        return kind, known[kind]

    def _mode(self, kind: str, word: Word, before: list[str]) -> str:
        begin = self.at
        self.at += 1
        found = KIND.match(self.text, self.at)
        mode = ALIASES.get(found[0], found[0]) if found else ""
        if mode not in word.modes or mode in before:
            if self.text[self.at : self.at + 1].isdigit():
                self.refuse("numbers are not negative (crop1 takes elements away)", begin)
            takes = (
                "it takes " + ", ".join(f"-{each}" for each in word.modes) if word.modes else "it takes none"
            )
            problem = f"-{mode} stands there twice" if mode in before else f"{kind} has no -{mode}: {takes}"
            self.refuse(problem, begin)
        assert found is not None
        self.at = found.end()
        return mode

    def _not_taken(self, found: str, kind: str, word: Word) -> NoReturn:
        """Raise for a letter or sign that this op does not take, or not twice."""
        takes = [f"{letter} ({MEANINGS[letter]})" for letter in word.letters]
        takes += [":64 (channels)"] if word.channels else []
        takes += [f"-{mode}" for mode in word.modes]
        listed = f"it takes {', '.join(takes)}" if takes else "it takes nothing more"
        twice = found in word.letters or (found == ":" and word.channels)
        self.refuse(f"{found!r} stands there twice" if twice else f"{kind} takes no {found!r} here: {listed}")

    def _letter(self, letter: str, word: Word, kind: str) -> Sizes:
        """The numbers behind a letter."""
        begin, what = self.at, f"the {MEANINGS[letter]} of {kind}"
        sizes = self._sizes(word, what, least=0 if letter in "po" else 1)
        if letter in "gh" and len(sizes) > 1:
            self.refuse(f"{what} is one number", begin)
        return sizes

    def _sizes(self, word: Word, what: str, least: int) -> Sizes:
        """``3``, ``3x1`` or, where a word takes pairs, ``1,0``."""
        begin = self.at
        sizes: list[Extent] = []
        while True:
            first = self.at
            before = self._number(what)
            if before < least:
                self.refuse(f"{what} is at least {least}", first)
            if self.text[self.at : self.at + 1] == "," and word.pairs:
                self.at += 1
                sizes.append((before, self._number(what)))
            else:
                sizes.append(before)
            if self.text[self.at : self.at + 1] != "x":
                break
            self.at += 1
        self._agree(len(sizes), begin)
        return tuple(sizes)

    def _agree(self, count: int, at: int) -> None:
        """Numbers for each axis are as many as the network has axes: the header's, or those of the first such op."""
        if count == 1:
            return
        if self.rank is None and count <= 3:
            self.rank = count
        elif count != self.rank:
            axes = (
                f"{self.rank} spatial ax{'i' if self.rank == 1 else 'e'}s" if self.rank else "at most 3 axes"
            )
            self.refuse(f"{count} numbers, and this network has {axes}", at)


def _example(word: Word) -> str:
    return "3" if "kernel" in word.size else "2"
