"""Shell commands as methods: ``cmd:"mytool -f {fixed} -m {moving} -o {output}"``.

The task writes its inputs as files of the field and reads what the command leaves behind; docker is a command, too:
``cmd:"docker run --rm -v {folder}:{folder} mine register {fixed} {moving} {output}"``.
"""

from __future__ import annotations

import shlex
import shutil
import string
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from mrbench.core.digest import content_of
from mrbench.core.errors import PredictionError, RequestError
from mrbench.core.method import Method
from mrbench.core.task import Task

COMMAND = "cmd:"
"""How the name of such a method starts."""

OUTPUT, FOLDER, THREADS = "output", "folder", "threads"
"""Placeholders of every task: where the prediction goes, where all files lie, and how many threads are lent."""


class CommandMethod(Method):
    """A command that is run once for each case; made by `command_method`."""

    kind = "classical"
    reference = "the user's own command"
    words: ClassVar[tuple[str, ...]] = ()
    bound_task: ClassVar[Any] = None

    def predict(self, inputs: object) -> object:
        """Write the inputs, run the command, read its output.

        Raises
        ------
        RequestError
            If the command asks for something that the task does not write.
        PredictionError
            If it fails or leaves no output.
        """
        task: Task[Any, Any] = self.bound_task
        with tempfile.TemporaryDirectory(prefix="mrbench-") as name:
            folder = Path(name)
            given = task.write_inputs(inputs, folder)
            output = folder / f"{OUTPUT}{task.output_ending}"
            values = {**given, OUTPUT: output, FOLDER: folder, THREADS: self.resources.threads}
            _run([_filled(word, values) for word in self.words], folder)
            left = sorted(path for path in folder.iterdir() if path.name.startswith(OUTPUT))
            if len(left) != 1:
                names = ", ".join(path.name for path in left) or "nothing"
                raise PredictionError(
                    f"the command left {names} for {{output}}; it must write one file, {output.name}."
                )
            return task.read_output(inputs, left[0])


def _filled(word: str, values: Mapping[str, Any]) -> str:
    try:
        return word.format_map(values)
    except (KeyError, ValueError, IndexError):
        raise RequestError(f"'{word}' in the command is not known; use {_known(values)}.") from None


def _known(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{{{name}}}" for name in values)


def _run(words: Sequence[str], folder: Path) -> None:
    """Run a command to its end; what it prints goes to the method's log."""
    try:
        done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    except OSError as error:
        raise PredictionError(f"'{words[0]}' cannot be run ({error.strerror}); check the command.") from None
    text = done.stderr.decode(errors="replace")
    print(text, end="", flush=True)
    if done.returncode:
        last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it printed no error")
        raise PredictionError(f"the command ended with code {done.returncode}: {last[:300]}")


def command_method(name: str, task: Task[Any, Any]) -> type[Method]:
    """Return the method class of ``cmd:...``.

    In its name the executable and every file that the command names stand with their content, so that predictions
    are computed again when one of them changes.

    Raises
    ------
    RequestError
        If the command is empty, its quotes are open, it names no ``{output}``, or the task writes no files.
    """
    text = name.removeprefix(COMMAND).strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" and text[0] not in text[1:-1]:
        text = text[1:-1]
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise RequestError(f"method '{name}' cannot be read ({error}); mend its quotes.") from None
    fields = {field for word in words for _, field, _, _ in _fields(name, word) if field is not None}
    if not words or OUTPUT not in fields:
        raise RequestError(f"method '{name}' has no {{output}}; write where the command puts its prediction.")
    if unknown := sorted(fields - {*task.input_names, OUTPUT, FOLDER, THREADS}):
        known = _known(dict.fromkeys((*task.input_names, OUTPUT, FOLDER, THREADS)))
        raise RequestError(f"method '{name}': {task.name} writes no {{{unknown[0]}}}; use {known}.")
    if shutil.which(words[0]) is None:
        raise RequestError(f"method '{name}': there is no command '{words[0]}' here; check the path.")
    return _class(name, task, words)


def _class(name: str, task: Task[Any, Any], words: tuple[str, ...]) -> type[Method]:
    command = type("Command", (CommandMethod,), {"words": words, "bound_task": task, "task": task.name})
    command.__doc__ = f"The command ``{name}``."
    command.__module__ = __name__
    executable = shutil.which(words[0]) or words[0]
    command.__qualname__ = COMMAND + shlex.join(content_of(word) or word for word in (executable, *words[1:]))
    return command


def _fields(name: str, word: str) -> list[tuple[str, str | None, str | None, str | None]]:
    try:
        return list(string.Formatter().parse(word))
    except ValueError as error:
        raise RequestError(
            f"method '{name}': '{word}' cannot be read ({error}); double braces that are meant."
        ) from None
