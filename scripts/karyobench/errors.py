"""The one exception that a user's mistake raises."""

import difflib
from collections.abc import Iterable


class KaryobenchError(Exception):
    """A fault that the user can mend: the message names the file, key or image and what to do.

    Steps print it without a traceback and exit with status 1.
    """


def nearest(word: str, known: Iterable[str]) -> str:
    """Hint naming the closest known word, as ` (did you mean 'x'?)`, or the known words when none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f" (did you mean '{close[0]}'?)"
    return f" (known: {', '.join(known)})" if known else ""
