"""Small ONNX files whose graphs ask for much: by loops, functions, names, and constants that are no numbers."""

import struct

from tests.security.case import ANSWERED, REFUSED, Hostile
from tests.security.hostile.onnx import EITHER, HUGE
from tests.security.protobuf import (
    BOOL,
    INT64,
    STRING,
    field,
    function,
    graph,
    message,
    model,
    node,
    tensor,
    value_info,
)


def _loop(trips, body, **more):
    """A Loop of so many trips over the value "x"."""
    inner = graph(
        [*body, node("Identity", "go", "on")],
        inputs=[value_info("i", (), INT64), value_info("go", (), BOOL), value_info("v", None)],
        outputs=[value_info("on", (), BOOL), value_info("w", None)],
    )
    return model(
        node("Loop", ["trips", "", "x"], "y", body=inner),
        tensors=[tensor("trips", [trips], [])],
        **more,
    )


def _laughs(levels, calls):
    """Functions that call one another: calls ** levels nodes, if all were written out."""
    made = [function("f0", "a", "b", [node("Relu", "a", "b")])]
    for level in range(1, levels):
        names = ["a", *(f"t{number}" for number in range(calls - 1)), "b"]
        made.append(
            function(
                f"f{level}",
                "a",
                "b",
                [
                    node(f"f{level - 1}", names[number], names[number + 1], domain="own")
                    for number in range(calls)
                ],
            )
        )
    return model(node(f"f{levels - 1}", "x", "y", domain="own"), functions=made)


def _nested_if(levels):
    inner = graph([node("Identity", "x", "y")], outputs=[value_info("y", None)])
    for _ in range(levels):
        inner = graph(
            [node("If", "c", "y", then_branch=inner, else_branch=inner)], outputs=[value_info("y", None)]
        )
        inner = {number: value for number, value in inner.items() if value}
    return inner


def _deep_attributes(levels):
    """Graphs in attributes of nodes in graphs, written from the inside out."""
    inner = message(graph([node("Identity", "x", "y")]))
    for _ in range(levels):
        inner = message({1: message({4: "If", 5: message({1: "then_branch", 6: inner, 20: 5})})})
    return message({1: 10, 7: inner, 8: {2: 21}})


def _deep_types(levels):
    kind = message({1: {1: 1}})
    for _ in range(levels):
        kind = message({4: {1: kind}})
    return message({1: 10, 7: {11: {1: "x", 2: kind}}, 8: {2: 21}})


def _chain(kind, count, **attributes):
    """Op after op, each growing what the one before made."""
    nodes = [node(kind, f"v{number}", f"v{number + 1}", **attributes) for number in range(count)]
    return model(node("Identity", "x", "v0"), *nodes, output=f"v{count}")


CASES = {
    # Control flow
    "a Loop of 2**62 trips": Hostile(".onnx", _loop(HUGE, [node("Relu", "v", "w")]), EITHER),
    "a Loop of 2**62 trips that grows": Hostile(
        ".onnx", _loop(HUGE, [node("Concat", "v v", "w", axis=3)]), EITHER
    ),
    "a Loop of 60 trips that doubles": Hostile(
        ".onnx", _loop(60, [node("Concat", "v v", "w", axis=3)]), EITHER
    ),
    "a Loop of -1 trips": Hostile(".onnx", _loop(-1, [node("Relu", "v", "w")]), EITHER),
    "a Scan of a million steps": Hostile(
        ".onnx",
        model(
            node(
                "Scan",
                "x x",
                "s y",
                num_scan_inputs=1,
                body=graph(
                    [node("Add", "a b", "c"), node("Identity", "c", "d")],
                    inputs=[value_info("a", None), value_info("b", None)],
                    outputs=[value_info("c", None), value_info("d", None)],
                ),
            ),
            shape=(1 << 20,),
        ),
        EITHER,
    ),
    "Ifs in Ifs, twice at 9 levels": Hostile(
        ".onnx",
        lambda: message(
            {
                1: 10,
                7: {
                    **_nested_if(9),
                    11: [value_info("x", (1, 3, 8, 8)), value_info("c", (), BOOL)],
                    12: [value_info("y", None)],
                },
                8: {2: 21},
            }
        ),
        EITHER,
    ),
    "functions that call each other, 10**9 times": Hostile(".onnx", _laughs(10, 10)),
    "functions that call each other, 2**500 times": Hostile(".onnx", _laughs(500, 2)),
    "a function that calls itself": Hostile(
        ".onnx",
        model(
            node("f", "x", "y", domain="own"),
            functions=[function("f", "a", "b", [node("f", "a", "b", domain="own")])],
        ),
    ),
    "two functions that call each other": Hostile(
        ".onnx",
        model(
            node("f", "x", "y", domain="own"),
            functions=[
                function("f", "a", "b", [node("g", "a", "b", domain="own")]),
                function("g", "a", "b", [node("f", "a", "b", domain="own")]),
            ],
        ),
    ),
    "a function that stands for Relu": Hostile(
        ".onnx",
        model(
            node("Relu", "x", "y"),
            functions=[message({1: "Relu", 4: ["a"], 5: ["b"], 7: [node("Relu", "a", "b")], 9: {2: 21}})],
        ),
        EITHER,
    ),
    "a node that reads its own output": Hostile(".onnx", model(node("Relu", "y", "y")), REFUSED | {4}),
    "nodes in a circle": Hostile(
        ".onnx", model(node("Add", "x b", "a"), node("Relu", "a", "b"), output="b"), REFUSED | {4}
    ),
    "a name that nobody makes": Hostile(".onnx", model(node("Relu", "nobody", "y")), REFUSED | {4}),
    "two nodes that make one name": Hostile(
        ".onnx", model(node("Relu", "x", "y"), node("Conv", "x", "y")), EITHER
    ),
    "a million empty nodes": Hostile(
        ".onnx", lambda: message({1: 10, 7: b"\x0a\x00" * 1_000_000, 8: {2: 21}}), REFUSED | {4}
    ),
    "25,000 Relus": Hostile(".onnx", lambda: _chain("Relu", 25_000)),
    "300 Softmaxes": Hostile(".onnx", lambda: _chain("Softmax", 300), EITHER),
    "a Sum of 300,000 inputs": Hostile(".onnx", lambda: model(node("Sum", ["x"] * 300_000, "y")), EITHER),
    "a Split into 300,000 pieces": Hostile(
        ".onnx",
        lambda: model(
            node("Split", "x", [f"y{n}" for n in range(300_000)], axis=0), shape=(300_000,), output="y0"
        ),
        EITHER,
    ),
    "nested attribute graphs, 1,000 deep": Hostile(".onnx", lambda: _deep_attributes(1000)),
    "nested types, 3,000 deep": Hostile(".onnx", lambda: _deep_types(3000)),
    # Declared shapes
    "an input of 2**63 - 1": Hostile(".onnx", model(node("Relu", "x", "y"), shape=((1 << 63) - 1, 3))),
    "an input of a negative extent": Hostile(
        ".onnx", model(node("Relu", "x", "y"), shape=(1, -3, 8)), REFUSED | {4}
    ),
    "an input of 100,000 axes": Hostile(".onnx", lambda: model(node("Relu", "x", "y"), shape=(1,) * 100_000)),
    "an input of symbols, of 100,000 axes": Hostile(
        ".onnx", lambda: model(node("Relu", "x", "y"), shape=[f"n{i}" for i in range(100_000)]), REFUSED | {4}
    ),
    "many inputs, long together": Hostile(
        ".onnx",
        model(
            *(node("Relu", f"v{n}", f"v{n + 1}") for n in range(600)),
            node("Relu", "x", "v0"),
            shape=(1 << 23,),
            output="v600",
        ),
    ),
    "100,000 extents for one long axis": Hostile(
        ".onnx",
        lambda: model(
            node("Identity", "x", "v0"),
            *(node("MaxPool", f"v{n}", f"v{n + 1}", kernel_shape=[2]) for n in range(1000)),
            shape=(1, 1, 1 << 16),
            output="v1000",
        ),
    ),
    # Constants
    "an initializer of more elements than bytes": Hostile(
        ".onnx", model(node("Add", "x w", "y"), tensors=[tensor("w", [1.0], [1 << 40])]), REFUSED | {4}
    ),
    "an initializer of negative extents": Hostile(
        ".onnx", model(node("Add", "x w", "y"), tensors=[tensor("w", [1.0], [-1, -1])]), REFUSED | {4}
    ),
    "an initializer of a type that is none": Hostile(
        ".onnx",
        model(node("Add", "x w", "y"), tensors=[message({1: [1], 2: 999, 8: "w", 9: b"1234"})]),
        EITHER,
    ),
    "indices as text": Hostile(
        ".onnx",
        model(
            node("Reshape", "x w", "y"),
            tensors=[message({1: [2], 2: STRING, 6: [b"-1", b"\xff\xfe"], 8: "w"})],
        ),
        REFUSED | {4, 6},
    ),
    "indices of 2**63": Hostile(
        ".onnx",
        model(
            node("Gather", "x w", "y"),
            tensors=[message({1: [1], 2: 13, 8: "w", 9: struct.pack("<Q", 1 << 63)})],
        ),
        REFUSED | {4},
    ),
    "a constant for each of 3,000 nodes": Hostile(
        ".onnx",
        lambda: model(
            node("Identity", "x", "v0"),
            *(node("ConstantOfShape", "big", f"c{n}") for n in range(3000)),
            *(node("Add", f"v{n} c{n}", f"v{n + 1}") for n in range(3000)),
            shape=(1 << 20,),
            output="v3000",
            tensors=[tensor("big", [1 << 20])],
        ),
    ),
    "a constant cubed": Hostile(
        ".onnx",
        model(
            node("Range", "zero many one", "r"),
            node("Reshape", "r tall", "a"),
            node("Reshape", "r wide", "b"),
            node("Add", "a b", "c"),
            node("Reshape", "c long", "d"),
            node("Expand", "d cube", "e"),
            node("Gather", "x e", "y", axis=3),
            tensors=[
                tensor("zero", [0], []),
                tensor("one", [1], []),
                tensor("many", [1 << 20], []),
                tensor("tall", [-1, 1]),
                tensor("wide", [1, -1]),
                tensor("long", [-1]),
                tensor("cube", [1 << 20, 1]),
            ],
        ),
    ),
    "a power of powers": Hostile(
        ".onnx",
        model(
            node("Pow", "nine nine", "a"),
            node("Pow", "a nine", "b"),
            node("Pow", "b a", "c"),
            node("Reshape", "x c", "y"),
            tensors=[tensor("nine", [9])],
        ),
        REFUSED | {4},
    ),
    "a division by zero for an extent": Hostile(
        ".onnx",
        model(
            node("Div", "nine zero", "a"),
            node("Mod", "nine zero", "b"),
            node("Concat", "a b", "c", axis=0),
            node("Reshape", "x c", "y"),
            tensors=[tensor("nine", [9]), tensor("zero", [0])],
        ),
        REFUSED | {4},
    ),
    "a shift by 2**40": Hostile(
        ".onnx",
        model(
            node("BitShift", "nine big", "a", direction="LEFT"),
            node("Reshape", "x a", "y"),
            tensors=[tensor("nine", [9]), tensor("big", [1 << 40])],
        ),
        REFUSED | {4},
    ),
    "text repeated into memory": Hostile(
        ".onnx",
        model(
            node("StringConcat", "w w", "a0"),
            *(node("StringConcat", f"a{n} a{n}", f"a{n + 1}") for n in range(40)),
            node("Relu", "x", "y"),
            tensors=[message({1: [1], 2: STRING, 6: [b"ha" * 100], 8: "w"})],
        ),
        EITHER,
    ),
    "a regular expression that takes for ever": Hostile(
        ".onnx",
        model(
            node("RegexFullMatch", "w", "a", pattern="(a+)+$"),
            node("Relu", "x", "y"),
            tensors=[message({1: [1], 2: STRING, 6: [b"a" * 60 + b"!"], 8: "w"})],
        ),
        EITHER,
    ),
    # Attributes of the wrong kind
    "attributes of other types": Hostile(
        ".onnx",
        model(
            node("Conv", "x w", "y", strides="two", pads=b"", dilations=1.5, kernel_shape=graph([])),
            tensors=[tensor("w", [0.0] * 27, [1, 3, 3, 3])],
        ),
        REFUSED | {4},
    ),
    "a Transpose by axes that are not there": Hostile(
        ".onnx", model(node("Transpose", "x", "y", perm=[0, 0, 9, -9])), REFUSED | {4}
    ),
    "an op of a domain of its own": Hostile(
        ".onnx", model(node("os.system", "x", "y", domain="builtins")), REFUSED | {6}
    ),
    "an attribute that refers to itself": Hostile(
        ".onnx",
        model(
            node("f", "x", "y", domain="own"),
            functions=[
                function("f", "a", "b", [message({1: "a", 2: "b", 4: "Relu", 5: {1: "k", 21: "k", 20: 2}})]),
            ],
        ),
        EITHER,
    ),
    "a Constant that gives its value to nobody": Hostile(
        ".onnx", model(node("Constant", "", "", value=tensor("c", [1])), node("Relu", "x", "y")), EITHER
    ),
    "an output that is a sequence of a sequence": Hostile(
        ".onnx", model(node("SequenceInsert", "x x", "y")), EITHER
    ),
    "an opset of 2**62": Hostile(".onnx", model(node("Relu", "x", "y"), opset=HUGE), EITHER),
    "no graph at all": Hostile(".onnx", message({1: 10, 8: {2: 21}}), REFUSED | {4}),
    "an unknown field of a hundred megabytes": Hostile(
        ".onnx", lambda: model(node("Relu", "x", "y")) + field(999, bytes(100 << 20)), ANSWERED
    ),
}
