"""Names of images and experiments as they stand in paths and links."""

import re

from karyobench import files

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def file_name(name: str) -> str:
    """The name itself where it is safe in a path and a link, else its safe part with a digest that keeps it unique."""
    if _SAFE.fullmatch(name):
        return name
    return f"{re.sub('[^A-Za-z0-9_-]+', '-', name).strip('-')[:40] or 'x'}-{files.digest(name)[:8]}"
