"""Randomness by purpose: the same draw for every method, whatever the order, workers or resume."""

from __future__ import annotations

import hashlib
import random
import sys

import numpy as np


def seed_for(name: str, purpose: str, seed: int = 0) -> int:
    """Derive a 64-bit seed from what the draw is for, never from when it happens."""
    digest = hashlib.sha256(f"{seed}|{purpose}|{name}".encode()).digest()
    return int.from_bytes(digest[:8], "little")


def rng_for(name: str, purpose: str, seed: int = 0) -> np.random.Generator:
    """Return the generator for one case (or subject) and one purpose.

    PCG64 streams are the same on every platform and NumPy version, which `default_rng` does not promise.
    """
    return np.random.Generator(np.random.PCG64(seed_for(name, purpose, seed)))


def seed_everything(seed: int) -> None:
    """Seed the global generators, from which other people's methods draw: Python's, NumPy's, PyTorch's if loaded."""
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed % 2**63)
