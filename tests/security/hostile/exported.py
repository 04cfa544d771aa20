"""Exported programs (`.pt2`) that hold pickles, code, or extents that nobody should work out."""

import json
from typing import Any

from tests.security.case import ANSWERED, REFUSED, Hostile
from tests.security.hostile.pickles import pickled, zipped

EITHER = REFUSED | ANSWERED | {4, 6}
CALLS = "__import__('os').system('echo eyeshot-was-here')"


def described(*sizes: Any, dtype: int = 7) -> dict[str, Any]:
    """A tensor's record; extents are numbers, or texts of symbolic ones."""

    def size(extent: Any) -> dict[str, Any]:
        return (
            {"as_int": extent}
            if isinstance(extent, int)
            else {"as_expr": {"expr_str": extent, "hint": {"as_int": 8}}}
        )

    strides = [1]
    for extent in reversed(sizes[1:]):
        strides.insert(0, strides[0] * extent if isinstance(extent, int) else 1)
    return {
        "dtype": dtype,
        "sizes": [size(extent) for extent in sizes],
        "requires_grad": False,
        "device": {"type": "cpu", "index": None},
        "strides": [{"as_int": stride} for stride in strides[: len(sizes)]],
        "storage_offset": {"as_int": 0},
        "layout": 7,
    }


def argument(name: str, **value: Any) -> dict[str, Any]:
    """One argument of a call: ``argument("dim", as_int=1)``."""
    return {"name": name, "arg": value, "kind": 1}


def call(target: str, output: str, *arguments: dict[str, Any], **metadata: str) -> dict[str, Any]:
    """A node."""
    return {
        "target": target,
        "inputs": list(arguments),
        "outputs": [{"as_tensor": {"name": output}}],
        "metadata": {"nn_module_stack": "L__self__,,net.Net;L__self__a,a,torch.nn.ReLU", **metadata},
        "is_hop_single_tensor_return": None,
        "name": output,
    }


def tensor(name: str, value: str) -> dict[str, Any]:
    """An argument that is a tensor."""
    return argument(name, as_tensor={"name": value})


def record(
    *nodes: dict[str, Any],
    tensors: dict[str, Any] | None = None,
    held: dict[str, str] | None = None,
    output: str = "y",
    **more: Any,
) -> dict[str, Any]:
    """The JSON of a program with the input "x" of 1x3x8x8; ``held`` names its buffers by placeholder."""
    held = held or {}
    values = {"x": described(1, 3, 8, 8), "y": described(1, 3, 8, 8), **(tensors or {})}
    spec = '[1, {"type": "builtins.tuple", "context": "null", "children_spec": []}]'
    root = {"inputs": [], "outputs": [], "in_spec": spec, "out_spec": "", "forward_arg_names": ["x"]}
    return {
        "graph_module": {
            "graph": {
                "inputs": [{"as_tensor": {"name": name}} for name in (*held, "x")],
                "outputs": [{"as_tensor": {"name": output}}],
                "nodes": list(nodes),
                "tensor_values": values,
                "sym_int_values": {},
                "sym_bool_values": {},
                "is_single_tensor_return": True,
                "custom_obj_values": {},
                "sym_float_values": {},
            },
            "signature": {
                "input_specs": [
                    *(
                        {"buffer": {"arg": {"name": name}, "buffer_name": label, "persistent": True}}
                        for name, label in held.items()
                    ),
                    {"user_input": {"arg": {"as_tensor": {"name": "x"}}}},
                ],
                "output_specs": [{"user_output": {"arg": {"as_tensor": {"name": output}}}}],
            },
            "module_call_graph": [{"fqn": "", "signature": root}],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "opset_version": {"aten": 10},
        "range_constraints": {},
        "schema_version": {"major": 8, "minor": 8},
        "verifiers": ["TRAINING"],
        "torch_version": "2.8.0",
        **more,
    }


RELU = call("torch.ops.aten.relu.default", "y", tensor("self", "x"))


def program() -> bytes:
    """A network that is read: one ReLU."""
    return json.dumps(record(RELU)).encode()


def archive(model: dict[str, Any] | bytes, **members: bytes) -> bytes:
    """A `.pt2` file."""
    data = model if isinstance(model, bytes) else json.dumps(model).encode()
    held = {
        "net/archive_format": b"pt2",
        "net/archive_version": b"0",
        "net/byteorder": b"little",
        "net/models/model.json": data,
    }
    return zipped({**held, **{name.replace("__", "/"): value for name, value in members.items()}})


def _pt2(*nodes: dict[str, Any], codes: frozenset[int] = REFUSED, **more: Any) -> Hostile:
    return Hostile(".pt2", lambda: archive(record(*nodes, **more)), codes)


def _sized(extent: Any, codes: frozenset[int] = REFUSED) -> Hostile:
    """A program whose input has one extent that is written like this."""
    shapes = {"x": described(1, 3, extent, 8), "y": described(1, 3, extent, 8)}
    return _pt2(RELU, tensors=shapes, codes=codes)


def _weights(
    payload: bytes, *, use_pickle: bool, shape: tuple[int, ...] = (3,), path: str = "weight_0"
) -> bytes:
    """A program that indexes by a buffer whose bytes are these."""
    model = record(
        call(
            "torch.ops.aten.index.Tensor",
            "y",
            tensor("self", "x"),
            argument("indices", as_optional_tensors=[{"as_none": True}, {"as_tensor": {"name": "b"}}]),
        ),
        tensors={"b": described(*shape, dtype=5), "y": described(1, *shape, 8, 8)},
        held={"b": "index"},
    )
    meta = {
        "path_name": path,
        "is_param": False,
        "use_pickle": use_pickle,
        "tensor_meta": described(*shape, dtype=5),
    }
    config = json.dumps({"config": {"index": meta}}).encode()
    members = {"net__data__weights__model_weights_config.json": config}
    return archive(model, **members, net__data__weights__weight_0=payload)


def _grown(count: int) -> dict[str, Any]:
    nodes = [
        call("torch.ops.aten.relu.default", f"v{n + 1}", tensor("self", f"v{n}" if n else "x"))
        for n in range(count)
    ]
    shapes = {f"v{n + 1}": described(1, 3, 8, 8) for n in range(count)}
    return record(*nodes, tensors=shapes, output=f"v{count}")


def _deep_json(levels: int) -> bytes:
    return b'{"graph_module":' * levels + b"{}" + b"}" * levels


def _sub_graphs(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = record(RELU)["graph_module"]["graph"]
    for _ in range(levels):
        node = call(
            "torch.ops.higher_order.cond",
            "y",
            tensor("pred", "x"),
            argument("true_fn", as_graph={"name": "t", "graph": inner}),
            argument("false_fn", as_graph={"name": "f", "graph": inner}),
            argument("operands", as_tensors=[{"name": "x"}]),
        )
        inner = {**record(node)["graph_module"]["graph"]}
    model = record(RELU)
    model["graph_module"]["graph"] = inner
    return model


NINES = "Pow(Integer(9), Pow(Integer(9), Integer(9)))"

CASES = {
    "weights flagged as a pickle": Hostile(".pt2", lambda: _weights(pickled(), use_pickle=True), EITHER),
    "weights that are a pickle and say nothing": Hostile(
        ".pt2", lambda: _weights(pickled(), use_pickle=False), EITHER
    ),
    "weights elsewhere": Hostile(
        ".pt2", lambda: _weights(bytes(24), use_pickle=False, path="../../../../../../etc/passwd"), EITHER
    ),
    "weights at an absolute path": Hostile(
        ".pt2", lambda: _weights(bytes(24), use_pickle=False, path="/etc/passwd"), EITHER
    ),
    "weights of fewer bytes than elements": Hostile(
        ".pt2", lambda: _weights(bytes(8), use_pickle=False, shape=(1 << 20,)), EITHER
    ),
    "weights of 2**60 elements": Hostile(
        ".pt2", lambda: _weights(bytes(8), use_pickle=False, shape=(1 << 20, 1 << 20, 1 << 20))
    ),
    "sample inputs that are a pickle": Hostile(
        ".pt2", lambda: archive(program(), net__data__sample_inputs__model=pickled()), ANSWERED
    ),
    "constants that are a pickle": Hostile(
        ".pt2",
        lambda: archive(
            program(),
            net__data__constants__custom_obj_0=pickled(),
            net__data__constants__model_constants_config=pickled(),
        ),
        ANSWERED,
    ),
    "the layout of before 2.8, with pickles": Hostile(
        ".pt2",
        lambda: zipped(
            {
                "serialized_exported_program.json": program(),
                "serialized_state_dict.pt": pickled(),
                "serialized_constants.pt": pickled(),
                "serialized_example_inputs.pt": pickled(),
                "version": b"5.1",
            }
        ),
        EITHER,
    ),
    "guards that are code": _pt2(RELU, guards_code=[CALLS], codes=ANSWERED),
    "machine code": Hostile(
        ".pt2",
        lambda: zipped(
            {"net/data/aotinductor/model/net.so": b"\x7fELF" + bytes(100), "net/archive_format": b"pt2"}
        ),
    ),
    "an extent that is a call": _sized(CALLS),
    "an extent that is a call in a symbol's name": _sized(f"Symbol({CALLS!r})", REFUSED | {4, 6}),
    "an extent that is a lambda": _sized("Lambda(Symbol('x'), Symbol('x'))"),
    "an extent that asks for an attribute": _sized("Integer(3).__class__.__mro__"),
    "an extent of 9**9**9": _sized(NINES),
    "an extent of 9**9**9, infix": _sized("9**9**9"),
    "an extent of a million digits": _sized(f"Integer({'9' * 1_000_000})"),
    "an extent of a thousand digits": _sized(f"Integer({'9' * 1000})"),
    "an extent of 10**400 as a float": _sized("Float('1e400')"),
    "an extent that is not a number": _sized("Float('nan')"),
    "an extent divided by nothing": _sized("FloorDiv(Integer(8), Integer(0))"),
    "an extent of fractions that grow": _sized(
        "Mul(" * 60 + "Rational(99999999999999999999, 7)" + ", Integer(9))" * 60
    ),
    "an extent nested 10,000 deep": _sized("Add(" * 10_000 + "Integer(1)" + ")" * 10_000),
    "an extent of 4,000 brackets": _sized("(" * 4000),
    "an extent with assumptions that nest": _sized("Symbol('s', a=" * 1000),
    "an extent that is negative": _sized(-8),
    "an extent of 2**62": _sized(1 << 62),
    "an extent that is text": _pt2(
        RELU, tensors={"x": {**described(1, 3, 8, 8), "sizes": ["1", 2, None, []]}}
    ),
    "ranges that are code": _pt2(RELU, range_constraints={"s0": {"min_val": CALLS, "max_val": 10**400}}),
    "a module path that is code": _pt2(
        call(
            "torch.ops.aten.relu.default",
            "y",
            tensor("self", "x"),
            nn_module_stack=f"L__self__,{CALLS},{CALLS};../../etc,__class__.__init__,os.system",
            stack_trace=f'File "/etc/passwd", line 1, in {CALLS}',
        ),
        codes=ANSWERED,
    ),
    "a target that is code": _pt2(call(CALLS, "y", tensor("self", "x")), codes=REFUSED | {6}),
    "a target that is os.system": _pt2(call("os.system", "y", tensor("self", "x")), codes=REFUSED | {6}),
    "a target of another library": _pt2(
        call("torch.ops.eyeshot_canary.sing.default", "y", tensor("self", "x")), codes=REFUSED | {6}
    ),
    "a tree of a class that is code": Hostile(
        ".pt2",
        lambda: archive(
            json.dumps(record(RELU)).replace("builtins.tuple", "eyeshot_canary.Sing").encode(),
        ),
        EITHER,
    ),
    "a custom object": _pt2(
        {**RELU, "inputs": [argument("self", as_custom_obj={"name": "o", "class_fqn": "os.system"})]}
    ),
    "a device that is code": _pt2(
        {**RELU, "inputs": [tensor("self", "x"), argument("device", as_device=CALLS)]}, codes=EITHER
    ),
    "a repeat of 2**62": _pt2(
        call(
            "torch.ops.aten.repeat.default",
            "y",
            tensor("self", "x"),
            argument("repeats", as_ints=[1, 1, 1 << 62, 9]),
        )
    ),
    "an expand of 2**62": _pt2(
        call(
            "torch.ops.aten.expand.default",
            "y",
            tensor("self", "x"),
            argument("size", as_ints=[1 << 62, 3, 8, 8]),
        )
    ),
    "a constant of 2**23 by 2**23": _pt2(
        call("torch.ops.aten.zeros.default", "z", argument("size", as_ints=[1 << 23, 1 << 23])),
        call("torch.ops.aten.add.Tensor", "y", tensor("self", "x"), tensor("other", "z")),
        tensors={"z": described(1 << 23, 1 << 23), "y": described(1 << 23, 1 << 23)},
        codes=REFUSED | {4, 6},
    ),
    "an arange of 2**62": _pt2(
        call("torch.ops.aten.arange.default", "z", argument("end", as_int=1 << 62)),
        call(
            "torch.ops.aten.index_select.default",
            "y",
            tensor("self", "x"),
            argument("dim", as_int=3),
            tensor("index", "z"),
        ),
        tensors={"z": described(8, dtype=5)},
        codes=EITHER,
    ),
    "an arange in steps of 1e-300": _pt2(
        call(
            "torch.ops.aten.arange.start_step",
            "z",
            argument("start", as_float=0.0),
            argument("end", as_float=1e300),
            argument("step", as_float=1e-300),
        ),
        call("torch.ops.aten.add.Tensor", "y", tensor("self", "x"), tensor("other", "z")),
        tensors={"z": described(8)},
        codes=EITHER,
    ),
    "a convolution in steps of nothing": _pt2(
        call(
            "torch.ops.aten.conv2d.default",
            "y",
            tensor("input", "x"),
            tensor("weight", "x"),
            argument("stride", as_ints=[0, 0]),
            argument("padding", as_ints=[1 << 24, -9]),
        ),
        codes=REFUSED | {4},
    ),
    "padding of 2**62": _pt2(
        call(
            "torch.ops.aten.constant_pad_nd.default",
            "y",
            tensor("self", "x"),
            argument("pad", as_ints=[1 << 62] * 4),
        )
    ),
    "interpolation by 1e300": _pt2(
        call(
            "torch.ops.aten.upsample_nearest2d.vec",
            "y",
            tensor("input", "x"),
            argument("output_size", as_none=True),
            argument("scale_factors", as_floats=[1e300, 1e300]),
        ),
        codes=EITHER,
    ),
    "a result of another shape than it has": _pt2(
        RELU, tensors={"y": described(1, 3, 1 << 20, 1 << 20)}, codes=EITHER
    ),
    "arguments of other types": _pt2(
        call("torch.ops.aten.mean.dim", "y", tensor("self", "x"), argument("dim", as_string="all")),
        codes=REFUSED | {4},
    ),
    "axes that are not there": _pt2(
        call(
            "torch.ops.aten.permute.default",
            "y",
            tensor("self", "x"),
            argument("dims", as_ints=[0, 0, 9, -9]),
        ),
        codes=REFUSED | {4},
    ),
    "an argument that is missing": _pt2({**RELU, "inputs": []}, codes=EITHER),
    "an argument that op does not have": _pt2(
        {**RELU, "inputs": [tensor("self", "x"), argument("self_destruct", as_bool=True)]},
        codes=EITHER,
    ),
    "a tensor that reads itself": _pt2(call("torch.ops.aten.relu.default", "y", tensor("self", "y"))),
    "25,000 ReLUs": Hostile(".pt2", lambda: archive(_grown(25_000))),
    "graphs in graphs, twice at 12 levels": Hostile(".pt2", lambda: archive(_sub_graphs(12)), EITHER),
    "graphs in graphs, 40 deep": Hostile(
        ".pt2",
        lambda: archive(b'{"as_graph": {"graph": ' * 60 + b"{}" + b"}}" * 60),
    ),
    "JSON 100,000 deep": Hostile(".pt2", lambda: archive(_deep_json(100_000))),
    "JSON of no program": Hostile(".pt2", lambda: archive(b"[null, true, 1e999, NaN, -0]")),
    "an empty program": Hostile(".pt2", lambda: archive(b"{}")),
    "two programs": Hostile(
        ".pt2", lambda: archive(program(), net__models__other=b"").replace(b"models/other", b"models/o.json")
    ),
    "another version": _pt2(RELU, schema_version={"major": 10**30, "minor": 0}),
    "JSON in UTF-16": Hostile(".pt2", lambda: archive(program().decode().encode("utf-16"))),
}
