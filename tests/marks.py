"""Marks of single values of a parametrised test."""

from __future__ import annotations

import pytest


def slow(*values: object):
    """Values with which a test is no part of the inner loop."""
    return pytest.param(*values, marks=pytest.mark.slow)
