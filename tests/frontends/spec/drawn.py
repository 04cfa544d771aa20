"""Random specs: any that can be written, and small ones that fit together."""

from random import Random

from eyeshot.errors import SpecError
from eyeshot.frontends.spec.lower import lower
from eyeshot.frontends.spec.parsing import parse
from eyeshot.frontends.spec.tree import LETTERS, Join, Op, Skip, Spec, Step
from eyeshot.frontends.spec.words import words
from eyeshot.graph import Graph


def written(rng: Random) -> Spec:
    """A spec with any op, number, mode, name and bracket that the language has, whether or not it makes sense."""
    rank = rng.choice([1, 2, 3])
    shape = tuple(rng.randint(1, 9) for _ in range(rank + 1)) if rng.random() < 0.5 else None
    return Spec(_chain(rng, rank, 3, [], fresh=False), rank, shape)


def _chain(
    rng: Random, rank: int, depth: int, names: list[str], *, fresh: bool, least: int = 1
) -> tuple[Step, ...]:
    places = range(rng.randint(least, 3))
    return tuple([_step(rng, rank, depth, names, fresh=fresh and not place) for place in places])


def _step(rng: Random, rank: int, depth: int, names: list[str], *, fresh: bool) -> Step:
    kind = rng.choice(["op", "op", "op", "join", "group", "skip"] if depth else ["op", "skip"])
    if kind == "skip" and fresh and names:
        return Step(Skip(rng.choice(names)))
    times = rng.choice([1, 1, 1, 2, 4 if depth else 12])
    if kind == "join":
        sign = rng.choice(["concat", "add", "mul"])
        count = rng.randint(2, 3)
        body = Join(sign, tuple(_chain(rng, rank, depth - 1, names, fresh=True) for _ in range(count)))
    elif kind == "group":
        body = _chain(rng, rank, depth - 1, names, fresh=False, least=2)
    else:
        body = _op(rng, rank)
    name = ""
    if rng.random() < 0.3:
        name = f"{rng.choice(['a', 'conv', 'x3', '_q', 'Stem'])}{len(names)}"
        names.append(name)
    return Step(body, name, times)


def _op(rng: Random, rank: int) -> Op:
    known = {kind: word for kind, word in words().items() if rank in word.ranks}
    kind = rng.choice(list(known))
    word = known[kind]
    least = 0 if word.pairs else 1
    size = (
        ()
        if not word.size or (word.optional and rng.random() < 0.5)
        else _sizes(rng, rank, least, word.pairs)
    )
    given = {LETTERS[letter]: _sizes(rng, 1 if letter in "gh" else rank, int(letter not in "po"), word.pairs)
             for letter in word.letters if rng.random() < 0.4}  # fmt: skip
    modes = tuple(mode for mode in word.modes if rng.random() < 0.3)
    channels = rng.randint(1, 999) if word.channels and rng.random() < 0.5 else None
    return Op(kind, size, modes=modes, channels=channels, **given)


def _sizes(rng: Random, rank: int, least: int, pairs: bool) -> tuple:
    numbers = [rng.choice([least, 1, 2, 3, 17]) for _ in range(rng.choice([1, rank]))]
    return tuple((n, rng.randint(0, 9)) if pairs and rng.random() < 0.5 else n for n in numbers)


PIECES = {
    0: """
        conv3 conv2 conv1 conv3s2p1 conv5d2 conv4s3 conv3:6 conv3g2:4 dwconv3 dwconv5s2:8 deconv2s2 deconv4s2p1 deconv3s2o1
        maxpool2 maxpool3s1 maxpool3s2p1-ceil avgpool3s2 avgpool2-ceil adaptive3 up2 up3-linear up2-linear-corners down2
        shuffle1 unshuffle2 pad1 pad2,1-reflect pad1,3-replicate crop1 crop0,1 in ln gn1 gn2 bn relu se2 attn attn2h2
        softmax linear:4 gelu {id+conv3} [id|conv3] {conv1*gap>sigmoid} 2*(conv3>relu) {conv3d2+conv5}
        keep=conv1>[id|@keep] g=(conv3>bn)
    """.split(),
    1: "conv2-causal dwconv3d2-causal attn-causal attnh2-causal lstm:4 gru:4-both conv3s2-causal".split(),
    2: "conv1x3 conv3x2s2x1 up2x1 crop0x1 shuffle2 maxpool3x2s1x2 pad0,1x2-reflect attn2x1 up2-cubic".split(),
    3: "conv1x3x2 maxpool2x1x1 unshuffle1x2x1 up1x2x1-linear".split(),
}
"""Pieces of networks for every rank (0) and for one."""


def fitting(rng: Random) -> tuple[Spec, tuple[int, ...]]:
    """A spec of a few layers and an input that it takes."""
    while True:
        rank = rng.choice([1, 1, 2, 2, 2, 3])
        pieces = rng.choices(PIECES[0] + PIECES[rank], k=rng.randint(2, 6))
        named = [
            piece.replace("keep", f"k{place}").replace("g=", f"g{place}=")
            for place, piece in enumerate(pieces)
        ]
        shape = (1, rng.choice([2, 4, 8]), *(rng.randint(6, {1: 24, 2: 14, 3: 8}[rank]) for _ in range(rank)))
        try:
            spec = parse(" > ".join(named))
            if spec.rank in {None, rank} and _wide(lower(spec, shape)):
                return spec, shape
        except SpecError:
            continue


def _wide(graph: Graph) -> bool:
    """Whether no axis has one element alone, but for gates: such a unit does not move."""
    return not any(1 in tensor.shape[2:] and "mul" not in tensor.name for tensor in graph.tensors)
