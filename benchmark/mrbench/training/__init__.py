"""One training loop for all learned methods."""
