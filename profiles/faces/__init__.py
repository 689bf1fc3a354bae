"""The wires: how each protocol is read and written, ignorant of any profile."""
