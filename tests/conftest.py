"""What holds for every test."""

import os

# Before anything imports torch: test workers share the cores, so each computes on one thread.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

# Slow machines must not fail a correct property; in CI the same examples run every time.
settings.register_profile("house", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("house")
