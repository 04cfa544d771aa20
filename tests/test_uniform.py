"""`receptive_field`: the closed form, against a recurrence and against the networks themselves."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eyeshot


def unrolled(num_layers: int, kernel: int, stride: int, dilation: int) -> int:
    """Which input elements one unit reads, layer by layer, as a set."""
    seen = {0}
    for _ in range(num_layers):
        seen = {stride * unit + dilation * tap for unit in seen for tap in range(kernel)}
    return max(seen) - min(seen) + 1


def test_every_course_begins_with():
    assert eyeshot.receptive_field(num_layers=3, kernel_size=3, stride=2, padding=0, dilation=1) == 15
    assert eyeshot.receptive_field() == 15
    assert eyeshot.receptive_field(0) == 1


@given(st.integers(0, 5), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 9))
def test_agrees_with_sets_of_elements(num_layers, kernel, stride, dilation, padding):
    found = eyeshot.receptive_field(num_layers, kernel, stride, padding, dilation)
    assert found == unrolled(num_layers, kernel, stride, dilation)


@pytest.mark.parametrize(
    ("layers", "kernel", "stride", "dilation"), [(4, 3, 2, 1), (3, 5, 1, 2), (2, 2, 2, 3)]
)
def test_agrees_with_the_network(layers, kernel, stride, dilation):
    report = eyeshot.analyze(f"spec:{layers}*(conv{kernel}s{stride}d{dilation})", (1, 1, 128, 128))
    assert report.outputs[0].size == (eyeshot.receptive_field(layers, kernel, stride, 0, dilation),) * 2


@pytest.mark.parametrize(
    "arguments",
    [{"stride": 0}, {"kernel_size": 2.5}, {"num_layers": -1}, {"dilation": "2"}, {"num_layers": 10**9}],
)
def test_refuses_what_is_no_stack(arguments):
    with pytest.raises(eyeshot.InputError, match=next(iter(arguments))):
        eyeshot.receptive_field(**arguments)


def test_loads_nothing():
    code = "import eyeshot, sys; eyeshot.receptive_field(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
