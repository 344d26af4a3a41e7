"""Options that several verbs share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Task = Annotated[str, typer.Option("--task", "-t", help="What to benchmark: see `mrbench list tasks`.")]
Track = Annotated[
    str | None, typer.Option("--track", "-k", help="See `mrbench list tasks`. Default: the one that suits the dataset.")
]
Dataset = Annotated[
    str, typer.Option("--dataset", "-d", help="See `mrbench list datasets`; folder:PATH for your own, or file.py:Name.")
]
Split = Annotated[str, typer.Option(help="train, validation or test.")]
Out = Annotated[Path, typer.Option(help="Folder of results.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads that a method may use.")]
Device = Annotated[str, typer.Option(help="cpu, or cuda for learned methods.")]
Timeout = Annotated[float | None, typer.Option(min=0.001, help="Kill a case after this many seconds.")]
Memory = Annotated[float | None, typer.Option(min=0.01, help="Kill a case that holds more memory than this, in GiB.")]
Board = Annotated[Path, typer.Argument(help="Folder of a board: the one that holds rows.jsonl.")]


def check_device(device: str) -> None:
    """Refuse a device that is not here."""
    from mrbench.core.errors import RequestError, unknown_name

    if device not in ("cpu", "cuda"):
        raise unknown_name("device", device, ["cpu", "cuda"])
    if device == "cuda":
        import torch

        if not torch.cuda.is_available():
            raise RequestError("--device cuda: PyTorch sees no CUDA device here; use --device cpu.")
