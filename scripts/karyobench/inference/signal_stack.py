"""The stack on which the calling thread handles signals, kept where it is (Linux)."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager


class Stack(ctypes.Structure):
    """`stack_t` of the C library."""

    _fields_ = (("start", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t))


def current() -> Stack:
    """The calling thread's signal stack."""
    found = Stack()
    ctypes.CDLL(None).sigaltstack(None, ctypes.byref(found))
    return found


@contextmanager
def kept() -> Iterator[None]:
    """Leave the signal stack as it was found.

    OpenVINO puts one of its own under the calling thread and frees it together with the network: the next signal,
    SIGTERM of a cluster or a keyboard's SIGINT, would then end the process with a segmentation fault.
    """
    before = current()
    try:
        yield
    finally:
        ctypes.CDLL(None).sigaltstack(ctypes.byref(before), None)
