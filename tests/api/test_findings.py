"""`mrbench findings`: the claims that ship, and claims of one's own, held against folders of rows."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from tests.stats.test_claims import rows
from typer.testing import CliRunner

import mrbench
from mrbench import api
from mrbench.api.trainings import training_of, trainings
from mrbench.cli.app import app
from mrbench.core.errors import MrbenchError, RequestError
from mrbench.core.method import Method
from mrbench.core.registry import dataset_names, find_method, find_task, method_names, task_names
from mrbench.core.specification import parse_spec
from mrbench.stats.claims import Claim, matching, parse_claims

ROOT = Path(__file__).parents[2]
CLAIM = """
[[claims]]
id = "demons"
task = "registration"
claim = "Demons align."
source = "Thirion 1998"
refuted_by = "identity ahead"
tests = [{ boards = "registration/*", metric = "dice", first = "demons", second = "identity" }]
"""


def shipped_claims() -> tuple[Claim, ...]:
    return parse_claims(tomllib.loads(files("mrbench.report").joinpath("claims.toml").read_text()), "claims.toml")


@pytest.fixture
def boards(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "registration" / "t" / "d"
    folder.mkdir(parents=True)
    lines = [one.to_json() for one in [*rows("demons", 0.7), *rows("identity", 0.6)]]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n")
    (tmp_path / "claims.toml").write_text(CLAIM)
    return tmp_path


def test_the_page_of_this_repository_is_made_from_its_rows(tmp_path: Path) -> None:
    findings = mrbench.findings(ROOT / "results")
    assert {one.claim.task for one in findings} == set(task_names())
    for one in findings:
        metrics = {metric.name for metric in find_task(one.claim.task).metrics} | {"cpu_seconds"}
        assert {test.metric for test in one.claim.tests} <= metrics
    api.write_findings(findings, tmp_path / "findings.md", tmp_path / "findings.json")
    current = (tmp_path / "findings.md").read_text() == (ROOT / "docs" / "findings.md").read_text()
    assert current, "rows, weights or claims have changed: make the page again by `mrbench findings results`"


def test_claims_of_ones_own_by_command(boards: Path) -> None:
    ask = ["findings", str(boards / "results"), "--claims", str(boards / "claims.toml")]
    done = CliRunner().invoke(app, ask)
    assert done.exit_code == 0 and "supported: Demons align." in done.stdout
    entry = json.loads((boards / "results" / "findings.json").read_text())["findings"]
    assert [one["verdict"] for one in entry] == ["supported"]
    assert "better on 12 of 12" in (boards / "results" / "findings.md").read_text()
    first = (boards / "results" / "findings.json").read_bytes()
    CliRunner().invoke(app, ask)
    assert (boards / "results" / "findings.json").read_bytes() == first


def test_a_folder_without_boards_is_a_mistake(tmp_path: Path, boards: Path) -> None:
    """A page on which nothing was tested took the place of the one that was there."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(RequestError, match="holds no board"):
        mrbench.findings(tmp_path / "empty")
    done = CliRunner().invoke(app, ["findings", str(tmp_path / "empty")])
    assert isinstance(done.exception, RequestError)
    assert not list((tmp_path / "empty").iterdir())
    assert {one.verdict for one in mrbench.findings(boards / "results", only=["larger-kernels"])} == {"not tested here"}


def test_bad_requests_are_one_sentence(boards: Path) -> None:
    for options, message in (
        ({"results": boards / "nowhere"}, "is no folder"),
        ({"results": boards / "results", "only": ["demon"]}, "unknown claim 'demon'"),
        ({"results": boards / "results", "claims": boards / "none.toml"}, "cannot be read as TOML"),
        ({"results": boards / "results", "claims": boards / "results" / "registration"}, "cannot be read as TOML"),
    ):
        with pytest.raises(MrbenchError, match=message):
            mrbench.findings(**options)
    again = boards / "results" / "copy"
    again.mkdir()
    (again / "rows.jsonl").write_text((boards / "results" / "registration" / "t" / "d" / "rows.jsonl").read_text())
    with pytest.raises(RequestError, match="two folders hold boards of registration/t/d"):
        mrbench.findings(boards / "results", claims=boards / "claims.toml")


def one_of(pattern: str, task: str) -> list[Method]:
    """Methods whose rows a pattern could name, built with the parameters that it gives."""
    head, bracket, inside = pattern.partition("[")
    known = [name for name in method_names(task) if matching([head], [name])]
    given = [part.strip("*]") for part in inside.split(",")] if bracket else []
    spec = ",".join(part for part in given if part.partition("=")[2] and "tuned" not in part)
    return [find_method(name, task).build(**parse_spec(f"{name}[{spec}]").parameters) for name in known]


@pytest.mark.parametrize("claim", shipped_claims(), ids=lambda claim: claim.id)
def test_every_claim_that_ships_could_be_tested(claim: Claim) -> None:
    """Some asked for options or tracks that no method had, and read "not tested here" whatever was run."""
    tracks = find_task(claim.task).tracks
    for test in claim.tests:
        boards = {name: [f"{claim.task}/{name}/{data}" for data in dataset_names()] for name in tracks}
        places = [track for name, track in tracks.items() if matching(test.boards, boards[name])]
        assert places, f"no track is called as in {test.boards}"
        for side in filter(None, (test.first, test.second)):
            able = [m for pattern in side for m in one_of(pattern, claim.task)]
            assert any(not m.skip_reason(track) for m in able for track in places), f"nothing of {side} runs there"
        for pattern in (*test.first, *test.second):
            assert one_of(pattern, claim.task), f"no method is called {pattern}"
            if "*" not in pattern:
                assert str(parse_spec(pattern)) == pattern, "rows are named otherwise"


def test_a_training_counts_its_ancestors() -> None:
    link = {"dataset": "d", "train": ["a", "b"], "validation": ["c"]}
    old = {"sha256": "old", "dataset": "d", "tracks": ["t"], "steps": 100, "samples_seen": 200, "seconds": 7}
    old["ancestry"] = [{**link, "start": "scratch"}]
    new = {**old, "sha256": "new", "ancestry": [{**link, "train": ["e"], "start": "old"}, *old["ancestry"]]}
    own = training_of(new, {"old": old, "new": new})
    assert (own.samples, own.seconds, own.ancestors) == (400, 14, ("old",))
    assert own.seen == {"d": frozenset("abce")} and own.train_subjects == 1
    assert training_of(new, {"new": new}).samples is None
    assert training_of(old, {}).samples == 200


def test_every_shipped_set_of_weights_has_a_history() -> None:
    own = trainings("registration")
    assert own and all(one.weights == sha and one.seen for sha, one in own.items())
