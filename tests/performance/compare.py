"""Compare the ratios of a run with the committed ones: ``python tests/performance/compare.py out.json [--update]``.

``out.json`` is what ``pytest tests/performance --benchmark-json=out.json`` wrote. Ratios move by a third on a machine
that others use, so that a test fails only where it lost more than half of its advantage.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

BASELINE = Path(__file__).with_name("baseline.json")
TOLERANCE = 0.5

ENOUGH = 50.0
"""A ratio above this counts as this: of tenths of a millisecond it says little."""


def ratios(path: Path) -> dict[str, dict[str, float | str]]:
    """Name of each benchmark that has a peer, with what it measured."""
    kept = ("peer", "ratio", "goal", "own_ms", "peer_ms")
    runs = json.loads(path.read_text())["benchmarks"]
    return {run["name"]: {k: run["extra_info"][k] for k in kept} for run in runs if "ratio" in run["extra_info"]}


def faults(measured: dict[str, dict[str, float | str]], baseline: dict[str, dict[str, float | str]]) -> list[str]:
    """One sentence for each benchmark that is slower than it was, is new, or is gone."""
    said = [f"{name} was not measured." for name in baseline if name not in measured]
    for name, now in measured.items():
        if name not in baseline:
            said.append(f"{name} has no baseline; run with --update.")
        elif float(now["ratio"]) < TOLERANCE * min(ENOUGH, float(baseline[name]["ratio"])):
            said.append(f"{name}: {now['ratio']} times as fast as {now['peer']}, {baseline[name]['ratio']} before.")
    return said


def main(arguments: list[str]) -> int:
    measured = ratios(Path(arguments[0]))
    baseline = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    for name, now in measured.items():
        before = baseline.get(name, {}).get("ratio", "-")
        print(f"{now['ratio']:>8} x  (before {before}, goal {now['goal']})  {name} against {now['peer']}")
    if "--update" in arguments:
        BASELINE.write_text(json.dumps(measured, indent=1, sort_keys=True) + "\n")
        return 0
    said = faults(measured, baseline)
    print("\n".join(said))
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
