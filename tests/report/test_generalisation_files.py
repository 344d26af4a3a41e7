"""The files of the train on / test on board."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from mrbench.api.comparing import transfer_table
from mrbench.core.errors import RequestError
from mrbench.core.metric import Metric
from mrbench.engine.store import RowStore
from mrbench.report import generalisation
from mrbench.stats.generalisation import Transfers
from tests.rows import row_of

PSNR = Metric("psnr_db", "PSNR", "dB", True, (0, float("inf")), decimals=2)
NAN = float("nan")
TABLE = pd.DataFrame(
    [
        ("net|a", "heads, x2", "heads, x2", True, 5, 0, 30.0, 29.0, 31.0, NAN),
        ("net|a", "heads, x2", "brains, x2", False, 5, 1, 28.0, NAN, NAN, 2.0),
        ("net|a", "brains, x2", "heads, x2", False, 5, 0, 27.0, 26.0, 28.0, NAN),
    ],
    columns=["method", "tested_on", "trained_on", "home", "n_cases", "n_failed", "mean", "low", "high", "loss"],
)
RESULT = Transfers(TABLE, pd.DataFrame(columns=["method", "tested_on", "trained_on", "reason"]))


def test_markdown_marks_weights_at_home_and_says_what_others_lose() -> None:
    text = generalisation.sheet("super-resolution", PSNR, RESULT).markdown
    assert r"| `net\|a` | heads, x2 | **heads, x2** | 5 | 30.00 [29.00, 31.00] |  |" in text
    assert r"| `net\|a` | heads, x2 | brains, x2 | 5 (1 failed) | 28.00 | 2.00 |" in text
    assert "### super-resolution: train on / test on" in text and "how much worse in dB" in text


def test_csv_is_unrounded() -> None:
    lines = list(csv.DictReader(io.StringIO(generalisation.csv(PSNR, TABLE))))
    assert list(lines[0])[:4] == ["method", "tested_on", "trained_on", "home"] and lines[1]["lost"] == "2"
    assert lines[0]["home"] == "true" and lines[1]["low"] == ""


def test_files_are_table_and_a_figure_a_method(tmp_path: Path) -> None:
    path = generalisation.write_generalisation(tmp_path, "super-resolution", PSNR, RESULT, ["Of brains: old rows."])
    assert path == tmp_path / "generalisation.md" and path.read_text().endswith("Of brains: old rows.\n")
    assert {file.name for file in tmp_path.iterdir()} == {
        "generalisation.md",
        "generalisation.csv",
        "generalisation_net_a.pdf",
    }


def test_the_heatmap_holds_every_mean_and_frames_those_at_home() -> None:
    drawn = generalisation.heatmap("super-resolution: net", PSNR, TABLE)
    texts = {text.get_text() for text in drawn.axes[0].texts}
    assert texts == {"30.00", "28.00", "27.00"} and len(drawn.axes[0].patches) == 1


def test_a_table_without_lines_says_who_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "t" / "d").mkdir(parents=True)
    RowStore(tmp_path / "t" / "d" / "rows.jsonl").append(
        row_of("net", 0, {"dice": 0.5}, kind="learned", weights="0123")
    )
    with pytest.raises(RequestError, match=r"every learned method is left out; net has weights that are not installed"):
        transfer_table(tmp_path)
