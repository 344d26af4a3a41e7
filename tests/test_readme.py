"""README and docs/ tell the truth: tables are those of the rows, examples run, commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import numpy as np
import pytest
from docs import directives, readme
from typer.main import get_command

from mrbench.api.boards import report_of
from mrbench.cli import app
from mrbench.core.case import Case
from mrbench.core.method import is_tuned
from mrbench.core.registry import dataset_names, find_method, find_task, method_names, task_names
from mrbench.core.specification import parse_spec
from mrbench.report.render import Look, formats
from mrbench.tasks.denoising import DenoisingInputs
from mrbench.tasks.registration import Registration

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text() for path in sorted((ROOT / "docs").rglob("*.md"))}
BOARDS = directives.board_folders()
EXAMPLES = {
    match[1]: code
    for text in (README, *PAGES.values())
    for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    if (match := re.match(r"# (\w+\.py)\n", code))
}
COMMANDS = sorted(
    {
        line.partition("  #")[0].strip()
        for text in (README, *PAGES.values())
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
        if line.strip().startswith("mrbench ")
    }
)


def test_the_readme_is_short_and_up_to_date() -> None:
    assert len(README.splitlines()) <= 150
    assert readme.filled(README) == README, "run python docs/readme.py"
    assert "<!-- families:" in README


def test_every_directive_of_a_page_is_known_and_its_board_is_there() -> None:
    used = [match for text in PAGES.values() for match in directives.LINE.findall(text)]
    assert {name for name, _ in used} == set(directives.DIRECTIVES) - {"board", "families"}
    assert {argument.strip() for name, argument in used if name == "boards"} == set(task_names())


def test_an_unknown_directive_stops_the_build() -> None:
    with pytest.raises(KeyError):
        directives.filled("{{ no_such_thing registration }}")


def test_trust_is_read_from_names_and_docstrings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tests" / "io"
    folder.mkdir(parents=True)
    (folder / "test_a.py").write_text(
        "def test_a_line_that_is_torn_is_repaired(): ...\n"
        'def test_other():\n    """two | bars -> one sentence\n\n    More.\n    """\n'
        "def test_round_trip(): ...\ndef helper(): ...\n"
    )
    monkeypatch.setattr(directives, "ROOT", tmp_path)
    other = tmp_path / "tests" / "api"
    other.mkdir()
    (other / "test_b.py").write_text(
        'def test_a_name_is_not_enough():\n    """Words."""\n'
        'def test_more():\n    """a method hangs -> a finding that\n    says so"""\n'
    )
    monkeypatch.setattr(directives, "TRUST", ("io",))
    assert directives.trust().splitlines()[2:] == [
        "| situation | what happens |",
        "| :-- | :-- |",
        "| a line that is torn | is repaired |",
        "| two \\| bars | one sentence |",
        "",
        "Also tested: round trip.",
        "",
        "## `tests/api`",
        "",
        "| situation | what happens |",
        "| :-- | :-- |",
        "| a method hangs | a finding that says so |",
    ]


@pytest.mark.parametrize("folder", BOARDS, ids=directives.board_name)
def test_tables_in_results_are_those_of_their_rows(folder: Path) -> None:
    """as this version counts them: a table of an older one names other tests than were made"""
    (markdown,) = (module for module in formats().values() if module.FILE == "leaderboard.md")
    assert markdown.render(report_of(folder), Look()) == (folder / "leaderboard.md").read_text()


@pytest.fixture
def example(tmp_path: Path):
    """Build the method of an example of the documentation."""

    def build(spec: str, task: str):
        file, _, name = spec.partition(":")
        (tmp_path / file).write_text(EXAMPLES[file])
        return find_method(f"{tmp_path / file}:{name}", task).build()

    return build


def test_the_function_of_the_readme_registers(example, case: Case, task: Registration) -> None:
    field = task.check(case, example("mine.py:shift", "registration").predict(case.inputs))
    still = task.check(case, example("still.py:Still", "registration").predict(case.inputs))
    assert task.score(case, field).metrics["dice"] > task.score(case, still).metrics["dice"]


@pytest.mark.slow
def test_the_network_of_the_tutorial_smooths(example) -> None:
    from mrbench.core.method import Resources

    method = example("network.py:Smoother", "denoising")
    method.setup(Resources())
    noise = np.random.default_rng(0).normal(1, 0.2, (8, 9, 10)).astype(np.float32)
    prediction = method.predict(DenoisingInputs(noise, 0.2, "gaussian", (1.0, 1.0, 1.0)))
    assert prediction.shape == noise.shape
    assert prediction[1:-1, 1:-1, 1:-1].std() < noise.std() / 3


def test_a_dataset_is_a_torch_dataset_in_a_few_lines(cohort: Path) -> None:
    names: dict = {}
    exec(EXAMPLES["torch_dataset.py"], names)
    volumes = names["Volumes"](f"folder:{cohort}", "test")
    assert len(volumes) == 3
    assert volumes[0].dtype == np.float32


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_of_the_documentation_exist(line: str) -> None:
    """Verbs, options, tasks, tracks, datasets and methods that are written down are there; nothing is run."""
    _, verb, *arguments = shlex.split(line)
    command = get_command(app)
    context = click.Context(command)
    chosen = command.get_command(context, verb)  # type: ignore[attr-defined]
    assert chosen is not None, verb
    if isinstance(chosen, click.Group):
        verb, *arguments = arguments
        chosen = chosen.get_command(context, verb)
        assert chosen is not None, verb
    if {"NAME", "FOLDER"} & set(arguments):
        return
    values = chosen.make_context(verb, arguments, resilient_parsing=False).params
    if "task" not in values:
        return
    task = find_task(values["task"])
    assert values.get("track") is None or set(values["track"].split("+")) <= set(task.tracks)
    dataset = values.get("dataset") or "icbm-sim"
    assert dataset.startswith("folder:") or task.representation in dataset_names()[dataset]
    methods = values.get("method") or []
    for spec in map(parse_spec, [methods] if isinstance(methods, str) else methods):
        assert ".py" in spec.name or spec.name.startswith("cmd:") or spec.name in method_names(task.name)
        if spec.name in method_names(task.name):
            given = {name: 1.0 if is_tuned(value) else value for name, value in spec.parameters.items()}
            find_method(spec.name, task.name).build(**given)
