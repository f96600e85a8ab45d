"""The functions that a program may call: one file per builtin, one registry."""
