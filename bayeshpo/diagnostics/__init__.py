"""Diagnostics of surrogates and of their posteriors."""
