"""Learned generation methods."""
