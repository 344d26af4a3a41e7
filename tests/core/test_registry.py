"""Names, the grammar of parameters, and what counts as a change of code."""

from __future__ import annotations

from pathlib import Path

import pytest

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.method import is_tuned
from mrbench.core.registry import find_method, method_names
from mrbench.core.source import source_hash


def test_every_method_of_the_design_is_installed() -> None:
    names = set(method_names("registration"))
    assert names >= {"identity", "affine", "elastix", "demons", "ants", "convexadam", "fireants", "voxelmorph"}
    for name in names:
        method_class = find_method(name, "registration")
        assert method_class.reference, f"{name} has no citation"
        for settings in method_class.presets:
            chosen = {name: method_class.tunable[name][0] if is_tuned(v) else v for name, v in settings.items()}
            method_class.build(**chosen)


def test_unknown_method_gets_a_suggestion() -> None:
    with pytest.raises(RequestError, match="did you mean 'elastix'"):
        find_method("elastic", "registration")


def test_unknown_parameter_gets_a_suggestion() -> None:
    with pytest.raises(RequestError, match="did you mean 'grid_mm'"):
        find_method("elastix", "registration").build(grid=5)


METHOD = '''
import numpy as np
from mrbench import method

@method(task="registration")
def still(inputs, gain=1.0):
    """Docstring."""
    return np.zeros((3, *inputs.fixed.shape), np.float32) * gain
'''


def write(path: Path, text: str) -> type:
    path.write_text(text)
    return find_method(f"{path}:still", "registration")


def test_function_in_a_file_is_a_method(tmp_path: Path) -> None:
    method_class = write(tmp_path / "mine.py", METHOD)
    assert method_class.parameters() == {"gain": 1.0}
    assert method_class.build(gain=2.0).predict  # type: ignore[attr-defined]


def test_a_byte_order_mark_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "marked.py").write_text(METHOD, encoding="utf-8-sig")
    (tmp_path / "plain.py").write_text(METHOD)
    marked, plain = (find_method(f"{tmp_path / name}.py:still", "registration") for name in ("marked", "plain"))
    assert source_hash(marked) == source_hash(plain)


def test_a_method_without_a_task_is_one_sentence(tmp_path: Path) -> None:
    text = "from mrbench import Method\n\n\nclass still(Method):\n    pass\n"
    with pytest.raises(RequestError, match='names no task; give its class the attribute task = "registration"'):
        write(tmp_path / "m.py", text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import nothing_like_it", "cannot be imported"),
        ("x = 1", "holds no method; `mrbench new method my_name` writes one"),
    ],
)
def test_file_without_a_method_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        write(tmp_path / "bad.py", text)


def test_missing_file_is_one_sentence() -> None:
    with pytest.raises(RequestError, match="is not there"):
        find_method("nowhere.py:f", "registration")


def test_a_message_lists_some_of_thousands_of_names() -> None:
    message = str(unknown_name("case", "zzz", [f"c{number:04}" for number in range(1000)]))
    assert message.endswith("c0029 and 970 more.") and len(message) < 400
