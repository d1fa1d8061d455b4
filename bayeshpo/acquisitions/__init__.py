"""Acquisition functions: one a file."""
