"""Finding methods: by entry point, or as ``path/to/file.py:name``; the grammar ``name[param=value]``."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.method import Method

GROUP = "mrbench.methods"
"""Entry-point group; names are ``<task>.<method>``."""


@dataclass(frozen=True)
class MethodSpec:
    """A method and its parameters, as written on the command line.

    Attributes
    ----------
    name : str
        Entry-point name without the task, or ``file.py:function``.
    parameters : mapping
    """

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.parameters:
            return self.name
        inside = ",".join(f"{key}={_text(value)}" for key, value in self.parameters.items())
        return f"{self.name}[{inside}]"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def parse_spec(text: str) -> MethodSpec:
    """Read ``name[param=value,...]``; values are Python literals, ``true``, ``false`` or plain words.

    Raises
    ------
    RequestError
        If a bracket or an equals sign is missing.

    Examples
    --------
    >>> str(parse_spec("elastix[grid_mm=5,metric=ncc]"))
    'elastix[grid_mm=5,metric=ncc]'
    """
    name, bracket, rest = text.strip().partition("[")
    if not bracket:
        return MethodSpec(name)
    if not rest.endswith("]"):
        raise RequestError(f"method '{text}': the bracket is not closed; write name[param=value,...].")
    parameters = {}
    for item in filter(None, rest[:-1].split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise RequestError(f"method '{text}': '{item}' has no '='; write name[param=value,...].")
        parameters[key.strip()] = _literal(value.strip())
    return MethodSpec(name, parameters)


def _literal(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float | str | None) else text


@lru_cache
def _entry_points(task: str) -> dict[str, EntryPoint]:
    prefix = f"{task}."
    return {e.name.removeprefix(prefix): e for e in entry_points(group=GROUP) if e.name.startswith(prefix)}


def method_names(task: str) -> list[str]:
    """Names of the installed methods of a task; imports none of them."""
    return sorted(_entry_points(task))


def find_method(name: str, task: str) -> type[Method]:
    """Return the method class of that name, from an entry point or a Python file.

    Raises
    ------
    RequestError
        If there is none, with a suggestion; or if a file has no such method for this task.
    """
    if ".py:" in name:
        found = _from_file(name)
    elif name in (known := _entry_points(task)):
        try:
            found = known[name].load()
        except Exception as error:
            raise RequestError(f"method '{name}' cannot be imported: {type(error).__name__}: {error}.") from error
    else:
        raise unknown_name(f"method for {task}", name, known)
    if not hasattr(found, "task"):
        raise RequestError(f"method '{name}' names no task; give its class the attribute task = \"{task}\".")
    if found.task != task:
        raise RequestError(f"method '{name}' is for the task {found.task}, not {task}; give --task {found.task}.")
    return found


def built(method: type[Method], spec: MethodSpec) -> Method:
    """Make a method with the parameters of a spec.

    Raises
    ------
    RequestError
        If a parameter is unknown or its value is of no use.
    """
    try:
        return method.build(**spec.parameters)
    except (TypeError, ValueError) as error:
        raise RequestError(f"method '{spec}': {error}; see `mrbench list methods`.") from error


def _from_file(name: str) -> type[Method]:
    path_text, _, attribute = name.rpartition(":")
    path = Path(path_text).expanduser().resolve()
    if not path.is_file():
        raise RequestError(f"method '{name}': {path} is not there; check the path.")
    module_name = f"mrbench_user_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if module_name not in sys.modules:
        spec = importlib.util.spec_from_file_location(module_name, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            del sys.modules[module_name]
            raise RequestError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    module = sys.modules[module_name]
    methods = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Method) and value is not Method
    }
    if attribute not in methods:
        raise unknown_name(f"method in {path.name}", attribute, methods)
    return methods[attribute]


def module_file(method: type[Method]) -> Path:
    """The file that a method is written in; what it ships lies beside it."""
    return Path(str(sys.modules[method.__module__].__file__))


def source_hash(method: type[Method]) -> str:
    """12 hex digits of a method's code and of what it imports from its own package.

    Comments, formatting and docstrings do not count, so tidying a file does not re-run its method.
    """
    digest = hashlib.sha256(method.__qualname__.encode())
    for path in sorted(_own_sources(module_file(method), method.__module__)):
        digest.update(_code_only(path.read_text()).encode())
    return digest.hexdigest()[:12]


def _own_sources(path: Path, module: str, seen: frozenset[Path] = frozenset()) -> frozenset[Path]:
    """The file of a module, and of all modules of its top-level package that it imports, directly or not."""
    seen |= {path}
    top = module.partition(".")[0]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for name in _imported(ast.parse(path.read_text()), package):
        if name.partition(".")[0] != top:
            continue
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:  # a name within a module, not a module
            continue
        if spec is not None and spec.has_location and spec.origin and Path(spec.origin) not in seen:
            seen = _own_sources(Path(spec.origin), name, seen)
    return seen


def _imported(tree: ast.Module, package: str) -> list[str]:
    """Absolute names of what a module of a package imports, and of what may be modules in what it imports from."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package) if node.level else relative
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def _code_only(source: str) -> str:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)
