"""Gradient-based searchers: one a file."""
