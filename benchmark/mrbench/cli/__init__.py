"""The verbs: parse, call `mrbench.api`, print. Heavy imports wait until a verb needs them."""

from mrbench.cli.app import app, main

__all__ = ["app", "main"]
