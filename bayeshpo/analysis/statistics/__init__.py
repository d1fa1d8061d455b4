"""Statistics as pure functions on arrays problem x searcher x seed x evaluations: one a file."""
