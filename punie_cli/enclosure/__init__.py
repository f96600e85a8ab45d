"""Where commands and tests run: in the sandbox of the operating system, of the best kind that it has."""
