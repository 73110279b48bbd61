"""Comma-separated annotations, whatever their line ends and blanks."""

import csv

from karyobench.errors import KaryobenchError


def records(data: bytes, where: str, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """Rows of a table by column name, without blanks around names and values. where: what messages call the file.

    Raises KaryobenchError naming a file that is no text, lacks one of `columns`, or has a row of another length.
    """
    names, *rows = _lines(data, where) or [[]]
    missing = [column for column in columns if column not in names]
    if missing:
        raise KaryobenchError(f"{where}: has no column '{missing[0]}' (it has: {', '.join(names)}); replace the file")
    for row in rows:
        if len(row) != len(names):
            raise KaryobenchError(f"{where}: the row {row} has {len(row)} values, not {len(names)}; replace the file")
    return [dict(zip(names, row, strict=True)) for row in rows]


def numbers(data: bytes, where: str) -> list[list[float]]:
    """Numbers of each line of a table without a header; lines may differ in length, those without a value are left out.

    Raises KaryobenchError naming the file and a value that is no finite number.
    """
    return [[_number(value, where) for value in row if value] for row in _lines(data, where) if any(row)]


def _lines(data: bytes, where: str) -> list[list[str]]:
    try:
        lines = data.decode("utf-8-sig").splitlines()
        return [[value.strip() for value in row] for row in csv.reader(lines, strict=True) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise KaryobenchError(f"{where}: damaged, or no comma-separated text ({error}); replace the file") from None


def _number(value: str, where: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not abs(number) < float("inf"):
        raise KaryobenchError(f"{where}: '{value[:40]}' is no number; replace the file")
    return number
