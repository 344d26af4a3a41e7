"""BibTeX of all that stands on a board: methods, dataset, metrics, mrbench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import mrbench
from mrbench.api.board import runs_of
from mrbench.api.boards import load
from mrbench.core.command import COMMAND
from mrbench.core.errors import RequestError
from mrbench.core.method import EXTERNAL
from mrbench.core.registry import find_task, is_file, method_names
from mrbench.core.specification import parse_spec
from mrbench.engine.describing import described
from mrbench.report.escape import plain
from mrbench.stats.frame import of_one_protocol

_WORK = re.compile(r"^(?P<author>[^,]+), (?:(?P<title>.+), )?(?P<venue>[^,]*?),? ?(?P<year>(?:19|20)\d\d)\b.*$")
_LABEL, _ASIDE = re.compile(r"^[a-z][a-z -]*: "), re.compile(r" \([^()]*\)$")
_CITED = re.compile(r"\((?P<work>[A-Z][^()]*?(?:19|20)\d\d)\)")
"""A source in the description of a metric: ``(Xue et al. 2014)``."""


def cite(board: Path | str) -> str:
    """Return BibTeX of every method, dataset and metric of a board.

    What mrbench does not know is a comment: predictions made elsewhere, methods in files of the user's own.

    Raises
    ------
    RequestError
        If the folder has no rows.
    """
    folder = Path(board)
    rows = of_one_protocol(load(folder))
    last = rows.iloc[-1]
    task = last["task"]
    works: dict[str, list[str]] = {}
    unknown = []
    lines = rows.drop_duplicates("method", keep="last")
    references = _references(list(zip(lines["method"], lines["kind"], strict=True)), task)
    for method, reference in references.items():
        if reference is None:
            unknown.append(f"{method}: no citation is known to mrbench; add its authors' own")
        elif not _add(works, reference, f"method {method}"):
            unknown.append(f"method {method}: {reference if reference not in ('', 'none') else 'no work to cite'}")
    dataset = _dataset_citation(folder, last["run"])
    if not _add(works, dataset, f"dataset {last['dataset']}"):
        unknown.append(f"dataset {last['dataset']}: {dataset or 'not stated'}")
    metrics = () if is_file(task) else find_task(task).metrics
    for metric in metrics:
        for cited in _CITED.finditer(metric.description):
            _add(works, cited["work"].replace("et al. ", "et al., "), f"metric {metric.label}")
    if sourceless := [metric.label for metric in metrics if not _CITED.search(metric.description)]:
        unknown.append(f"metrics {'; '.join(sourceless)}: defined in the documentation of mrbench")
    parts = [_entry("mrbench", f"mrbench {mrbench.__version__}", ["the benchmark itself"])]
    keys: dict[str, str] = {}
    for work, cited_for in works.items():
        key = _key(work)
        while key in keys:
            key += "b"
        keys[key] = work
        parts.append(_entry(key, work, cited_for))
    parts += [f"% {plain(line)}" for line in unknown]
    return "\n".join(parts) + "\n"


def _references(methods: Sequence[tuple[str, str]], task: str) -> dict[str, str | None]:
    """What classes of methods say, by method; None of what is not installed: an alias, or of another version.

    No file that a board names is imported.
    """
    known = set(method_names(task))
    names = {
        spec: name
        for spec, kind in methods
        if not (kind == EXTERNAL or is_file(spec) or COMMAND in spec) and (name := _name(spec)) in known
    }
    said = described(dict.fromkeys(names.values()), task)
    texts = {name: None if isinstance(one, str) else one.reference for name, one in said.items()}
    return {spec: texts[names[spec]] if spec in names else None for spec, _ in methods}


def _name(spec: str) -> str:
    try:
        return parse_spec(spec).name
    except RequestError:
        return ""


def _dataset_citation(folder: Path, run: str) -> str:
    about = runs_of(folder).get(run, {}).get("about", {}) if (folder / "run.json").is_file() else {}
    return str(about.get("citation", "")) if isinstance(about, dict) else ""


def _add(works: dict[str, list[str]], reference: str, what: str) -> bool:
    """Note what each work that a reference names is cited for; works are apart by semicolons. Whether it names any.

    ``diffeomorphic form: Dalca et al., ...`` and ``... 2019 (its first form)`` say of a work which part is meant.
    """
    found = False
    for part in reference.split(";"):
        work = _ASIDE.sub("", _LABEL.sub("", part.strip()))
        if re.search(r"(19|20)\d\d", work):  # what is published has a year
            works.setdefault(work, []).append(what)
            found = True
    return found


def _key(work: str) -> str:
    words, year = re.findall(r"[A-Za-z]+", work), re.search(r"(?:19|20)\d\d", work)
    return f"{words[0].lower() if words else 'work'}{year[0] if year else ''}"


def _entry(key: str, work: str, cited_for: list[str]) -> str:
    """One ``@misc``: author, title, venue and year where the reference tells them, and the reference as it stands."""
    lines = {"note": work}
    if known := _WORK.match(work):
        author = re.sub(r" et al\.?$", " and others", known["author"])
        lines = {
            "author": author,
            "title": known["title"],
            "howpublished": known["venue"],
            "year": known["year"],
        } | lines
    body = ",\n".join(f"  {name} = {{{_plain(value)}}}" for name, value in lines.items() if value)
    return f"% {plain(', '.join(cited_for))}\n@misc{{{key},\n{body}\n}}"


def _plain(text: str) -> str:
    """Without what BibTeX or LaTeX would take for a command."""
    return "".join(f"\\{letter}" if letter in "&%$#_" else letter for letter in text if letter not in "{}\\")
