"""What the pages take from the repository itself: boards, metrics, methods, help texts, what the tests show.

A line ``{{ name arguments }}`` of a page is replaced by what the function of that name returns; a function that cannot
answer raises, and the build fails.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "results"
LINE = re.compile(r"^\{\{ ([a-z_]+)((?: [^\s{}]+)*) \}\}$", re.MULTILINE)

INTERVAL = ("mean", "low", "high")
DIRECTIVES: dict[str, Callable[..., str]] = {}


def directive(function: Callable[..., str]) -> Callable[..., str]:
    """Make a function a directive."""
    DIRECTIVES[function.__name__] = function
    return function


def filled(text: str) -> str:
    """Replace every directive of a page.

    Raises
    ------
    KeyError
        If there is no directive of that name.
    """
    return LINE.sub(lambda match: DIRECTIVES[match[1]](*match[2].split()), text)


def markdown_table(columns: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [columns, [":--"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _cell(text: str) -> str:
    """Text with its bars escaped, but for those in code, where Python-Markdown would show the backslash."""
    parts = text.replace("``", "`").replace("\n", " ").split("`")
    return "`".join(part if place % 2 else part.replace("|", "\\|") for place, part in enumerate(parts))


def board_folders(task: str = "") -> list[Path]:
    """Folders of the boards in ``results/``, of one task or of all: each holds rows and a table."""
    return sorted(path.parent for path in RESULTS.rglob("rows.jsonl") if not task or f"/{task}/" in path.as_posix())


def board_name(folder: Path) -> str:
    """``task/track/dataset`` of a board's folder."""
    return folder.relative_to(RESULTS).as_posix()


@directive
def board(name: str) -> str:
    """The table of a board with its caption, as the run wrote it from its rows."""
    return (RESULTS / name / "leaderboard.md").read_text().strip()


@directive
def boards(task: str) -> str:
    """Every board of a task: table, then where its rows are."""
    names = [board_name(folder) for folder in board_folders(task)]
    tables = [f"{board(name)}\n\nRows and run record: `results/{name}/`" for name in names]
    return "\n\n".join(tables) or "No board of this task is published at present."


FIGURES = ("quality-time", "break-even", "distribution", "panels")


@lru_cache
def reports() -> dict[str, Any]:
    """The report of every board, by its name."""
    from mrbench.api.boards import report_of

    return {board_name(folder): report_of(folder) for folder in board_folders()}


def figures_of(name: str) -> list[str]:
    """The figures of the gallery that a board has."""
    from mrbench.report.figures import kinds

    return [kind for kind in FIGURES if kinds()[kind].applies(reports()[name])]


@directive
def gallery() -> str:
    """The figures of every board, one heading a board; the site draws them when it is built."""
    from mrbench.report.figures import kinds

    return "\n\n".join(
        "\n\n".join(
            [f"## {name}", *(f"![{kinds()[kind].title}](gallery/{name}/{kind}.png)" for kind in figures_of(name))]
        )
        for name in reports()
    )


@directive
def families(name: str) -> str:
    """A small table of a board, and its title: the best setting of each method and kind, primary score, CPU seconds."""
    from mrbench.core.registry import find_task
    from mrbench.core.specification import parse_spec
    from mrbench.engine.store import RowStore
    from mrbench.stats.frame import frame
    from mrbench.stats.leaderboard import leaderboard

    rows = RowStore(RESULTS / name / "rows.jsonl").read()
    metric = find_task(rows[0].task).primary
    table = leaderboard(frame(rows), [metric])
    lines: dict[tuple[str, str], list[str]] = {}
    for method, line in table.summary.dropna(subset=["rank"]).iterrows():
        mean, low, high = (f"{table.cells.loc[method, metric.name][part]:.{metric.decimals}f}" for part in INTERVAL)
        score = mean if low == "nan" else f"{mean} [{low}, {high}]"
        seconds = line["cpu_seconds_median"]
        cost = "0.00" if seconds < 0.005 else f"{seconds:.2g}"
        lines.setdefault((parse_spec(str(method)).name, line["kind"]), [f"`{method}`", line["kind"], score, cost])
    interval = " [95 % interval]" if any("[" in line[2] for line in lines.values()) else ""
    columns = ["method", "kind", f"{metric.label}, mean{interval}", "CPU seconds"]
    title = board(name).partition("\n")[0].lstrip("# ")
    return f"{markdown_table(columns, [*lines.values()])}\n\n*{title}*"


@directive
def tracks(task: str) -> str:
    """The tracks of a task."""
    from mrbench.core.registry import find_task

    rows = [[f"`{track.name}`", track.description] for track in find_task(task).tracks.values()]
    return markdown_table(["track", "what"], rows)


@directive
def metrics(task: str) -> str:
    """The metrics of a task with unit, direction and definition; the first one ranks."""
    from mrbench.core.registry import find_task

    rows = [
        [metric.label, f"`{metric.name}`", metric.unit, metric.arrow, metric.description]
        for metric in find_task(task).metrics
    ]
    return markdown_table(["metric", "column", "unit", "better", "definition"], rows)


@directive
def methods(task: str) -> str:
    """The methods of a task: what each is, its parameters with their defaults, and what to cite."""
    from mrbench.core.registry import find_method, method_names

    rows = []
    for name in method_names(task):
        method = find_method(name, task)
        parameters = ", ".join(f"`{key}={value}`" for key, value in method.parameters().items())
        what = inspect.cleandoc(method.__doc__ or "").partition("\n")[0]
        rows.append([f"`{name}`", method.kind, what, parameters, method.reference])
    return markdown_table(["method", "kind", "what", "parameters", "cite"], rows)


@directive
def tunings(task: str) -> str:
    """What was tuned for the classical rows of a task: value, cases, its metric there and those of the foreground."""
    from mrbench.core.registry import find_task

    labels = {metric.name: metric.label for metric in find_task(task).metrics}
    rows = []
    for path in sorted((ROOT / "baselines").glob("*/*/tuned/*.json")):
        facts = json.loads(path.read_text())
        if facts["task"] == task:
            best = next(one for one in facts["tried"] if facts["chosen"].items() <= one.items())
            chosen = ", ".join(f"{name} {value:g}" for name, value in facts["chosen"].items())
            shown = [name for name in labels if name in best and (name == facts["metric"] or "_fg" in name)]
            scores = ", ".join(f"{labels[name]} {best[name]:.4g}" for name in shown)
            where = f"{facts['dataset']}, {facts['track']}"
            rows.append([where, f"`{facts['method']}`", chosen, f"{len(facts['cases'])} of {facts['split']}", scores])
    return markdown_table(["data, track", "method", "chosen", "cases", "their means"], sorted(rows))


@directive
def contract(task: str) -> str:
    """What a method of the task is given and what it returns, from the docstrings of the task and its inputs."""
    from mrbench.core.registry import find_task

    cls = type(find_task(task))
    module = import_module(cls.__module__)
    inputs = next(value for name, value in vars(module).items() if name.endswith("Inputs") and isinstance(value, type))
    return f"{_prose(cls.__doc__)}\n\n{_numpydoc(inputs.__doc__)}"


@directive
def datasets() -> str:
    """The datasets with what they are, how they come, how many subjects each split has, licence and citation."""
    from mrbench.core.case import SPLITS
    from mrbench.core.registry import dataset_names, find_dataset

    rows = []
    for name, representations in dataset_names().items():
        data = find_dataset(name)
        sizes = " / ".join(str(len(data.subjects(split))) for split in SPLITS)
        simulated = "**yes**" if data.simulated else "no"
        rows.append(
            [f"`{name}`", data.title, simulated, ", ".join(representations), sizes, data.licence, data.citation]
        )
    return markdown_table(
        ["dataset", "what", "simulated", "comes as", "train / validation / test", "licence", "cite"], rows
    )


@directive
def functions(module_name: str) -> str:
    """The public functions of a module with their docstrings; ``__all__`` says which, where there is one."""
    module = import_module(module_name)
    return "\n\n".join(
        f"### `{name}`\n\n```python\n{name}{_signature(value)}\n```\n\n{_numpydoc(value.__doc__)}"
        for name, value in _public(module)
    )


def _public(module: ModuleType) -> list[tuple[str, Any]]:
    here = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    named = [(name, getattr(module, name)) for name in getattr(module, "__all__", here)]
    return [(name, value) for name, value in named if inspect.isfunction(value) and not name.startswith("_")]


def _signature(function: Callable[..., Any]) -> str:
    parameters = ", ".join(
        f"{'*, ' if first else ''}{p.name}{'' if p.default is p.empty else '=...'}"
        for p, first in _keyword_first(inspect.signature(function))
    )
    return f"({parameters})"


def _keyword_first(signature: inspect.Signature) -> list[tuple[inspect.Parameter, bool]]:
    """Parameters, and whether each is the first that must be named."""
    parameters = list(signature.parameters.values())
    named = [p for p in parameters if p.kind is p.KEYWORD_ONLY]
    return [(p, bool(named) and p is named[0]) for p in parameters]


def _prose(docstring: str | None) -> str:
    return _numpydoc(docstring).partition("\n**")[0].strip()


def _numpydoc(docstring: str | None) -> str:
    """A numpydoc docstring as Markdown: sections become bold words, entries become lists."""
    text = inspect.cleandoc(docstring or "").replace("``", "`")
    head, *sections = re.split(r"^(\w+)\n-{3,}\n", text, flags=re.MULTILINE)
    parts = [head.strip()]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        parts.append(f"**{title}**\n\n{_FORMS.get(title, _entries)(body)}")
    return "\n\n".join(parts)


def _examples(body: str) -> str:
    return f"```pycon\n{body.strip()}\n```"


_FORMS: dict[str, Callable[[str], str]] = {"Examples": _examples, "Notes": str.strip, "References": str.strip}


def _entries(body: str) -> str:
    """Entries (``name : type`` and an indented description) as a list."""
    lines: list[str] = []
    for line in body.strip().splitlines():
        if line.startswith(" ") and lines:
            lines[-1] += f" {'– ' if lines[-1].endswith('`') else ''}{line.strip()}"
        elif line.strip():
            lines.append(f"- `{line.strip().replace('`', '')}`")
    return "\n".join(lines)


@directive
def command(name: str = "") -> str:
    """The help text of ``mrbench`` or of one of its verbs."""
    from click.utils import strip_ansi
    from typer.testing import CliRunner

    from mrbench.cli import app

    environment = {"COLUMNS": "100", "TERMINAL_WIDTH": "100", "NO_COLOR": "1", "TERM": "dumb"}
    shown = CliRunner().invoke(app, [*name.split("-"), "--help"] if name else ["--help"], env=environment)
    text = "\n".join(line.rstrip() for line in strip_ansi(shown.output).strip().splitlines())
    return f"```text\n{text}\n```"


def _record(name: str) -> dict[str, Any]:
    """What a long measurement wrote when it ran last."""
    return json.loads((ROOT / "docs" / "records" / f"{name}.json").read_text())


@directive
def record(name: str) -> str:
    """The numbers of a long measurement, as a table, with the command that made them."""
    facts = _record(name)
    shown = {label: value for label, value in facts.items() if label not in ("command", "git", "revisions")}
    lines = [[label, _shown(value)] for label, value in _flat(shown)]
    return f"`{facts['command']}`\n\n{markdown_table(['', ''], lines)}"


def _flat(facts: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Nested facts as lines; of a list of boards, one line a board."""
    lines: list[tuple[str, Any]] = []
    for name, value in facts.items():
        if isinstance(value, dict):
            lines += _flat(value, f"{before}{name}: ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            lines += [(f"{one['task']}, {one['track']}, {one['dataset']}", _warnings(one)) for one in value]
        else:
            lines.append((f"{before}{name}", value))
    return lines


def _warnings(board: Mapping[str, Any]) -> str:
    return f"{len(board['warned'])} warnings on {board['rows']} rows of {len(board['methods'])} methods"


def _shown(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


@directive
def plan() -> str:
    """What 1e6 cases x 50 methods cost by the measured slopes, and where it breaks first."""
    scale, rows = _record("scale"), 50_000_000
    more, many, reading = scale["one case more"], scale["many"], scale["reading rows"]
    disk, seconds = more["bytes of rows"] * rows, more["seconds"] * rows
    memory = reading["MiB"] / reading["rows"] * rows
    again = max(more["seconds with nothing to do"], many["seconds with nothing to do"] / many["cases"]) * rows
    lines = [
        ["rows on disk", f"{disk / 2**30:,.0f} GiB", "a file a shard"],
        ["mrbench's own work", f"{seconds / 3600:,.0f} core hours", "beside the methods' own; spread over shards"],
        ["memory to hold all rows", f"{memory / 1024:,.0f} GiB", "breaks first: rank by shards of methods or cases"],
        ["to see that nothing is left", f"{again / 3600:,.0f} hours", "spread over shards"],
    ]
    return markdown_table(["what", "how much", "so"], lines)


TRUST = ("io", "datasets", "engine")
"""Folders of tests whose names say what happens to bad files, broken methods and interrupted runs."""

SAID = (".", "api", "core", "stats", "methods", "training", "report")
"""Folders whose tests stand there only where their docstrings say both; ``.`` is that of the command line."""

VERBS = frozenset(
    re.findall(
        r"\w+",
        """
    is are was has have does do cannot may gives give wins runs stops waits wait changes change keeps leaves costs
    comes becomes makes ends means loads survives survive follows follow refuses agrees reports harms holds stand
    stands says say fails goes lies lie needs stays reaches reads read sorts hides carry carries trains pushes
    encloses cancel combine differ spoils turn run looks look
    """,
    )
)
RELATIVE = frozenset(["that", "which", "who", "what", "where", "and", "or", "not", "it", "two", "no", "all"])
"""A verb after one of these belongs to the situation."""


@directive
def trust() -> str:
    """Situation and what happens, one line a test of files, datasets and runs, of commands and of the doctor.

    The first paragraph of a test's docstring says both as ``situation -> what happens``; else, in `TRUST`, its name is
    split before its verb. What cannot be split stands below the table.
    """
    parts = []
    for folder in (*TRUST, *SAID):
        tests = [test for test in _tests(ROOT / "tests" / folder) if folder in TRUST or ARROW in _paragraph(test)]
        pairs = [situation(test) for test in tests]
        if not pairs:
            continue
        table = markdown_table(["situation", "what happens"], [list(pair) for pair in pairs if pair[1]])
        others = ", ".join(said for said, happens in pairs if not happens)
        title = "The command line" if folder == "." else f"`tests/{folder}`"
        parts.append(f"## {title}\n\n{table}" + (f"\n\nAlso tested: {others}." if others else ""))
    return "\n\n".join(parts)


ARROW = " -> "


def _tests(folder: Path) -> list[ast.FunctionDef]:
    nodes = [node for path in sorted(folder.glob("test_*.py")) for node in ast.parse(path.read_text()).body]
    return [node for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def _paragraph(test: ast.FunctionDef) -> str:
    """The first paragraph of a test's docstring, as one line."""
    return " ".join((ast.get_docstring(test) or "").partition("\n\n")[0].split())


def situation(test: ast.FunctionDef) -> tuple[str, str]:
    """What a test is about, and what happens then; empty where neither docstring nor name tells them apart."""
    said, arrow, happens = _paragraph(test).partition(ARROW)
    if arrow:
        return said, happens
    words = test.name.removeprefix("test_").split("_")
    for place in range(1, len(words)):
        if words[place] in VERBS and words[place - 1] not in RELATIVE:
            return " ".join(words[:place]), " ".join(words[place:])
    return " ".join(words), ""
