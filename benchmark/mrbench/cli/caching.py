"""`mrbench cache`: show and prune what mrbench keeps on disk."""

from __future__ import annotations

from typing import Annotated

import typer

from mrbench.cli.group import Group
from mrbench.core.words import counted

app = typer.Typer(cls=Group, invoke_without_command=True, help="Show and prune what mrbench keeps on disk.")


@app.callback()
def show(context: typer.Context) -> None:
    """Show what the cache holds, and what losing it would cost."""
    if context.invoked_subcommand is None:
        from mrbench.api.caching import contents
        from mrbench.cli.lists import print_table
        from mrbench.io.files import cache_root

        rows = [
            (kind.name, str(kind.files), f"{kind.bytes / 2**20:.1f}", f"{kind.oldest_days:.1f}", kind.what)
            for kind in contents()
        ]
        print_table(["part", "files", "MiB", "oldest, days", "what it is, and what its loss costs"], rows)
        typer.echo(f"in {cache_root()}; remove parts by `mrbench cache prune`")


@app.command("prune")
def cache_prune(
    part: Annotated[
        list[str] | None, typer.Option(help="predictions, datasets, downloads, digests or logs; repeat.")
    ] = None,
    limit_gib: Annotated[float | None, typer.Option(min=0, help="Keep this much, what was used last.")] = None,
    older_than_days: Annotated[float | None, typer.Option(min=0, help="Remove what was not used since.")] = None,
) -> None:
    """Remove cached files: predictions unless told otherwise, all of them unless limited. Rows and boards stay."""
    from mrbench.api.caching import prune

    files, freed = prune(part or ["predictions"], limit_gib=limit_gib, older_than_days=older_than_days)
    typer.echo(f"removed {counted(files, 'file')}, {freed / 2**20:.1f} MiB")
