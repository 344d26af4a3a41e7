"""Loops that numba compiles.

Nothing but `mrbench.metrics` imports these, and that only where a score is computed: importing numba takes 0.3 s.
"""
