"""mkdocs: fill the directives of each page, and draw the figures of the gallery."""

from __future__ import annotations

from pathlib import Path

from directives import figures_of, filled, reports
from mkdocs.structure.files import File, Files


def on_files(files: Files, *, config: object) -> Files:
    """Add the figures of every board, drawn from its rows."""
    from mrbench.report.figures import figure

    for name, report in reports().items():
        for kind in figures_of(name):
            path = Path(config.site_dir).parent / "figures" / name / f"{kind}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            figure(report, kind).savefig(path, dpi=150)
            files.append(File.generated(config, f"gallery/{name}/{kind}.png", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Fill in what comes from the repository."""
    return filled(markdown)
