"""Metrics: pure functions `(target, prediction, *, ...) -> float`."""
