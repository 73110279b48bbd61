"""The configuration schema as a page for people."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_HEAD = """# Configuration

Made from `rules/schemas/config.schema.yaml` by `python scripts/describe.py config`; do not edit.

`config.yaml` is read first; files given by `--configfile` are laid over it, key by key. An unknown key, a wrong type
or a name that nothing defines ends the run before it begins, with the key and the nearest known name. What a system's
own sections (`network`, `targets`, `loss`, `train`, `predict`, `instances`) hold is declared by its module as `KEYS`.
"""


def page(schema: Schema) -> str:
    """Markdown tables of every key: the top level first, then each kind of record."""
    parts = [_HEAD, *_table("Top level", schema)]
    for name, record in schema["$defs"].items():
        if record.get("type") == "object" and "properties" in record:
            parts += _table(f"A {name} record" if name != "patches" else "A patch set", record)
    return "\n".join(parts) + "\n"


def _table(title: str, record: Schema) -> list[str]:
    rows = [f"| `{key}` | {kind} | {default} | {text} |" for key, kind, default, text in _rows(record, "")]
    return [f"## {title}", "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""]


def _rows(record: Schema, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    required = set(record.get("required", []))
    for key, value in record.get("properties", {}).items():
        name = prefix + key
        yield name, _kind(value), _default(key, value, required), value.get("description", "")
        yield from _rows(value, f"{name}.")
        for form in value.get("oneOf", []):
            yield from _rows(form, f"{name}.")


def _kind(value: Schema) -> str:
    if "$ref" in value:
        return f"see {value['$ref'].rsplit('/', 1)[-1]}"
    if "enum" in value:
        return ", ".join("null" if v is None else f"`{v}`" for v in value["enum"])
    kinds = value.get("type", "see below")
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _default(key: str, value: Schema, required: set[str]) -> str:
    if key in required:
        return "required"
    return f"`{value['default']}`" if "default" in value else ""
