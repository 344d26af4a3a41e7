"""What a method's code is, for keys: every definition that it reaches, and the versions of packages it imports.

A definition is a function, class or constant at the top of a module. From the method's class we follow the names that
its code uses, through imports, into every module outside the standard library and the installed packages. Formatting,
comments, docstrings, annotations, import lines and the names of modules do not count, so tidying or moving a file runs
no method again. `mrbench.core` is the contract, not the computation: it is not followed. Nor is what a learned method
has for its training alone (`LearnedMethod.training_only`): the digest of its weights stands for all that made them.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

from mrbench.core.registry import PACKAGES

CONTRACT = "mrbench.core"

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_ASSIGNMENTS = (ast.Assign, ast.AnnAssign, ast.AugAssign)
_SKIPPED_FIELDS = frozenset(
    {"annotation", "returns", "type_comment", "type_params", "kind", "ctx", "lineno", "col_offset", "end_lineno"}
)


def source_hash(method: type) -> str:
    """12 hex digits of a method's code and the packages that it imports, on any version of Python.

    Parameters
    ----------
    method : type
        A class at the top of a module, or one that a decorator made of a function there.
    """
    reached = _Reached(method)
    reached.follow(method.__module__, method.__qualname__.partition(".")[0])
    facts = sorted(filter(None, reached.definitions.values())) + sorted(map(_versioned, reached.packages))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:12]


class _Reached:
    """The definitions and packages that are reached from a start."""

    def __init__(self, method: type) -> None:
        self.classes = {(base.__module__, base.__qualname__) for base in method.__mro__}
        self.left_out: frozenset[str] = getattr(method, "training_only", frozenset())
        self.definitions: dict[tuple[str, str], str] = {}
        self.packages: set[str] = set()

    def follow(self, module: str, name: str) -> None:
        """Add a definition of a module, and what it uses."""
        waiting = [(module, name)]
        while waiting:
            module, name = waiting.pop()
            if (module, name) in self.definitions:
                continue
            source = _source(module)
            if source is None:
                continue
            nodes = source.definitions.get(name, []) if name else []
            if (module, name) in self.classes:
                nodes = [self._without_training(node) for node in nodes]
            if name and not nodes and name in source.imports:  # handed on by another module
                waiting += self._imported(source.imports[name], None)
                continue
            self.definitions[module, name] = "".join(_canonical(node) for node in nodes)
            if ("", module) not in self.definitions:  # what a module does when it is imported
                self.definitions["", module] = "".join(_canonical(node) for node in source.statements)
                for node in source.statements:
                    waiting += self._used(source, node)
            for node in nodes:
                waiting += self._used(source, node)

    def _without_training(self, node: ast.stmt) -> ast.stmt:
        if not isinstance(node, ast.ClassDef):
            return node
        kept = copy(node)
        kept.body = [part for part in node.body if not self.left_out.intersection(_bound_by(part))]
        return kept

    def _used(self, source: _Source, node: ast.AST) -> Iterator[tuple[str, str]]:
        inner = _imports_in(node, source.package)
        for name, attribute in _names_in(node):
            if name in inner:
                yield from self._imported(inner[name], attribute)
            elif name in source.definitions:
                yield source.module, name
            elif name in source.imports:
                yield from self._imported(source.imports[name], attribute)

    def _imported(self, target: tuple[str, str], attribute: str | None) -> list[tuple[str, str]]:
        """The definition that an import names: ``(module, name)``, or ``(module, "")`` for the module itself."""
        module, name = target
        if not _followed(module.partition(".")[0]):
            self.packages.add(module.partition(".")[0])
            return []
        if name and _path(f"{module}.{name}") is not None:
            module, name = f"{module}.{name}", ""
        if module == CONTRACT or module.startswith(f"{CONTRACT}."):
            return []
        return [(module, name or attribute or "")]


@dataclass(frozen=True)
class _Source:
    """A module taken apart: definitions by name, imports by the name they bind, and the other statements."""

    module: str
    package: str
    definitions: dict[str, list[ast.stmt]]
    imports: dict[str, tuple[str, str]]
    statements: list[ast.stmt]


_sources: dict[tuple[str, int, int], _Source] = {}


def _source(module: str) -> _Source | None:
    path = _path(module)
    if path is None:
        return None
    status = path.stat()
    key = (f"{module} {path}", status.st_mtime_ns, status.st_size)
    if key not in _sources:
        _sources[key] = _taken_apart(module, path)
    return _sources[key]


def _taken_apart(module: str, path: Path) -> _Source:
    tree = ast.parse(path.read_bytes())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    definitions: dict[str, list[ast.stmt]] = {}
    statements: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, _DEFINITIONS):
            definitions.setdefault(node.name, []).append(node)
        elif isinstance(node, _ASSIGNMENTS):
            for target in _bound_by(node):
                definitions.setdefault(target, []).append(node)
        elif not (isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node) or _for_types_only(node)):
            statements.append(node)
    return _Source(module, package, definitions, _imports_in(tree, package), statements)


def _bound_by(node: ast.stmt) -> set[str]:
    """The names that a definition or an assignment binds."""
    if isinstance(node, _DEFINITIONS):
        return {node.name}
    if not isinstance(node, _ASSIGNMENTS):
        return set()
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}


def _path(module: str) -> Path | None:
    """The file of a module. Imports nothing: a package's own imports may take seconds."""
    loaded = getattr(sys.modules.get(module), "__file__", None)
    if loaded is not None:
        return Path(loaded) if loaded.endswith(".py") else None
    top, _, rest = module.partition(".")
    for folder in _folders(top):
        place = Path(folder, *rest.split(".")) if rest else Path(folder)
        for path in (place / "__init__.py", place.with_suffix(".py")):
            if path.is_file():
                return path
    return None


@lru_cache(maxsize=256)
def _folders(top: str) -> tuple[str, ...]:
    """Where a top-level package lies; of a module in one file, its path without the suffix."""
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return ()
    if spec is None:
        return ()
    if spec.submodule_search_locations is not None:
        return tuple(spec.submodule_search_locations)
    return (str(Path(spec.origin).with_suffix("")),) if spec.has_location and spec.origin else ()


@lru_cache(maxsize=256)
def _followed(top: str) -> bool:
    """Whether a top-level module is neither of the standard library nor of an installed package."""
    if top in PACKAGES:  # even where they are installed
        return True
    if top in sys.stdlib_module_names:
        return False
    installed = [Path(sysconfig.get_path(place)).resolve() for place in ("purelib", "platlib")]
    path = _path(top)
    places = [path] if path is not None else [Path(folder) for folder in _folders(top)]
    return bool(places) and not any(place.resolve().is_relative_to(root) for place in places for root in installed)


@lru_cache
def _records() -> list[tuple[Distribution, str]]:
    """Each distribution with the list of its files, a line break before each."""
    return [(distribution, "\n" + (distribution.read_text("RECORD") or "")) for distribution in distributions()]


def _named(distribution: Distribution) -> str:
    """Name and version of a distribution; parsing all of its metadata, twice, takes longer than all else here."""
    head = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    fields = [re.search(rf"^{field}:[ \t]*(\S+)\s*$", head, re.MULTILINE) for field in ("Name", "Version")]
    name, version = (field.group(1) if field else "" for field in fields)
    return f"{name or distribution.name} {version or distribution.version}"


@lru_cache(maxsize=256)
def _versioned(package: str) -> str:
    """A package with the distributions that it comes from, as `importlib.metadata.packages_distributions` knows them.

    That function parses every line of every distribution, which takes two seconds. The standard library has none.
    """
    if package in sys.stdlib_module_names:
        return ""
    starts = [f"\n{package}{end}" for end in ("/", ",", ".py,")]
    installed = [_named(distribution) for distribution, files in _records() if any(start in files for start in starts)]
    return f"{package}: {', '.join(sorted(installed))}"


def _imports_in(tree: ast.AST, package: str) -> dict[str, tuple[str, str]]:
    """What imports bind: name to ``(module, name in it)``, the second empty for a module itself."""
    bound: dict[str, tuple[str, str]] = {}
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                bound[alias.asname or alias.name.partition(".")[0]] = (
                    (alias.name, "") if alias.asname else (alias.name.partition(".")[0], "")
                )
                if not alias.asname and "." in alias.name:
                    bound[alias.name] = (alias.name, "")
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(relative, package) if node.level else relative
            for alias in node.names:
                bound[alias.asname or alias.name] = (base, alias.name)
    return bound


def _names_in(node: ast.AST) -> Iterator[tuple[str, str | None]]:
    """Names that code uses, each with the attribute asked of it, if any: of ``a.b.c`` also ``a.b`` with ``c``."""
    for part in _walk(node):
        if isinstance(part, ast.Name):
            yield part.id, None
        elif isinstance(part, ast.Attribute):
            dotted = _dotted(part.value)
            if dotted:
                yield dotted, part.attr


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, docstrings and what is imported for type checkers alone."""
    yield tree
    for name, value in ast.iter_fields(tree):
        if name in _SKIPPED_FIELDS:
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child) and not _for_types_only(child):
                yield from _walk(child)


def _canonical(node: ast.AST) -> str:
    """A definition as text: the same on every version of Python, whatever its formatting."""
    parts = []
    for name, value in ast.iter_fields(node):
        if name in _SKIPPED_FIELDS or value is None or value == []:
            continue
        if isinstance(value, list):
            inside = [
                _canonical(child) if isinstance(child, ast.AST) else repr(child)
                for child in value
                if not (isinstance(child, ast.AST) and (_is_docstring(child) or _is_import(child)))
            ]
            parts.append(f"{name}=[{','.join(inside)}]")
        else:
            parts.append(f"{name}={_canonical(value) if isinstance(value, ast.AST) else repr(value)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _is_docstring(node: ast.AST) -> bool:
    """A bare string, wherever it stands: it does nothing."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _for_types_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
