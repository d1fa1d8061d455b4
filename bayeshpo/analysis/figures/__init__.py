"""Figures: one a file."""
