"""Learned methods, by task. Imports mrbench; never the baselines."""
