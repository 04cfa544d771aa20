"""What trained weights use of what they may see: MobileNetV2 on photographs, trained and at random, layer by layer.

Everything comes from installed packages, nothing is downloaded. Prints a table, and draws effective.png into demo/out.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from run import trained
from skimage import data
from torchvision.models import mobilenet_v2

import eyeshot
from eyeshot.views.effective_plots import side_by_side

OUT = Path(__file__).parent / "out"
LAYERS = ("features.4", "features.7", "features.11", "features.14", "features.18")
CROPS = 24
EDGE = 224


def crops(count: int, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    """Pieces of scikit-image's photographs, at random places."""
    photographs = [data.chelsea(), data.astronaut(), data.coffee(), data.rocket()]
    rng = np.random.default_rng(seed)
    found = []
    for place in range(count):
        whole = photographs[place % len(photographs)]
        top, left = (int(rng.integers(extent - EDGE + 1)) for extent in whole.shape[:2])
        found.append(whole[top : top + EDGE, left : left + EDGE])
    return found


def main() -> None:
    """Measure both, print the table, write the picture."""
    OUT.mkdir(exist_ok=True)
    torch.manual_seed(0)
    models = {"trained on ImageNet": trained(), "random": mobilenet_v2(weights=None).eval()}
    photographs = crops(CROPS)
    rows = {}
    for name, model in models.items():
        report = eyeshot.analyze(model, (1, 3, EDGE, EDGE))
        rows[name] = [eyeshot.effective_field(model, photographs, layer, report=report) for layer in LAYERS]
        print(f"{name}: side of the effective field, and of squares that hold 50% and 99%")
        for field in rows[name]:
            squares = [field.area(share).side for share in (0.5, 0.99)]
            print(
                f"  {field.layer:12} {field.side:6.1f} of {field.theoretical:.0f}   {squares[0]:3} {squares[1]:4}"
            )
    side_by_side(rows).savefig(OUT / "effective.png")
    print(f"wrote {OUT / 'effective.png'}")


if __name__ == "__main__":
    main()
