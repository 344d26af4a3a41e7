"""Classical methods, by task. Imports mrbench; never the learned methods."""
