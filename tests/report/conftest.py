"""One board for all tests of this folder: its statistics are computed once."""

from __future__ import annotations

import pytest

from mrbench.report.report import Report
from tests.report import boards


@pytest.fixture(scope="session")
def report() -> Report:
    return boards.report(shown=boards.pictures())
