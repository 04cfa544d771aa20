"""Small ONNX files whose shapes ask for much: of memory, of time, or of numbers that are none."""

from tests.security.case import ANSWERED, REFUSED, Hostile
from tests.security.protobuf import (
    INT64,
    message,
    model,
    node,
    tensor,
    value_info,
)

HUGE = 1 << 62
EITHER = REFUSED | ANSWERED | {4, 6}
"""Where a bound on what it costs is all that matters: shapes that do not fit (4), ops that are unknown (6)."""


def _asks(kind, inputs="x big", *, values=(HUGE, HUGE), codes=REFUSED, **attributes):
    """One op whose output's shape stands in a tensor."""
    return Hostile(
        ".onnx", model(node(kind, inputs, "y", **attributes), tensors=[tensor("big", values)]), codes
    )


def _floats(name, *values):
    return tensor(name, [float(value) for value in values])


def _doubling(count):
    nodes = [node("Concat", f"v{n} v{n}", f"v{n + 1}", axis=3) for n in range(count)]
    return model(node("Identity", "x", "v0"), *nodes, output=f"v{count}")


def _sequence_doubling(count):
    nodes = [node("SequenceConstruct", f"v{n} v{n}", f"v{n + 1}") for n in range(count)]
    return model(node("Identity", "x", "v0"), *nodes, node("SequenceLength", f"v{count}", "y"))


CASES = {
    # Shape bombs
    "ConstantOfShape of 2**62 elements": Hostile(
        ".onnx",
        model(
            node("ConstantOfShape", "big", "c"),
            node("Add", "x c", "y"),
            tensors=[tensor("big", [HUGE])],
        ),
    ),
    "ConstantOfShape of 256 GiB in 99 bytes": Hostile(
        ".onnx",
        message(
            {
                1: 10,
                7: {
                    1: [node("ConstantOfShape", "s", "y")],
                    5: [tensor("s", [1 << 36])],
                    12: [value_info("y", None)],
                },
                8: {2: 21},
            }
        ),
        REFUSED | {4},
    ),
    "ConstantOfShape of products that overflow": Hostile(
        ".onnx",
        model(
            node("ConstantOfShape", "big", "c"),
            node("Expand", "x big", "y"),
            tensors=[tensor("big", [1 << 32] * 2)],
        ),
    ),
    "ConstantOfShape of negative extents": Hostile(
        ".onnx",
        model(
            node("ConstantOfShape", "big", "c"),
            node("Add", "x c", "y"),
            tensors=[tensor("big", [-5, -(1 << 63)])],
        ),
    ),
    "Expand": _asks("Expand", values=(HUGE, 1, 1, 1, 1)),
    "Expand by a computed 2**40": Hostile(
        ".onnx",
        model(
            node("Mul", "big big", "more"),
            node("Mul", "more more", "most"),
            node("Expand", "x most", "y"),
            tensors=[tensor("big", [1 << 10] * 5)],
        ),
    ),
    "Tile": _asks("Tile", values=(1, 1, HUGE, HUGE)),
    "Tile of negative repeats": _asks("Tile", values=(1, 1, -1, -HUGE)),
    "Reshape": _asks("Reshape", values=(HUGE, -1), codes=REFUSED | {4}),
    "Reshape to several unknowns": _asks("Reshape", values=(-1, -1), codes=REFUSED | {4}),
    "Reshape to minus seven": _asks("Reshape", values=(-7, 192), codes=REFUSED | {4}),
    "Range": Hostile(
        ".onnx",
        model(
            node("Range", "zero big one", "r"),
            node("Gather", "x r", "y", axis=3),
            tensors=[tensor("zero", [0], []), tensor("one", [1], []), tensor("big", [HUGE], [])],
        ),
    ),
    "Range in steps of nothing": Hostile(
        ".onnx",
        model(
            node("Range", "zero big zero", "r"),
            node("Gather", "x r", "y", axis=3),
            tensors=[tensor("zero", [0], []), tensor("big", [9], [])],
        ),
        EITHER,
    ),
    "Range of floats without end": Hostile(
        ".onnx",
        model(
            node("Range", "zero big one", "r"),
            node("Cast", "r", "q", to=INT64),
            node("Gather", "x q", "y", axis=3),
            tensors=[
                tensor("zero", [0.0], []),
                tensor("one", [1e-30], []),
                tensor("big", [float("inf")], []),
            ],
        ),
    ),
    "Resize by 1e9": Hostile(
        ".onnx", model(node("Resize", ["x", "", "s"], "y"), tensors=[_floats("s", 1, 1, 1e9, 1e9)])
    ),
    "Resize by not a number": Hostile(
        ".onnx",
        model(node("Resize", ["x", "", "s"], "y"), tensors=[_floats("s", 1, 1, float("nan"), float("inf"))]),
        REFUSED | {4},
    ),
    "Resize to 2**62": Hostile(
        ".onnx", model(node("Resize", ["x", "", "", "s"], "y"), tensors=[tensor("s", [1, 3, HUGE, 8])])
    ),
    "Resize, cubic, to a wide kernel": Hostile(
        ".onnx",
        model(
            node("Resize", ["x", "", "", "s"], "y", mode="cubic", antialias=1),
            shape=(1, 1, 1 << 20, 1),
            tensors=[tensor("s", [1, 1, 1 << 19, 1])],
        ),
        EITHER,
    ),
    "Resize, cubic, to many wide kernels": Hostile(
        ".onnx",
        model(
            node("Resize", ["x", "", "", "s"], "y", mode="cubic", antialias=1),
            shape=(1, 1, 1 << 22, 1),
            tensors=[tensor("s", [1, 1, 1 << 16, 1])],
        ),
    ),
    "CumSum of 2**20, half a trillion reads": Hostile(
        ".onnx", model(node("CumSum", "x a", "y"), shape=(1, 1, 1 << 20), tensors=[tensor("a", [2], [])])
    ),
    "MaxPool, MaxPool, and so on": Hostile(
        ".onnx",
        model(
            node("Identity", "x", "v0"),
            *(node("MaxPool", f"v{n}", f"v{n + 1}", kernel_shape=[n + 2]) for n in range(3)),
            shape=(1, 1, 1 << 20),
            output="v3",
        ),
    ),
    "Pad": Hostile(
        ".onnx", model(node("Pad", "x p", "y"), tensors=[tensor("p", [0, 0, HUGE, 0, 0, 0, HUGE, 0])])
    ),
    "Pad, reflecting, beyond the input": Hostile(
        ".onnx",
        model(node("Pad", "x p", "y", mode="reflect"), tensors=[tensor("p", [0, 0, 0, 1 << 40, 0, 0, 0, 0])]),
        REFUSED | {4},
    ),
    "Pad of less than nothing": Hostile(
        ".onnx",
        model(node("Pad", "x p", "y"), tensors=[tensor("p", [0, 0, -100, 0, 0, 0, -100, 0])]),
        REFUSED | {4},
    ),
    "OneHot": Hostile(
        ".onnx",
        model(
            node("OneHot", "x depth v", "y"),
            kind=INT64,
            tensors=[tensor("depth", [HUGE], []), tensor("v", [0, 1])],
        ),
    ),
    "EyeLike and CumSum of a long input": Hostile(
        ".onnx",
        model(node("EyeLike", "x", "e"), node("MatMul", "x e", "y"), shape=(1 << 23, 1 << 23)),
    ),
    "ConvTranspose, output_padding": Hostile(
        ".onnx",
        model(
            node("ConvTranspose", "x w", "y", output_padding=[HUGE, HUGE], strides=[HUGE, HUGE]),
            tensors=[tensor("w", [0.0] * 27, [3, 1, 3, 3])],
        ),
        REFUSED | {4},
    ),
    "ConvTranspose, strides": Hostile(
        ".onnx",
        model(
            node("ConvTranspose", "x w", "y", strides=[1 << 40, 1]),
            tensors=[tensor("w", [0.0] * 27, [3, 1, 3, 3])],
        ),
    ),
    "ConvTranspose, output_shape": Hostile(
        ".onnx",
        model(
            node("ConvTranspose", "x w", "y", output_shape=[HUGE, HUGE]),
            tensors=[tensor("w", [0.0] * 27, [3, 1, 3, 3])],
        ),
    ),
    "Conv of a kernel of 2**62": Hostile(
        ".onnx",
        model(node("Conv", "x w", "y"), tensors=[tensor("w", [], [3, 3, HUGE, HUGE])]),
        REFUSED | {4},
    ),
    "Conv of strides of nothing": Hostile(
        ".onnx",
        model(
            node("Conv", "x w", "y", strides=[0, 0], dilations=[0, -1]),
            tensors=[tensor("w", [0.0] * 27, [1, 3, 3, 3])],
        ),
        REFUSED | {4},
    ),
    "Conv of -1 groups": Hostile(
        ".onnx",
        model(node("Conv", "x w", "y", group=-1), tensors=[tensor("w", [0.0] * 27, [1, 3, 3, 3])]),
        REFUSED | {4},
    ),
    "Conv of as many groups as there are channels, and too many": Hostile(
        ".onnx",
        model(
            node("Conv", "x w", "y", group=1 << 24),
            shape=(1, 1 << 24, 1, 1),
            tensors=[tensor("w", [], [1 << 24, 1, 1, 1])],
        ),
        EITHER,
    ),
    "MaxPool, kernel and pads of 2**62": Hostile(
        ".onnx",
        model(node("MaxPool", "x", "y", kernel_shape=[HUGE, HUGE], pads=[HUGE] * 4, strides=[1, 1])),
        REFUSED | {4},
    ),
    "AveragePool, a kernel for each of 2**23 units": Hostile(
        ".onnx",
        model(
            node("AveragePool", "x", "y", kernel_shape=[1 << 21], pads=[1 << 20, (1 << 20) - 1]),
            shape=(1, 1, 1 << 22),
        ),
        EITHER,
    ),
    "Concat, doubling 60 times": Hostile(".onnx", _doubling(60)),
    "SequenceConstruct, doubling 60 times": Hostile(".onnx", _sequence_doubling(60), EITHER),
    "Unsqueeze, a thousand axes": Hostile(
        ".onnx",
        model(node("Unsqueeze", "x a", "y"), tensors=[tensor("a", list(range(1000)))]),
        REFUSED | {4},
    ),
    "an outer sum of long inputs": Hostile(
        ".onnx",
        model(
            node("Reshape", "x tall", "a"),
            node("Reshape", "x wide", "b"),
            node("Add", "a b", "y"),
            shape=(1 << 22,),
            tensors=[tensor("tall", [-1, 1]), tensor("wide", [1, -1])],
        ),
        EITHER,
    ),
    "Transpose and Reshape that shred an axis": Hostile(
        ".onnx",
        model(
            *(
                made
                for n in range(20)
                for made in (
                    node("Transpose", f"v{n}", f"t{n}", perm=[1, 0]),
                    node("Reshape", f"t{n} s{n % 2}", f"v{n + 1}"),
                )
            ),
            node("Reshape", "x s0", "v0"),
            shape=(2310 * 1024,),
            output="v20",
            tensors=[tensor("s0", [2310, -1]), tensor("s1", [1024, -1])],
        ),
        EITHER,
    ),
    "an Einsum of fifty letters": Hostile(
        ".onnx",
        model(
            node(
                "Einsum",
                ["x"] * 12,
                "y",
                equation=",".join("abcd efgh ijkl mnop qrst uvwx ABCD EFGH IJKL MNOP QRST UVWX".split())
                + "->",
            )
        ),
        EITHER,
    ),
    "an Einsum of a million letters": Hostile(
        ".onnx", lambda: model(node("Einsum", "x", "y", equation="a" * 1_000_000 + "->a")), REFUSED | {4, 6}
    ),
}
