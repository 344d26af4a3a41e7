"""Rows as a DataFrame: every field, every metric, nothing else, and read once."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from tests.stats.rows import dice, row

import mrbench.stats.frame as frames
from mrbench.core.errors import RequestError
from mrbench.core.row import Row
from mrbench.stats.frame import COLUMNS, frame


def test_the_columns_are_the_fields_of_a_row_and_its_metrics() -> None:
    table = frame([dice("a", 0, 0.5)])
    assert list(table) == [*COLUMNS, "dice", "hd95_mm"]
    assert set(COLUMNS) - {"megavoxels"} == {f.name for f in fields(Row)} - {"key", "schema", "metrics"}
    line = table.iloc[0]
    assert line["method"] == "a" and line["subjects"] == ("s0", "s1") and line["dice"] == 0.5


def test_what_is_not_known_is_nan() -> None:
    table = frame([row("a", 0, {"x": 1.0}), row("a", 1, None), row("a", 2, {"y": 2.0}, weights="w", seconds=3.0)])
    np.testing.assert_array_equal(table["x"], [1, np.nan, np.nan])
    np.testing.assert_array_equal(table["y"], [np.nan, np.nan, 2])
    assert list(table["weights"].isna()) == [True, True, False] and list(table["seconds"].isna()) == [True, True, False]


def test_no_rows_have_the_same_columns() -> None:
    table = frame([])
    assert list(table) == list(COLUMNS) and table.empty


def test_chunks_join_as_if_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [row(f"m{n % 3}", n, {"early": n / 2} if n < 5 else {"late": 1.0 * n}) for n in range(9)]
    whole = frame(rows)
    monkeypatch.setattr(frames, "_CHUNK", 2)
    assert frame(iter(rows)).equals(whole)


def test_texts_keep_the_order_of_their_appearance() -> None:
    table = frame([row(name, 0, None) for name in ("z", "a", "m", "z")])
    assert list(table["method"].cat.categories) == ["z", "a", "m"]
    assert list(table.groupby("method").size()) == [2, 1, 1]


def test_details_can_be_left_out_and_the_size_of_the_case_stays() -> None:
    rows = [row("a", 0, {"x": 1.0}, details={"megavoxels": 2.0, "long": list(range(9))})]
    assert frame(rows)["details"].iloc[0]["long"][-1] == 8
    table = frame(rows, details=False)
    assert table["details"].iloc[0] == {} and table["megavoxels"].iloc[0] == 2.0


def test_a_metric_that_is_called_like_a_column_is_refused() -> None:
    with pytest.raises(RequestError, match="cannot be called seconds"):
        frame([row("a", 0, {"seconds": 1.0})])
