"""Learned segmentation methods."""
