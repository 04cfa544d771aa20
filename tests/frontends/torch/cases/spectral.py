"""Fourier transforms."""

from __future__ import annotations

import torch

from tests.frontends.torch.case import Case

X = ((2, 3, 4),)

CASES = [
    Case("rfft", lambda x: torch.fft.rfft(x).abs(), X, oracles=("nan",)),
    Case("fft2", lambda x: torch.fft.fft2(x).abs(), X, oracles=("nan",)),
    Case("irfft of real numbers", torch.fft.irfft, X, oracles=("gradient",)),
    Case("hfft of real numbers", lambda x: torch.fft.hfft(x, n=8), X, oracles=("gradient",)),
    Case("irfft2 of real numbers", lambda x: torch.fft.irfft2(x, s=(4, 8)), X, oracles=("gradient",)),
    Case("irfftn of real numbers", lambda x: torch.fft.irfftn(x, s=(4, 4)), X, oracles=("gradient",)),
    Case("irfft2", lambda x: torch.fft.irfft2(torch.fft.rfft2(x) * 2), X, oracles=("nan",)),
    Case(
        "stft",
        lambda x: torch.stft(x, 4, 2, window=torch.ones(4, dtype=torch.float64), return_complex=True).abs(),
        ((2, 8),),
        oracles=("nan",),
    ),
    Case(
        "view as real", lambda x: torch.view_as_real(torch.fft.fft(x, dim=1) * (1 + 1j)), X, oracles=("nan",)
    ),
    Case("view as complex", lambda x: torch.view_as_complex(x).abs(), ((3, 2),)),
]
