"""How a ratio is measured: CPU time of ours and of the peer, in turns, in one run.

``pytest tests/performance --benchmark-json=out.json`` and then ``python tests/performance/compare.py out.json``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from resource import RUSAGE_CHILDREN, getrusage

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

Versus = Callable[..., float]


def seconds(function: Callable[[], object]) -> float:
    """CPU time of one call, with that of the tools that it runs."""
    start = _cpu()
    function()
    return _cpu() - start


def _cpu() -> float:
    children = getrusage(RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def keep(benchmark: BenchmarkFixture, own: float, peer: float, name: str, goal: float) -> None:
    """Keep seconds of ours and of the peer, and their ratio, in the benchmark's extra info."""
    benchmark.extra_info.update(
        peer=name,
        ratio=round(peer / own, 2),
        goal=goal,
        own_ms=round(1000 * own, 2),
        peer_ms=round(1000 * peer, 2),
    )


@pytest.fixture
def versus(benchmark: BenchmarkFixture) -> Versus:
    """Measure ``versus(ours, peer, name=...)``: the ratio of the shortest times, kept in the benchmark's extra info."""

    def measure(
        ours: Callable[[], object], peer: Callable[[], object], *, name: str, goal: float = 1, repeats: int = 3
    ) -> float:
        ours()  # compiled, and in the cache of the processor
        times = [(seconds(ours), seconds(peer)) for _ in range(repeats)]
        own, other = (min(column) for column in zip(*times, strict=True))
        benchmark.pedantic(ours, rounds=repeats)
        keep(benchmark, own, other, name, goal)
        return other / own

    return measure
