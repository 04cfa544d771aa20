"""The networks behind the published figures, written out as tables and built in PyTorch.

Architectures are facts, taken from their published definitions; channel counts are small, since no field
depends on them. `notation` turns a table into modules, `recursion` computes the fields of such modules
without eyeshot.
"""

from tests.reference_networks.catalogue import NETWORKS, Network, module_path, network_name, reference
from tests.reference_networks.notation import Parallel, build
from tests.reference_networks.recursion import Law, laws

__all__ = [
    "NETWORKS",
    "Law",
    "Network",
    "Parallel",
    "build",
    "laws",
    "module_path",
    "network_name",
    "reference",
]
