"""One application on each engine for the tests of a module."""

from wire.changes import world

__all__ = ["world"]
