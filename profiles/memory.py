"""The C library's allocator, told that a server's memory is used again at once.

By default it gives memory back to the system after each large answer and asks for it again for the next; an answer of a
hundred entries then spends half its time on page faults. Where there is no glibc nothing is changed.
"""

import ctypes

# mallopt(3): parameter -> bytes; and one arena for all threads, since the interpreter serves one at a time.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -2, -3, -8
SETTINGS = {M_TRIM_THRESHOLD: 64 << 20, M_TOP_PAD: 16 << 20, M_MMAP_THRESHOLD: 32 << 20, M_ARENA_MAX: 1}


def keep() -> None:
    """Make this process keep up to some tens of megabytes that it has freed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in SETTINGS.items():
            mallopt(parameter, value)
