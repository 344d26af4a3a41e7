"""Learned synthesis methods."""
