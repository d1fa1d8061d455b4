"""Other libraries as searchers, so that they run on equal terms: the same space, seeds, budget and records."""
