"""The page of a board: one self-contained HTML file that opens offline."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mrbench.core.row import Row
from mrbench.core.setting import Setting
from mrbench.io.files import write_atomically
from mrbench.report.figures import box_plot, breakdown_heatmap, quality_against_time, spread_plot
from mrbench.report.lines import table_lines
from mrbench.report.panels import case_panel, chosen_cases
from mrbench.report.tables import Caption, cases_text, costs, heading, number, rank, seconds
from mrbench.stats.leaderboard import Leaderboard


@dataclass(frozen=True)
class Shown:
    """A figure on the page."""

    title: str
    path: Path

    @property
    def source(self) -> str:
        """The figure as a data URL; WebP, because a page of PNGs is several times as large."""
        from PIL import Image

        with Image.open(self.path) as image, io.BytesIO() as out:
            image.convert("RGB").save(out, "WEBP", quality=88)
            return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()


def draw_figures(folder: Path, board: Setting, rows: Sequence[Row], table: Leaderboard, about: Caption) -> list[Shown]:
    """Draw every figure of a board as PNG and PDF; return those that could be drawn."""
    shown: list[Shown] = []
    for old in folder.glob("*.p[nd][gf]"):
        if not old.name.startswith("panel_"):  # a panel may show predictions that this machine does not have
            old.unlink()

    def show(name: str, title: str) -> Path:
        shown.append(Shown(title, folder / f"{name}.png"))
        return folder / name

    if table.metrics:
        path = show("quality_against_time", f"{table.primary.label} against time")
        quality_against_time(path, table, about.title)
    for label, case in chosen_cases(table).items():
        title = f"{label} case, {case} ({about.title})"
        path = show(f"panel_{label}", f"The {label} case")
        if not case_panel(path, board, table, rows, case, title) and not path.with_suffix(".png").is_file():
            shown.pop()
    for metric in table.metrics:
        box_plot(show(f"box_{metric.name}", metric.label), table, metric, about.title)
    if board.task.breakdown:
        title = board.task.breakdown.replace("_", " ").capitalize()
        breakdown_heatmap(show(board.task.breakdown, title), table, rows, board.task.breakdown, about.title)
    if table.metrics and (spread := board.task.spread):
        what = next(metric.label for metric in table.metrics if metric.name == spread)
        spread_plot(show(f"spread_{spread}", f"{what}: made and real"), table, rows, spread, about.title)
    return [figure for figure in shown if figure.path.is_file()]


def write_page(path: Path, board: Setting, rows: Sequence[Row], table: Leaderboard, about: Caption, stamp: str) -> None:
    """Draw the figures and write the page with them inside."""
    from jinja2 import Environment, PackageLoader, select_autoescape

    figures = draw_figures(path.parent / "figures", board, rows, table, about)
    environment = Environment(
        loader=PackageLoader("mrbench", "report"),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
    )
    run_file = path.parent / "run.json"
    runs = json.loads(run_file.read_text())["runs"] if run_file.is_file() else {}
    html = environment.get_template("page.html.j2").render(
        about=about, table=table, lines=table_lines(table), figures=figures, runs=runs, stamp=stamp,
        simulation=board.dataset.simulation if board.dataset.simulated else "",
        dataset=board.dataset, protocol=board.protocol,
        failures=[row for row in rows if row.failed], heading=heading, number=number, seconds=seconds,
        costs=costs(table), cases_text=cases_text, rank=rank,
    )  # fmt: skip
    with write_atomically(path) as file:
        file.write(html.encode())
