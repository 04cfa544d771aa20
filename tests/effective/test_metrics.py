"""Metrics against plain definitions, SciPy's fit, and maps whose answers are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import curve_fit

from eyeshot.effective import metrics

MAPS = arrays(
    np.float64,
    st.tuples(st.integers(3, 12), st.integers(3, 12)),
    elements=st.floats(0, 1, allow_subnormal=False).filter(lambda x: x == 0 or x > 1e-6),
).filter(lambda values: values.sum() > 0)


def bell(shape, center, sigma):
    grids = np.meshgrid(*map(np.arange, shape), indexing="ij")
    return np.exp(-sum(((g - c) / s) ** 2 for g, c, s in zip(grids, center, sigma, strict=True)) / 2)


@settings(max_examples=40)
@given(MAPS, st.floats(0.05, 1))
def test_the_square_is_the_smallest_that_holds_the_share(values, share):
    center = (values.shape[0] // 2, values.shape[1] // 3)
    area = metrics.square(values, center, share)

    def held(half):
        rows = slice(max(0, center[0] - half), center[0] + half + 1)
        columns = slice(max(0, center[1] - half), center[1] + half + 1)
        return values[rows, columns]

    half = round((area.side - 1) / 2)
    assert held(half).sum() >= share * values.sum() * (1 - 1e-9)
    assert area.held == pytest.approx(held(half).sum() / values.sum())
    assert area.pixels == held(half).size
    assert area.ratio == area.pixels / values.size
    if half:
        assert held(half - 1).sum() < share * values.sum()


@settings(max_examples=40)
@given(MAPS, st.floats(0.05, 1))
def test_the_densest_pixels_are_the_fewest(values, share):
    area = metrics.densest(values, share)
    ordered = sorted(values.ravel(), reverse=True)
    assert sum(ordered[: area.pixels]) >= share * values.sum() * (1 - 1e-9)
    if area.pixels > 1:
        assert sum(ordered[: area.pixels - 1]) < share * values.sum()
    assert (values >= metrics.level(values, share)).sum() >= area.pixels
    assert (values > metrics.level(values, share)).sum() < area.pixels


@settings(max_examples=40)
@given(MAPS)
def test_moments_are_those_of_a_sample(values):
    """The map as a cloud of points: NumPy's own weighted covariance."""
    places = np.argwhere(np.ones_like(values))
    found = metrics.moments(values)
    assert found.center == pytest.approx(np.average(places, axis=0, weights=values.ravel()))
    expected = np.cov(places.T, aweights=values.ravel(), bias=True)
    assert np.asarray(found.covariance) == pytest.approx(expected, abs=1e-9)


def test_anisotropy_is_that_of_the_longest_direction_not_of_an_axis():
    grid = np.stack(np.meshgrid(np.arange(61), np.arange(61), indexing="ij"), -1) - 30.0
    turn = np.array([[1, 1], [-1, 1]]) / np.sqrt(2)
    along = grid @ turn
    values = np.exp(-((along[..., 0] / 9) ** 2 + (along[..., 1] / 3) ** 2) / 2)
    assert metrics.moments(values).anisotropy == pytest.approx(3, rel=1e-2)
    assert metrics.moments(np.eye(9)).anisotropy > 1e6
    assert metrics.moments(np.pad([[1.0]], 4)).anisotropy == 1


@settings(max_examples=40)
@given(MAPS, st.floats(0, 9))
def test_mass_within_a_radius(values, radius):
    center = (1, 2)
    expected = sum(
        values[y, x]
        for y, x in np.ndindex(values.shape)
        if (y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2
    )
    assert metrics.within(values, center, radius) == pytest.approx(expected / values.sum())


@settings(max_examples=40)
@given(MAPS)
def test_gini_is_the_mean_difference(values):
    flat = values.ravel()
    expected = np.abs(flat[:, None] - flat[None]).mean() / (2 * flat.mean())
    assert metrics.concentration(values) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("shape", "center", "sigma"),
    [
        ((60, 80), (27.3, 41.0), (4.0, 9.5)),
        ((90,), (40.2,), (6.0,)),
        ((20, 22, 24), (9, 11.5, 12), (2, 3, 4)),
    ],
)
def test_a_gaussian_is_found(shape, center, sigma):
    found = metrics.gaussian(bell(shape, center, sigma))
    assert found.center == pytest.approx(center, abs=1e-6)
    assert found.sigma == pytest.approx(sigma, rel=1e-6)
    assert found.r_squared == pytest.approx(1)


def test_the_fit_is_scipys():
    """On something that is none: noise, a tail, a second hill."""
    rng = np.random.default_rng(3)
    values = (
        bell((40, 50), (18, 24), (5, 7)) + 0.4 * bell((40, 50), (28, 34), (9, 4)) + 0.1 * rng.random((40, 50))
    )
    values /= values.sum()
    y, x = np.meshgrid(np.arange(40), np.arange(50), indexing="ij")

    def model(_, amount, cy, cx, sy, sx):
        hill = np.exp(-(((y - cy) / sy) ** 2 + ((x - cx) / sx) ** 2) / 2)
        return (amount * hill / (2 * np.pi * sy * sx)).ravel()

    fitted = curve_fit(model, None, values.ravel(), (1, 20, 25, 6, 6))[0]
    ours = metrics.gaussian(values)
    assert (ours.share, *ours.center, *ours.sigma) == pytest.approx(fitted, rel=1e-4)
    residual = values.ravel() - model(None, *fitted)
    assert ours.r_squared == pytest.approx(1 - residual.var() / values.var(), abs=1e-6)


@settings(max_examples=15)
@given(MAPS)
def test_a_fit_never_is_worse_than_its_start_and_never_raises(values):
    found = metrics.gaussian(values)
    assert found is None or found.r_squared <= 1 + 1e-9
