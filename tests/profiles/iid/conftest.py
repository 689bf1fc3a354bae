"""One application for the tests of a module."""

from viewer_world import images

__all__ = ["images"]
