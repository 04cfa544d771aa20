"""Published protocols, step by step, as plain scripts over a plain forward: what ours are compared with.

Written from the definitions: whole images one at a time, float32 autograd, no crops, nothing of eyeshot.
"""

import numpy as np
import torch


def features(model, layer, images):
    """The output of a submodule while the model runs."""
    held = {}
    handle = model.get_submodule(layer).register_forward_hook(lambda _m, _i, out: held.update(out=out))
    try:
        model(images)
    finally:
        handle.remove()
    return held["out"]


def replknet_scores(model, layer, images):
    """RepLKNet's contribution scores: mean over images of the positive gradient, summed over colours."""
    scores = []
    for image in images:
        sample = image[None].clone().requires_grad_()
        maps = features(model, layer, sample)
        height, width = maps.shape[2:]
        scalar = torch.nn.functional.relu(maps[:, :, height // 2, width // 2]).sum()
        gradient = torch.autograd.grad(scalar, sample)[0]
        score = torch.nn.functional.relu(gradient).sum((0, 1)).numpy()
        if not np.isnan(np.sum(score)):
            scores.append(score)
    return np.mean(np.array(scores, np.float64), 0)


def replknet_area(values, threshold):
    """Side and area ratio of the first centred square whose share is above the threshold, None where none is."""
    height, width = values.shape
    total = np.sum(values)
    for i in range(1, height // 2):
        square = values[height // 2 - i : height // 2 + 1 + i, width // 2 - i : width // 2 + 1 + i]
        if np.sum(square) / total > threshold:
            return 2 * i + 1, (2 * i + 1) / height * (2 * i + 1) / width
    return None


def logarithm(scores):
    scores = np.log10(scores + 1)
    return scores / np.max(scores)


def linear(scores):
    return scores / np.max(scores)


def fifth_root(scores):
    scores = np.power(scores, 0.2)
    return scores / np.max(scores)


def luo(model, layer, images):
    """Mean absolute gradient of a 1 at the center of every channel, and its effective side."""
    total = np.zeros(images.shape[2:])
    for image in images:
        sample = image[None].clone().requires_grad_()
        maps = features(model, layer, sample)
        ones = torch.zeros_like(maps)
        ones[:, :, maps.shape[2] // 2, maps.shape[3] // 2] = 1
        maps.backward(ones)
        total += sample.grad[0].abs().mean(0).numpy()
    return total / len(images)


def luo_side(values, center):
    return float(np.sqrt(np.sum(values > (1 - 0.9545) * values[center])))


def plain(model, layer, images, unit):
    """Our own protocol: absolute gradient of the sum over channels at (row, column), mean over colours and images."""
    total = np.zeros(images.shape[2:])
    for image in images:
        sample = image[None].clone().requires_grad_()
        row, column = unit
        scalar = features(model, layer, sample)[0, :, row, column].sum()
        total += torch.autograd.grad(scalar, sample)[0][0].abs().mean(0).numpy()
    return total / total.sum()
