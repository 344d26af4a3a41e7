"""`mrbench report`, `table`, `figure`, `view`, `index`, `compare` and `findings`: what is made from rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mrbench.cli.options import Board as Folder
from mrbench.cli.options import refuse_unused

if TYPE_CHECKING:
    from rich.console import Console

    from mrbench.api import Board


def add_to(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command(epilog="Example: mrbench report mrbench-results/registration/inter-subject/icbm-sim")(report)
    app.command(epilog="Example: mrbench table BOARD --format tex --layout single --metrics dice --metrics hd95_mm")(
        table
    )
    app.command(epilog="Example: mrbench figure BOARD distribution --width 3.4 --out dice.pdf")(figure)
    app.command(epilog="Example: mrbench view mrbench-results/registration/inter-subject/icbm-sim --case worst")(view)
    app.command(epilog="Example: mrbench index mrbench-results")(index)
    app.command(
        epilog="Example: mrbench compare results/denoising/rician-10/ixi-hh-2mm "
        "results/denoising/rician-10/ixi-hh-2mm/train --out comparison"
    )(compare)
    app.command(epilog="Example: mrbench findings results")(findings)


def show(console: Console, board: Board) -> None:
    """Print a board's table and where its page is."""
    from rich.markup import escape

    from mrbench.report.shown import print_shown

    if board.shown is None:
        console.print("no rows yet.")
        return
    print_shown(console, board.shown)
    if board.page is not None:
        console.print(f"page, tables, figures and rows: {escape(str(board.page))}", soft_wrap=True)


def report(folder: Folder) -> None:
    """Rebuild tables, figures and page of a board from its rows; runs no method.

    Of a task's folder, such as results/reconstruction: the train on / test on table of its learned methods.
    """
    from rich.console import Console
    from rich.markdown import Markdown
    from rich.markup import escape

    from mrbench import api

    console = Console()
    if (folder / api.ROWS).is_file():
        show(console, api.rebuild(folder))
        return
    path = api.transfer_table(folder)
    text = path.read_text()
    console.print(Markdown(text) if console.is_terminal else text, markup=False, highlight=False, soft_wrap=True)
    console.print(f"wrote {escape(str(path))}", soft_wrap=True)


Methods = Annotated[
    list[str] | None, typer.Option("--methods", "-m", help="Only this method; repeat. Ranks stay those of the board.")
]


ENDINGS = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".html": "html", ".htm": "html", ".txt": "terminal"}
"""The format of a table by the ending of its file."""


def table(
    context: typer.Context,
    folder: Folder,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="markdown, latex, csv, html, terminal, published, comparisons, ... Default: by the ending of --out.",
        ),
    ] = None,
    methods: Methods = None,
    metrics: Annotated[list[str] | None, typer.Option("--metrics", help="Only this metric; repeat.")] = None,
    digits: Annotated[int | None, typer.Option(min=0, max=10, help="Decimals of every metric.")] = None,
    intervals: Annotated[bool, typer.Option(help="Show intervals.")] = True,
    layout: Annotated[str, typer.Option(help="In print: single or double column, or landscape.")] = "double",
    fastest_above: Annotated[
        float | None,
        typer.Option(help="Only methods whose mean of the first metric is as good as this, the fastest first."),
    ] = None,
    published: Annotated[
        bool,
        typer.Option("--published", help="Beside published figures, marked as not measured here."),
    ] = False,
    out: Annotated[Path | None, typer.Option(help="File to write; default: print it.")] = None,
) -> None:
    """Print the table of a board for a paper, a site or another program."""
    from mrbench import api
    from mrbench.io.files import write_atomically

    if published:
        refuse_unused(context, "format", "with --published, which is one")
    chosen = "published" if published else format or _format_for(out)
    text = api.table(
        folder,
        format=chosen,
        methods=methods or None,
        metrics=metrics or None,
        digits=digits,
        intervals=intervals,
        layout=layout,
        fastest_above=fastest_above,
    )
    if out is None:
        typer.echo(text, nl=False)
        return
    with write_atomically(out) as file:
        file.write(text.encode())


def _format_for(out: Path | None) -> str:
    from mrbench.core.errors import RequestError

    if out is None:
        return "markdown"
    if out.suffix.lower() not in ENDINGS:
        raise RequestError(f"{out}: no table is written by that ending; choose {', '.join(ENDINGS)}, or give --format.")
    return ENDINGS[out.suffix.lower()]


def figure(
    folder: Folder,
    kind: Annotated[
        str,
        typer.Argument(
            help="break-even, by-structure, distribution, panels, quality-time, rank-stability, significance, "
            "spread, training-size."
        ),
    ],
    methods: Methods = None,
    width: Annotated[float | None, typer.Option(help="Inches: 3.4 is a column, 7 a page.")] = None,
    metric: Annotated[str | None, typer.Option(help="Default: the one that ranks.")] = None,
    case: Annotated[
        str | None, typer.Option(help="Of panels: median, worst, or a case whose predictions are in the cache.")
    ] = None,
    slice: Annotated[int | None, typer.Option(min=0, help="Of panels: the slice or frame; needs the cache.")] = None,
    zoom: Annotated[
        bool | None, typer.Option("--zoom/--no-zoom", help="Of panels: enlarge where methods differ most.")
    ] = None,
    errors: Annotated[
        bool | None, typer.Option("--errors/--no-errors", help="Of panels: errors and grids below the images.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File; its ending is the format. Default: KIND.pdf.")] = None,
) -> None:
    """Draw a figure of a board at the width that it is printed at."""
    from mrbench import api
    from mrbench.report.figures import written

    given = {"metric": metric, "zoom": zoom, "errors": errors, "methods": methods or None}
    options: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    path = out or Path(f"{kind}.pdf")
    written(path, lambda: api.figure(folder, kind, case=case, slice=slice, width=width, **options))
    typer.echo(f"wrote {path}")


def view(
    folder: Folder,
    methods: Annotated[
        list[str] | None, typer.Option("--methods", "-m", help="Only this method; repeat. Default: the best four.")
    ] = None,
    case: Annotated[
        str | None, typer.Option(help="median, worst, or a case whose predictions are in the cache.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("volumes.html"),
) -> None:
    """Write one page with whole volumes of a case, to look through in three planes; it works offline."""
    from mrbench import api

    typer.echo(f"wrote {api.view(folder, out, case=case, methods=methods or None)}")


def index(
    folder: Annotated[Path, typer.Argument(help="Folder with boards, at any depth.")],
) -> None:
    """Write index.html over all boards of a folder."""
    from mrbench.report.board import write_index

    typer.echo(f"wrote {write_index(folder)}")


def compare(
    context: typer.Context,
    first: Folder,
    others: Annotated[
        list[str], typer.Argument(help="Folder of another board of the same task; or two methods of this board.")
    ],
    metric: Annotated[str | None, typer.Option(help="Of two methods: the metric; default: the one that ranks.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write comparison.md, .csv and a figure to.")] = None,
) -> None:
    """Set two boards of a task side by side, or say in a sentence how two methods of one board differ.

    Of a test and a train split, it shows what a network gains on the subjects that it was trained on.
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.core.errors import RequestError
    from mrbench.report.side_by_side import write_comparison

    console = Console()
    if len(others) == 2:
        refuse_unused(context, "out", "for two methods of a board, which are compared in a sentence")
        console.print(escape(api.compare_methods(first, *others, metric=metric).sentence), soft_wrap=True)
        return
    if len(others) > 2:
        raise RequestError(f"{len(others)} names follow {first}; give one more board, or two methods of this one.")
    refuse_unused(context, "metric", "for two boards, of which all metrics are compared")
    shown = api.compare(first, others[0])
    shown.sheet.show(console)
    if out is not None:
        console.print(f"wrote {escape(str(write_comparison(out, shown)))}", soft_wrap=True)


def findings(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder with boards, at any depth.")] = Path("results"),
    claims: Annotated[
        Path | None, typer.Option(help="TOML file of claims; default: those of the field, which ship.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="Only the claim of this id; repeat. Nothing is written.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option(help="Page to write; default: docs/findings.md beside the folder, or in the folder.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="JSON to write; default: findings.json in the folder.")] = None,
) -> None:
    """Test claims of the field on the rows of boards: supported, refuted, not separable, or not tested here.

    Refuses what would not be fair: unequal budgets of training, shared ancestors, weights that have seen the subjects.
    """
    from rich.console import Console
    from rich.markup import escape

    from mrbench import api
    from mrbench.report.findings import verdict_of

    if only:
        refuse_unused(context, "page data", "with --only, which writes nothing")
    console = Console()
    findings = api.findings(folder, claims=claims, only=only or None)
    for finding in findings:
        console.print(f"[bold]{escape(verdict_of(finding))}[/]: {escape(finding.claim.claim)}", soft_wrap=True)
        for line in dict.fromkeys(one.reason for lines in finding.lines for one in lines if one.verdict == "refused"):
            console.print(f"  {escape(line)}", soft_wrap=True)
    if not only:
        docs = folder.absolute().parent / "docs"
        paths = page or (docs if docs.is_dir() else folder) / "findings.md", data or folder / "findings.json"
        api.write_findings(findings, *paths)
        console.print(f"wrote {escape(str(paths[0]))} and {escape(str(paths[1]))}", soft_wrap=True)
