"""Problems: one a file."""
