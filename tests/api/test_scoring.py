"""Predictions of strangers, scored without code: as the same method's rows of a run, or refused in one sentence."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from tests.kspace_phantom import acquire, write_fastmri
from tests.marks import slow
from typer.testing import CliRunner

import mrbench
from mrbench.api import scoring
from mrbench.api.boards import publish
from mrbench.cli import app
from mrbench.core.binding import bind
from mrbench.core.errors import DataError, RequestError
from mrbench.core.row import Row
from mrbench.engine.predictions import prediction_path
from mrbench.engine.store import RowStore
from mrbench.physics.fourier import root_sum_of_squares, to_image

METHOD = """
import numpy as np
from mrbench import method


def centre(mask):
    return np.array([np.mean(places) for places in np.nonzero(mask)])


@method(task="registration")
def shift(inputs):
    \"\"\"Centres onto each other, with a ripple, so that no two axes are alike.\"\"\"
    move = centre(inputs.moving_mask) - centre(inputs.fixed_mask)
    ripple = 0.4 * np.sin(np.indices(inputs.fixed.shape) / np.array([3, 5, 4])[:, None, None, None])
    return (move[:, None, None, None] + ripple).astype(np.float32)
"""


@pytest.fixture(scope="module")
def run(cohort: Path, tmp_path_factory: pytest.TempPathFactory):
    """A board of one method on the blobs, and its fields by case."""
    patch = pytest.MonkeyPatch()
    folder = tmp_path_factory.mktemp("scored")
    patch.setenv("MRBENCH_CACHE", str(folder / "cache"))
    (folder / "mine.py").write_text(METHOD)
    board = mrbench.run(
        "registration", dataset=f"folder:{cohort}", methods=[f"Run={folder}/mine.py:shift"], out=folder / "out"
    )
    fields = {row.case: np.load(prediction_path(str(row.prediction))) for row in board.rows}
    patch.undo()
    return folder, board, fields


@pytest.fixture(autouse=True)
def _quick(run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache of the run, and no figures: they have tests of their own."""
    monkeypatch.setenv("MRBENCH_CACHE", str(run[0] / "cache"))
    monkeypatch.setattr(scoring, "publish", partial(publish, figures=False))


def itk(field: np.ndarray) -> sitk.Image:
    """The field as a tool of ITK's writes it: 2 mm voxels, origin 0, mm to the left, the back and up, x first."""
    mm = np.moveaxis(2.0 * field.astype(np.float64)[::-1], 0, -1) * (-1, -1, 1)
    image = sitk.GetImageFromArray(mm, isVector=True)
    image.SetSpacing((2, 2, 2))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    return image


def ants(folder: Path, fields: dict[str, np.ndarray]) -> None:
    for case, field in fields.items():
        sitk.WriteImage(itk(field), str(folder / f"{case}_1Warp.nii.gz"))


def elastix(folder: Path, fields: dict[str, np.ndarray]) -> None:
    for case, field in fields.items():
        (folder / case).mkdir()
        sitk.WriteImage(sitk.Cast(itk(field), sitk.sitkVectorFloat32), str(folder / case / "deformationField.mha"))


def learn2reg(folder: Path, fields: dict[str, np.ndarray]) -> None:
    """``disp_<fixed>_<moving>.npz``, ``(3, x, y, z)``: subjects are b3, b4 and b5."""
    for case, field in fields.items():
        moving, fixed = (int(subject[1:]) for subject in case.split("_to_"))
        np.savez_compressed(folder / f"disp_{fixed:04d}_{moving:04d}.npz", field[::-1].transpose(0, 3, 2, 1))


def composite(folder: Path, fields: dict[str, np.ndarray]) -> None:
    for case, field in fields.items():
        warp = sitk.DisplacementFieldTransform(sitk.Cast(itk(field), sitk.sitkVectorFloat64))
        sitk.WriteTransform(sitk.CompositeTransform([sitk.TranslationTransform(3), warp]), str(folder / f"{case}.h5"))


def score(run, predictions: Path, cohort: Path, **options):
    given = {"out": run[0] / "out", "dataset": f"folder:{cohort}", **options}
    return mrbench.score("registration", predictions=predictions, **given)


@pytest.mark.parametrize("tool", [ants, elastix, learn2reg, slow(composite)])
def test_fields_of_strangers_score_as_the_run_does(run, cohort: Path, tmp_path: Path, tool) -> None:
    _, ran, fields = run
    tool(tmp_path, fields)
    board = score(run, tmp_path, cohort, name=tool.__name__)
    own = {row.case: row for row in board.rows if row.method == tool.__name__}
    assert len(own) == 3 and not board.failed and not board.notices
    for row in ran.rows:
        assert own[row.case].metrics == pytest.approx(row.metrics, rel=1e-5, abs=1e-6)
        assert (own[row.case].kind, own[row.case].seconds, own[row.case].message) == ("external", None, "")
    assert "Run" in board.leaderboard.summary.index and tool.__name__ in board.leaderboard.summary.index
    assert any(tool.__name__ in note and "Made elsewhere" in note for note in board.report.caption.notes)


@pytest.mark.slow
def test_a_fastmri_file_scores_as_the_run_does(tmp_path: Path) -> None:
    raw, theirs = tmp_path / "scans", tmp_path / "theirs"
    raw.mkdir()
    theirs.mkdir()
    lines = ["subject,split,kspace"]
    scale = np.float32(3e-5)  # files of fastMRI are of this order
    for number in range(2):
        scan = acquire(2, 4, seed=number)
        object.__setattr__(scan, "kspace", scan.kspace * scale)
        object.__setattr__(scan, "reference", scan.reference * scale)
        write_fastmri(raw / f"s{number}.h5", scan)
        lines.append(f"s{number},test,s{number}.h5")
    (raw / "subjects.csv").write_text("\n".join(lines))
    run = mrbench.run("reconstruction", dataset=f"folder:{raw}", methods=["zero-filled"], out=tmp_path / "out")
    setting = bind("reconstruction", f"folder:{raw}", run.rows[0].track)
    for case in setting.all_cases:
        mask = setting.load(case).inputs.mask
        with h5py.File(raw / f"{case.subjects[0]}.h5") as source, h5py.File(theirs / f"{case.id}.h5", "w") as file:
            file["reconstruction"] = root_sum_of_squares(to_image(np.where(mask[:, None], source["kspace"][()], 0)))
    board = mrbench.score(
        "reconstruction", dataset=f"folder:{raw}", predictions=theirs, name="Theirs", out=tmp_path / "out"
    )
    own = {row.case: row for row in board.rows if row.method == "Theirs"}
    for row in run.rows:
        assert own[row.case].metrics == pytest.approx(row.metrics, rel=1e-4)
    written = mrbench.export(run.folder, tmp_path / "files", format="fastmri")
    assert dict(written["method"].value_counts()) == {"zero-filled": len(run.rows), "Theirs": len(run.rows)}
    assert not written["left_out"].any() and all(Path(path).is_file() for path in written["path"])


@pytest.mark.parametrize("form", ["learn2reg", "itk", "npy"])
def test_what_is_exported_scores_the_same(run, cohort: Path, tmp_path: Path, form: str) -> None:
    _, ran, _ = run
    written = mrbench.export(ran.folder, tmp_path, format=form, methods=["Run"])
    assert list(written["method"]) == ["Run"] * 3 and not written["left_out"].any()
    board = score(run, tmp_path / "Run", cohort, name=f"Again {form}", out=tmp_path / "out")
    for row, again in zip(ran.rows, board.rows, strict=True):
        assert again.metrics == pytest.approx(row.metrics, rel=1e-5, abs=1e-6)


def test_times_missing_cases_and_surplus_files(run, cohort: Path, tmp_path: Path) -> None:
    _, _, fields = run
    (tmp_path / "first").mkdir()
    cases = list(fields)
    ants(tmp_path / "first", {case: fields[case] for case in cases[:2]} | {"b9_to_b3": fields[cases[0]]})
    (tmp_path / "first/times.csv").write_text(f"case,seconds\n{cases[0]},1.5\n")
    board = score(run, tmp_path / "first", cohort, out=tmp_path / "out")
    rows = {row.case: row for row in board.rows}
    assert [rows[case].status for case in cases] == ["ok", "ok", "invalid"] and board.failed
    assert "no file in" in rows[cases[2]].message
    assert [rows[case].seconds for case in cases] == [1.5, None, None]
    assert len(board.notices) == 1 and "b9_to_b3_1Warp.nii.gz is no case's" in board.notices[0]
    done = CliRunner().invoke(
        app,
        [
            "score",
            "-t",
            "registration",
            "-d",
            f"folder:{cohort}",
            "-p",
            str(tmp_path / "first"),
            "--out",
            str(tmp_path / "out"),
        ],
    )
    assert done.exit_code == 1 and "is no case's" in done.output.replace("\n", "")


def test_a_faulty_file_is_its_row(run, cohort: Path, tmp_path: Path) -> None:
    """a prediction cannot be read -> a row for its case"""
    _, _, fields = run
    ants(tmp_path, fields)
    first, second, _ = sorted(tmp_path.glob("*.nii.gz"))
    first.write_bytes(first.read_bytes()[:500])
    infinite = next(iter(fields.values())).copy()
    infinite[0, 0, 0, 0] = np.nan
    sitk.WriteImage(itk(infinite), str(second))
    board = score(run, tmp_path, cohort, out=tmp_path / "out")
    assert [row.status for row in board.rows] == ["invalid", "invalid", "ok"]
    assert "truncated" in board.rows[0].message and "NaN" in board.rows[1].message


@pytest.mark.slow
def test_a_changed_file_changes_the_row_and_its_key(run, cohort: Path, tmp_path: Path) -> None:
    _, _, fields = run
    files = tmp_path / "files"
    files.mkdir()
    ants(files, fields)
    before = score(run, files, cohort, out=tmp_path / "out").rows
    ants(files, {case: 0.5 * field for case, field in fields.items()})
    after = score(run, files, cohort, out=tmp_path / "out").rows
    assert len(after) == 3 and all(
        a.key != b.key and a.metrics != b.metrics for a, b in zip(after, before, strict=True)
    )
    again = score(run, files, cohort, out=tmp_path / "out").rows
    assert [row.key for row in again] == [row.key for row in after]


def mistaken(folder: Path, fields: dict[str, np.ndarray]) -> None:
    """ITK's numbers without its header: millimetres, x first, LPS, saved as mrbench's own arrays."""
    for case, field in fields.items():
        np.save(
            folder / f"{case}.npy", (2 * field[::-1] * np.array([-1, -1, 1])[:, None, None, None]).astype(np.float32)
        )


@pytest.mark.slow
def test_another_convention_is_named_and_never_applied_silently(run, cohort: Path, tmp_path: Path) -> None:
    _, ran, fields = run
    files = tmp_path / "files"
    files.mkdir()
    mistaken(files, fields)
    board = score(run, files, cohort, out=tmp_path / "out")
    assert "--convention mm-xyz-lps-pull" in board.notices[0] and board.notices[0] == board.rows[0].message
    assert board.rows[0].metrics["dice"] < ran.rows[0].metrics["dice"] - 0.1
    for convention in ("mm-xyz-lps-pull", "auto"):
        board = score(run, files, cohort, out=tmp_path / "out", convention=convention)
        assert not board.notices
        for row, own in zip(ran.rows, board.rows, strict=True):
            assert own.metrics == pytest.approx(row.metrics, rel=1e-5)
    record = list(json.loads((board.folder / "run.json").read_text())["runs"].values())[-1]
    assert record["convention"] == "mm-xyz-lps-pull" and record["format"] == "npy"


@pytest.mark.parametrize("convention", [None, "mm-xyz-lps-pull", "auto"])
def test_fields_are_scored_where_no_labels_tell_their_convention(
    run, cohort: Path, tmp_path: Path, convention: str | None
) -> None:
    bare = shutil.copytree(cohort, tmp_path / "bare")
    table = pd.read_csv(bare / "subjects.csv", dtype=str).drop(columns="labels")
    table.to_csv(bare / "subjects.csv", index=False)
    (tmp_path / "files").mkdir()
    ants(tmp_path / "files", run[2])
    command = ["score", "-t", "registration", "-d", f"folder:{bare}", "-p", str(tmp_path / "files")]
    command += ["--convention", convention] if convention else []
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    if convention == "auto":
        assert isinstance(done.exception, RequestError) and "without labels nobody can tell" in str(done.exception)
    else:
        assert done.exit_code == 0, done.output


def still(folder: Path, fields: dict[str, np.ndarray]) -> None:
    for case, field in fields.items():
        np.save(folder / f"{case}.npy", 0 * field)


@pytest.mark.parametrize(
    ("write", "options", "message"),
    [
        (still, {"convention": "auto"}, "in no convention"),
        (ants, {"convention": "mm-xyz"}, "did you mean 'mm-xyz-lps-pull'"),
        (ants, {"format": "fastmri"}, "unknown format of a prediction that is a displacement field"),
        (ants, {"name": "Run"}, "give these predictions another --name"),
        (ants, {"split": "nowhere"}, "unknown split"),
        (lambda folder, fields: None, {}, "no file in"),
        (lambda folder, fields: (ants(folder, fields), still(folder / "x", {})), {"dataset": "icbm-sim"}, "no file in"),
    ],
)
def test_bad_requests_are_refused_and_nothing_is_written(run, cohort, tmp_path: Path, write, options, message) -> None:
    _, ran, fields = run
    (tmp_path / "files").mkdir()
    write(tmp_path / "files", fields)
    before = (ran.folder / "rows.jsonl").read_bytes(), (ran.folder / "run.json").read_bytes()
    with pytest.raises(RequestError, match=message):
        score(run, tmp_path / "files", cohort, **options)
    assert before == ((ran.folder / "rows.jsonl").read_bytes(), (ran.folder / "run.json").read_bytes())


def test_two_formats_are_refused_and_nothing_is_written(run, cohort: Path, tmp_path: Path) -> None:
    _, _, fields = run
    (tmp_path / "files").mkdir()
    ants(tmp_path / "files", fields)
    last = sorted((tmp_path / "files").iterdir())[-1]
    last.unlink()
    np.save(tmp_path / "files" / last.name.replace("_1Warp.nii.gz", ".npy"), next(iter(fields.values())))
    with pytest.raises(RequestError, match="two formats"):
        score(run, tmp_path / "files", cohort, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def cut(path: Path) -> None:
    image = nib.load(path)
    nib.Nifti1Image(np.asarray(image.dataobj)[1:], image.affine, image.header).to_filename(path)


def moved(path: Path) -> None:
    image = nib.load(path)
    affine = image.affine.copy()
    affine[0, 3] += 5
    nib.Nifti1Image(np.asarray(image.dataobj), affine, image.header).to_filename(path)


def shut(path: Path) -> None:
    """No file at all behind the name: a folder's permissions do not count for root."""
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [(cut, "resample it to the case's grid"), (moved, "voxels away from those of its case"), (shut, "cannot be read")],
)
@pytest.mark.parametrize("place", [0, 2])
def test_a_prediction_that_does_not_fit_costs_its_own_case_alone(
    run, cohort: Path, tmp_path: Path, spoil, message: str, place: int
) -> None:
    """a prediction lies on another grid than its case -> a row for its case, and the other cases are scored"""
    _, ran, fields = run
    ants(tmp_path, fields)
    files = sorted(tmp_path.glob("*.nii.gz"))
    spoil(files[place])
    command = ["score", "-t", "registration", "-d", f"folder:{cohort}", "-p", str(tmp_path), "--name", "Theirs"]
    done = CliRunner().invoke(app, [*command, "--out", str(tmp_path / "out")])
    said = " ".join(done.output.split())
    assert done.exit_code == 1, done.output
    assert "2 of 3 cases of Theirs are scored; of 1 that failed the first is" in said and message in said
    assert "of no single method" not in said
    rows = {row.case: row for row in RowStore(next((tmp_path / "out").rglob("rows.jsonl"))).read()}
    spoiled = next(case for case in fields if files[place].name.startswith(case))
    assert {case for case, row in rows.items() if row.status == "invalid"} == {spoiled}
    assert files[place].name in rows[spoiled].message
    for row in ran.rows:
        if row.case != spoiled:
            assert rows[row.case].metrics == pytest.approx(row.metrics, rel=1e-5, abs=1e-6)


def test_what_was_scored_stays_when_scoring_is_stopped(
    run, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """scoring of predictions is stopped -> the rows that were scored are there"""
    ants(tmp_path, run[2])
    own, calls = scoring._Work.row, []

    def row(self, case, *rest):
        calls.append(case)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return own(self, case, *rest)

    monkeypatch.setattr(scoring._Work, "row", row)
    with pytest.raises(KeyboardInterrupt):
        score(run, tmp_path, cohort, out=tmp_path / "out")
    assert [row.status for row in RowStore(next((tmp_path / "out").rglob("rows.jsonl"))).read()] == ["ok", "ok"]


def test_a_fault_of_a_metric_is_its_row(run, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ants(tmp_path, run[2])
    task = type(bind("registration", f"folder:{cohort}").task)
    monkeypatch.setattr(task, "score", lambda *_: 1 / 0)
    board = score(run, tmp_path, cohort, out=tmp_path / "out")
    assert {(row.status, row.message) for row in board.rows} == {
        ("error", "cannot be scored: ZeroDivisionError: division by zero")
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("case;time\n", "lacks the column case or seconds"),
        ("case,seconds\nb3_to_b4,fast\n", "line 2: seconds are not a number"),
        ("case,seconds\nb3_to_b9,1\n", "unknown case in"),
        ("case,seconds\nb3_to_b4,-1\n", "0 or more"),
    ],
)
def test_bad_tables_of_times_are_refused(run, cohort: Path, tmp_path: Path, table: str, message: str) -> None:
    ants(tmp_path, run[2])
    (tmp_path / "times.csv").write_text(table)
    with pytest.raises((DataError, RequestError), match=message):
        score(run, tmp_path, cohort, out=tmp_path / "out")


def test_export_refuses_what_is_not_there(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, ran, _ = run
    with pytest.raises(RequestError, match="did you mean 'Run'"):
        mrbench.export(ran.folder, tmp_path, methods=["Ru"])
    with pytest.raises(RequestError, match="unknown format to write 'fsl'"):
        mrbench.export(ran.folder, tmp_path, format="fsl")
    with pytest.raises(RequestError, match="no rows"):
        mrbench.export(tmp_path, tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(RequestError, match="give another --out"):
        mrbench.export(ran.folder, tmp_path / "file")
    monkeypatch.setenv("MRBENCH_CACHE", str(tmp_path / "other"))
    with pytest.raises(RequestError, match="not in the cache of this machine: `mrbench run` with --repredict"):
        mrbench.export(ran.folder, tmp_path)


def test_what_is_left_out_is_named(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed row, a prediction that was pruned, a case that one method lacks; names that are alike as folders."""
    _, ran, _ = run
    rows = [replace(row, method=name) for name in ("a[b=1]", "a(b=1)") for row in ran.rows if row.method == "Run"]
    rows[0] = replace(rows[0], status="error", message="no convergence")
    rows[1] = replace(rows[1], prediction="0" * 64)
    store = RowStore(tmp_path / "board/rows.jsonl")
    (tmp_path / "board").mkdir()
    for row in rows[:-1]:
        store.append(row)
    (tmp_path / "board/run.json").write_text((ran.folder / "run.json").read_text())
    table = mrbench.export(tmp_path / "board", tmp_path / "out")
    reasons = {(line.method, line.case): line.left_out for line in table.itertuples() if line.left_out}
    assert reasons == {
        ("a[b=1]", rows[0].case): "error: no convergence",
        ("a[b=1]", rows[1].case): "not in the cache of this machine",
        ("a(b=1)", rows[-1].case): "it has no row",
    }
    assert len(table) == 6 and len(set(table["path"])) == 4
    assert all(Path(path).is_file() for path in table["path"] if path)
    (last,) = {Path(path).parent for path in table[table["method"] == "a(b=1)"]["path"] if path}
    alone = mrbench.export(tmp_path / "board", tmp_path / "out", methods=["a(b=1)"])
    assert {Path(path).parent for path in alone["path"] if path} == {last}  # not into the folder of the other


def test_names_of_methods_stay_in_the_folder(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A board's file chooses no path."""
    _, ran, _ = run
    (tmp_path / "board").mkdir()
    store = RowStore(tmp_path / "board/rows.jsonl")
    for row in ran.rows:
        store.append(Row(**{**vars(row), "method": "../../evil"}))
    (tmp_path / "board/run.json").write_text((ran.folder / "run.json").read_text())
    mrbench.export(tmp_path / "board", tmp_path / "a/b/out")
    assert not list(tmp_path.glob("evil*")) and [p.name for p in (tmp_path / "a/b/out").iterdir()] == ["_.._evil"]


def test_a_long_name_of_a_method_has_a_folder(run, tmp_path: Path) -> None:
    """A shell command may be a name, longer than that of a file can be."""
    _, ran, _ = run
    (tmp_path / "board").mkdir()
    store = RowStore(tmp_path / "board/rows.jsonl")
    for number, row in enumerate(row for row in ran.rows if row.prediction):
        store.append(Row(**{**vars(row), "method": f"{'ü' * 300}{number % 2}"}))
    (tmp_path / "board/run.json").write_text((ran.folder / "run.json").read_text())
    made = mrbench.export(tmp_path / "board", tmp_path / "out")
    assert (made["path"] != "").any() and all(len(p.name.encode()) < 255 for p in (tmp_path / "out").iterdir())


def test_a_run_does_not_write_over_scored_predictions(run, cohort: Path, tmp_path: Path) -> None:
    """They were deleted, or with --limit averaged with the method's own, without a word."""
    folder, _, fields = run
    (tmp_path / "files").mkdir()
    still(tmp_path / "files", fields)
    board = score(run, tmp_path / "files", cohort, out=tmp_path / "out", name="Ours")
    before = (board.folder / "rows.jsonl").read_bytes()
    method = f"Ours={folder}/mine.py:shift"
    with pytest.raises(
        RequestError, match="scored as 'Ours'; give the method another name, -m Other=Ours, or run into"
    ):
        mrbench.run("registration", dataset=f"folder:{cohort}", methods=[method], limit=1, out=tmp_path / "out")
    assert before == (board.folder / "rows.jsonl").read_bytes()
