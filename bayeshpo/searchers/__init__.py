"""Searchers: one a file."""
