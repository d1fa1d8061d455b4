"""Surrogates of the performance surface: one PyMC model a file."""
