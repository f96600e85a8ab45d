"""Where programs run: a locked child process under RestrictedPython."""
