"""Training examples: the row type, generators, verification."""
