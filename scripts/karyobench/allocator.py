"""Memory that a network's layers free and take again, many times a second."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed_memory() -> None:
    """Make this process keep up to 2 GB that it frees, where the C library is glibc; elsewhere nothing happens.

    Left to itself, glibc hands large blocks back to the system and fetches them anew, page by page, at the next layer:
    a fifth of the processor time of training a narrow network.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_MMAP_THRESHOLD, 2**25)  # the most that glibc takes
