"""What can be put around any problem: a wrapper is a problem, so that they compose."""
