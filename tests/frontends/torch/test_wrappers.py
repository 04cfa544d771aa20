"""Models inside wrappers, compiled or scripted, are the models that were put there."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn

import eyeshot

SIZE = (1, 3, 16, 16)


class Net(nn.Module):
    """Two layers, with an input that the class states as Lightning modules do."""

    example_input_array = torch.zeros(SIZE)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, stride=2)
        self.head = nn.Conv2d(4, 4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stem(x))


class _FabricModule(nn.Module):
    """What Lightning Fabric makes of a module, as far as eyeshot looks."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._forward_module = module


def compiled_in_place() -> nn.Module:
    net = Net()
    net.compile()
    net.stem.compile()
    return net


WRAPPED: dict[str, Callable[[], nn.Module]] = {
    "data parallel": lambda: nn.DataParallel(Net()),
    "compiled": lambda: torch.compile(Net()),
    "compiled in place": compiled_in_place,
    "compiled, in parallel": lambda: nn.DataParallel(torch.compile(Net())),
    "fabric": lambda: _FabricModule(Net()),
}


@pytest.mark.parametrize("wrapped", WRAPPED.values(), ids=WRAPPED)
def test_wrappers_are_taken_off(wrapped: Callable[[], nn.Module]) -> None:
    report = eyeshot.analyze(wrapped())
    assert report.model == "Net"
    assert list(report) == ["stem", "head"]
    assert (report["stem"].size, report["head"].size) == ((3, 3), (7, 7))


def test_compiled_parts_run_as_they_were_written() -> None:
    class Parts(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = torch.compile(Net())
            self.shift = torch.compile(lambda x: x.flip(-1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.shift(self.net(x))

    model = Parts()
    report = eyeshot.analyze(model, SIZE)
    assert report["net"].size == (7, 7)
    assert "aten.flip.default" in [field.op for field in report.tensors]


def test_scripted_models_have_fields_without_the_names_of_layers() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scripting is deprecated
        scripted = torch.jit.script(Net())
    report = eyeshot.analyze(scripted, SIZE)
    assert report.outputs[0].size == (7, 7)
    assert not report
