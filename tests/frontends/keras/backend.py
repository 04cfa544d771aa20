"""Keras under the PyTorch backend, which is chosen when Keras is imported: import it from here."""

from __future__ import annotations

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

__all__ = ["keras"]
