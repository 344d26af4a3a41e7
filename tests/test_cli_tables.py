"""Tables that users write, from the command line: a line of the wrong length is one sentence and exit code 2."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.command import mrbench

TABLES = {
    "subjects.csv": ("subject,split,T1,labels", "b9,test,3_t1.nii.gz,"),
    "pairs.csv": ("moving,fixed", "b3,b4"),
    "labels.csv": ("label,name", "1,middle"),
    "predictions/times.csv": ("case,seconds", "b3_to_b4,1"),
}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("change", ["short", "long"])
def test_a_line_of_the_wrong_length_is_named(table: str, change: str, cohort: Path, tmp_path: Path) -> None:
    """a line of a table has too few or too many fields -> refused, with the file and the line"""
    folder = Path(shutil.copytree(cohort, tmp_path / "blobs"))
    predictions = folder / "predictions"
    predictions.mkdir()
    np.save(predictions / "b3_to_b4.npy", np.zeros((3, 1, 1, 1)))
    heading, line = TABLES[table]
    path = folder / table
    written = path.read_text().splitlines() if path.is_file() else [heading]
    path.write_text("\n".join([*written, f"{line},more" if change == "long" else line.rpartition(",")[0]]))
    score = ("score", "-t", "registration", "-d", f"folder:{folder}", "-p", str(predictions))
    run = ("run", "-t", "registration", "-d", f"folder:{folder}", "-m", "identity", "--limit", "1")
    done = mrbench(*(score if "times" in table else run), cwd=tmp_path)
    several, fields = len(heading.split(",")), len(heading.split(",")) + (1 if change == "long" else -1)
    assert done.returncode == 2, done.stdout
    assert f"{table}, line {len(written) + 1} has {fields} field" in done.stderr
    assert f"{'more' if change == 'long' else 'fewer'} than the {several} of the heading" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.glob("mrbench-results/**/rows.jsonl"))


def test_index_refuses_it_too(cohort: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(cohort, tmp_path / "blobs"))
    with (folder / "subjects.csv").open("a") as file:
        file.write("b9,test\n")
    done = mrbench("data", "index", str(folder), cwd=tmp_path)
    assert done.returncode == 2 and "subjects.csv, line 10 has 2 fields, fewer than the 4 of the heading" in done.stderr
    assert not done.stdout
