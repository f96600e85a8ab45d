"""A turn: prompt, reply, program, output, answer."""
