"""A user's files by patterns of their paths: `*` is any part of a name, `**/` any folders, `{name}` an image's name."""

import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath

NAME = "{name}"
_GROUP = "(?P<name>.+)"
_MEANING = {"**/": "(?:.*/)?", "*": "[^/]*", NAME: _GROUP}


def matching(paths: Iterable[str], pattern: str) -> list[str]:
    """Paths that match a pattern, sorted."""
    expression = _expression(pattern)
    return sorted(path for path in paths if expression.fullmatch(path))


def named(paths: Iterable[str], pattern: str) -> dict[str, list[str]]:
    """Paths that match a pattern, sorted, by name.

    The name is what `{name}` stands for, as long as it can be; in a pattern without it the path below the first folders
    without a `*`, less the suffix.
    """
    expression, fixed = _expression(pattern), re.match(r"(?:[^*/]*/)*", pattern)[0]
    found = defaultdict(list)
    for path in matching(paths, pattern):
        below = str(PurePosixPath(path.removeprefix(fixed)).with_suffix(""))
        found[expression.fullmatch(path).groupdict().get("name", below)].append(path)
    return dict(sorted(found.items()))


def _expression(pattern: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*|\{name\})", pattern)
    first, *more = "".join(_MEANING.get(piece, re.escape(piece)) for piece in pieces).split(_GROUP)
    return re.compile(_GROUP.join([first, "(?P=name)".join(more)]) if more else first)
