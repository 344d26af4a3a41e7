"""Working plug-ins to start from: a method, a learned method, a dataset, a task, each with its test."""

from __future__ import annotations

import keyword
from pathlib import Path

from mrbench.core.errors import RequestError, unknown_name
from mrbench.core.registry import find_task
from mrbench.io.files import write_atomically

TEMPLATES = Path(__file__).parent.parent / "templates"

KINDS = ("method", "learned-method", "dataset", "task")

PREDICTIONS = {
    "registration": "strength * np.zeros((3, *inputs.fixed.shape), np.float32)",
    "denoising": "np.float32(strength) * inputs.image",
    "super-resolution": "strength * np.clip(resize(inputs.image, inputs.shape, order=1), 0, None).astype(np.float32)",
    "reconstruction": "strength * root_sum_of_squares(to_image(inputs.kspace))",
    "synthesis": "np.float32(strength) * inputs.image",
    "segmentation": "(inputs.mask & (inputs.images[3] > 2 * strength)).astype(np.uint8)",
    "generation": "strength * np.random.default_rng(inputs.seed).random((inputs.count, *inputs.shape), np.float32)",
}
"""What the simplest method of a task returns."""

IMPORTS = {
    "super-resolution": "\nfrom skimage.transform import resize",
    "reconstruction": "\n\nfrom mrbench.physics.fourier import root_sum_of_squares, to_image",
}


def new(
    kind: str, name: str, *, task: str = "registration", dataset: str = "icbm-sim", folder: Path | str = "."
) -> list[Path]:
    """Write a plug-in and its test.

    Parameters
    ----------
    kind : {"method", "learned-method", "dataset", "task"}
        What to write.
    name : str
        A Python name in lower case: of the file, and of the function in it; classes are called by it in camel case.
    task : str
        Of a method.
    dataset : str
        That the test runs on.
    folder : Path
        Where to.

    Returns
    -------
    list of Path
        The plug-in and its test.

    Raises
    ------
    RequestError
        If a name is wrong, or a file is there already; nothing is written then.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    if kind not in KINDS:
        raise unknown_name("kind of plug-in", kind, KINDS)
    if not (name.isascii() and name.isidentifier() and name == name.lower()) or keyword.iskeyword(name):
        raise RequestError(f"'{name}' cannot be the name of a Python file; use lower case, digits and _, as my_method.")
    if kind == "method":
        find_task(task)
        if task not in PREDICTIONS:
            raise unknown_name("task with a template", task, PREDICTIONS)
    paths = [Path(folder) / f"{name}.py", Path(folder) / f"test_{name}.py"]
    if present := [path for path in paths if path.exists()]:
        raise RequestError(f"{present[0]} is there already; choose another name.")
    words = {
        "name": name,
        "cls": "".join(part.capitalize() for part in name.split("_")),
        "slug": name.replace("_", "-"),
        "task": task,
        "dataset": dataset,
        "prediction": PREDICTIONS.get(task, ""),
        "imports": IMPORTS.get(task, ""),
    }
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False
    )
    for path, template in zip(paths, (f"{kind}.py.j2", f"{kind}_test.py.j2"), strict=True):
        with write_atomically(path) as file:
            file.write(pages.get_template(template).render(words).encode())
    return paths
