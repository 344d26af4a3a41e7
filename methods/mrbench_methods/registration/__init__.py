"""Learned registration."""
