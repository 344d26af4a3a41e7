"""What most predictions must be: a finite array of real numbers, of a known shape."""

from __future__ import annotations

import numpy as np

from mrbench.core.errors import PredictionError


def finite_array(prediction: object, *shapes: tuple[int, ...], what: str, axes: str) -> np.ndarray:
    """Return a prediction as float32 in C order.

    Parameters
    ----------
    prediction : object
        What a method returned.
    *shapes : tuple of int
        Allowed; the first is the one named in an error.
    what : str
        What to call it in an error: ``the volume``.
    axes : str
        The order of its axes, for the same.

    Raises
    ------
    PredictionError
        If it is no array, has another shape, is not of floating-point numbers, or not finite.
    """
    if not isinstance(prediction, np.ndarray):
        raise PredictionError(f"the method returned {type(prediction).__name__}; return an array of {shapes[0]}.")
    if prediction.shape not in shapes:
        raise PredictionError(f"{what} has shape {prediction.shape}; {shapes[0]} is needed, axes {axes}.")
    if not np.issubdtype(prediction.dtype, np.floating):
        raise PredictionError(f"{what} has dtype {prediction.dtype}; return real floating-point numbers.")
    with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite, which is refused below
        array = np.ascontiguousarray(prediction, dtype=np.float32)
    if not np.isfinite(array).all():
        raise PredictionError(f"{what} holds NaN or infinite values; the method diverged or divided by zero.")
    return array
