"""Small words that recorder and specials share."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from eyeshot.frontends.torch.aliases import Node


class DataDependent(Exception):  # noqa: N818 - a signal, answered by a real forward
    """The result of ``op``, or its shape, depends on the elements of an unknown tensor."""

    def __init__(self, op: str) -> None:
        super().__init__(f"{op} needs the elements of a tensor")


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """Torch's word for a dtype, without its prefix."""
    return str(dtype)[6:]


def node_of(tensor: Tensor) -> Node:
    """What the recorder knows of a tensor of its own."""
    node: Node = tensor.__dict__["_eyeshot"]
    return node
