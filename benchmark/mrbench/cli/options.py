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
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or several as cuda:0,cuda:1.")]
Timeout = Annotated[float | None, typer.Option(min=0.001, help="Kill a case after this many seconds.")]
Memory = Annotated[float | None, typer.Option(min=0.01, help="Kill a case that holds more memory than this, in GiB.")]
Board = Annotated[Path, typer.Argument(help="Folder of a board: the one that holds rows.jsonl.")]


def refuse_unused(context: typer.Context, names: str, why: str) -> None:
    """Refuse options that were given and would change nothing; ``names`` of parameters, apart by spaces."""
    from mrbench.core.errors import RequestError

    for name in names.split():
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise RequestError(f"--{name.replace('_', '-')} changes nothing {why}; leave it out.")


def check_device(device: str, *, several: bool = False, cpus: bool = False) -> None:
    """Refuse a device that is not here, and more than one where one is needed; ``cpus`` lets the CPU be there twice."""
    import re

    from mrbench.core.errors import RequestError, unknown_name
    from mrbench.core.method import Resources

    names = Resources(device=device).devices
    if device == "cpu" or (cpus and several and set(names) == {"cpu"}):
        return
    if len(names) > 1 and set(names) == {"cpu"}:
        raise RequestError(f"--device {device}: a CPU is one device here; give cpu once, and --threads.")
    if len(names) > 1 and "cpu" in names:
        raise RequestError(f"--device {device}: a CPU and GPUs do not go together; give one kind of device.")
    for name in names:
        if not re.fullmatch(r"cuda(:\d{1,4})?", name):
            raise unknown_name("device", name, ["cpu", "cuda", "cuda:0,cuda:1"])
    if len(set(names)) < len(names) or (len(names) > 1 and "cuda" in names):
        raise RequestError(f"--device {device}: give each device once and by its number, such as cuda:0,cuda:1.")
    if len(names) > 1 and not several:
        raise RequestError(f"--device {device}: one device is used here; give one of them.")
    import torch

    if not torch.cuda.is_available():
        raise RequestError(f"--device {device}: PyTorch sees no CUDA device here; use --device cpu.")
    for name in names:
        if int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
            raise RequestError(f"--device {device}: there are {torch.cuda.device_count()} CUDA devices, cuda:0 first.")
