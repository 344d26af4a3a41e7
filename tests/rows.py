"""A row with all that a row must say, for tests to change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mrbench.core.row import Row


def row_of(method: str, case: int | str, metrics: Mapping[str, float] | None, /, **changes: object) -> Row:
    """One row; without metrics a failure. Each case has a subject of its own unless told otherwise."""
    row = Row(
        key=f"{method}{case}",
        task="registration",
        track="t",
        dataset="d",
        simulated=False,
        fingerprint="f",
        split="test",
        protocol="p",
        method=method,
        kind="classical",
        source="s",
        weights=None,
        seed=0,
        case=f"c{case}",
        subjects=[f"s{case}"],
        status="error" if metrics is None else "ok",
        run="r",
        device="cpu",
        threads=1,
        metrics=dict(metrics or {}),
    )
    return replace(row, **changes)
