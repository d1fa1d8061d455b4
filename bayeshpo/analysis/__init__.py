"""Analysis of results: regret, summaries, figures, tables."""
