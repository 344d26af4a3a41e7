"""Processes that train one network together: each draws batches of its own, and their gradients are averaged."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import wait
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from mrbench.core.errors import MrbenchError, RequestError
from mrbench.training.stopping import TrainingStopped

if TYPE_CHECKING:
    import torch

LONGEST_WAIT = timedelta(hours=12)
"""More than a validation takes: the others wait while the first process validates."""

SECONDS_TO_END = 10.0
"""For the other processes, once the first has ended."""


@dataclass(frozen=True)
class Group:
    """One of the processes that train a network together.

    Attributes
    ----------
    rank : int
        0 for the first, which validates and writes.
    devices : sequence of str
        One a process.
    """

    rank: int = 0
    devices: tuple[str, ...] = ("cpu",)

    @property
    def count(self) -> int:
        """How many processes there are."""
        return len(self.devices)

    @property
    def device(self) -> str:
        """Of this process."""
        return self.devices[self.rank]

    @property
    def leads(self) -> bool:
        """Whether this process validates and writes."""
        return self.rank == 0

    def mean(self, value: float) -> float:
        """The mean of a number over the processes."""
        if self.count == 1:
            return value
        tensor = self._tensor(value)
        self._average(tensor)
        return float(tensor.item())

    def agreed(self, ask: Callable[[], bool]) -> bool:
        """What the first process answers."""
        answer = self.leads and ask()
        return answer if self.count == 1 else self.mean(float(answer)) > 0

    def average_gradients(self, module: torch.nn.Module) -> None:
        """Replace gradients by their mean over the processes; where some did not use a parameter, theirs are zero."""
        if self.count == 1:
            return
        import torch

        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        used = torch.tensor([float(parameter.grad is not None) for parameter in trained], device=self.device)
        self._average(used)
        for parameter, share in zip(trained, used.tolist(), strict=True):
            if share and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [_real(parameter.grad) for parameter in trained if parameter.grad is not None]
        together = torch.cat([gradient.reshape(-1) for gradient in gradients])  # one message, not hundreds
        self._average(together)
        parts = together.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def start_alike(self, module: torch.nn.Module) -> None:
        """Give all processes the weights of the first."""
        if self.count > 1:
            import torch

            for tensor in module.state_dict().values():
                torch.distributed.broadcast(_real(tensor.detach()), 0)

    def _tensor(self, value: float) -> torch.Tensor:
        import torch

        return torch.tensor(value, dtype=torch.float64, device=self.device)

    def _average(self, tensor: torch.Tensor) -> None:
        import torch

        torch.distributed.all_reduce(tensor)
        tensor /= self.count


ALONE = Group()


@contextmanager
def leading(devices: Sequence[str], follow: Callable[[Group], object]) -> Iterator[Group]:
    """Start a process for each device but the first, and be the first process of the group.

    Parameters
    ----------
    devices : sequence of str
        CPUs, whose processes talk by gloo, or GPUs, by NCCL. With one device nothing is started.
    follow : callable
        What the other processes do; it is pickled, and trains with the group that it is given.

    Raises
    ------
    RequestError
        If another process ended before its time.
    """
    if len(devices) == 1:
        yield Group(devices=tuple(devices))
        return
    context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
    with TemporaryDirectory() as name:
        first, *others = [Group(rank, tuple(devices)) for rank in range(len(devices))]
        meeting = Path(name) / "meeting"
        processes = [context.Process(target=_follow, args=(follow, group, meeting)) for group in others]
        for process in processes:
            process.start()
        try:
            with _joined(first, meeting):
                try:
                    yield first
                except RuntimeError as error:  # how PyTorch says that a process is gone
                    _refuse_dead(others, processes, error)
                    raise
            for process in processes:
                process.join(SECONDS_TO_END)
        finally:
            for process in processes:
                process.kill()
                process.join()


def _refuse_dead(
    groups: Sequence[Group], processes: Sequence[multiprocessing.process.BaseProcess], error: RuntimeError
) -> None:
    ended = wait([process.sentinel for process in processes], SECONDS_TO_END)
    for group, process in zip(groups, processes, strict=True):
        if process.sentinel in ended:
            process.join(SECONDS_TO_END)  # its files close a moment before it has an exit code
        if process.exitcode:
            raise RequestError(
                f"process {group.rank + 1} of {group.count}, on {group.device}, ended with {process.exitcode}; mend "
                "what it says above, and the same command continues from the last checkpoint."
            ) from error


def _follow(follow: Callable[[Group], object], group: Group, meeting: Path) -> None:
    """The life of a process that is not the first."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the first process says when to stop, after a step of all
    try:
        with _joined(group, meeting):
            follow(group)
    except TrainingStopped:
        pass
    except MrbenchError as error:
        sys.exit(f"{group.device}: {error}")
    except BaseException:
        traceback.print_exc()
        sys.exit(1)


@contextmanager
def _joined(group: Group, meeting: Path) -> Iterator[None]:
    import torch

    on_gpu = group.device != "cpu"
    if on_gpu:
        torch.cuda.set_device(group.device)
    torch.distributed.init_process_group(
        "nccl" if on_gpu else "gloo",
        init_method=meeting.as_uri(),
        rank=group.rank,
        world_size=group.count,
        timeout=LONGEST_WAIT,
    )
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def _real(tensor: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.view_as_real(tensor) if tensor.is_complex() else tensor
