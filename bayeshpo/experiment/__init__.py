"""Experiments: specification, runner and records."""
