"""Say what is wrong with a configuration in words that name the key and the remedy."""

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from karyobench.errors import nearest


def problems(config: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """One sentence per fault that the JSON schema finds in the configuration, in the order of its keys."""
    faults = Draft202012Validator(schema).iter_errors(config)
    return [text for fault in sorted(faults, key=lambda f: [str(p) for p in f.absolute_path]) for text in _told(fault)]


def listed(faults: list[str]) -> str:
    """The faults of a configuration as one message."""
    return "\n  - ".join(["the configuration has faults; mend them and run again:", *faults])


def _told(fault: ValidationError) -> Iterator[str]:
    where = ".".join(str(part) for part in fault.absolute_path) or "top level"
    if fault.validator == "additionalProperties":
        known = fault.schema.get("properties", {})
        for key in fault.instance.keys() - known:
            yield f"{where}: unknown key '{key}'{nearest(key, known)}"
    elif fault.validator == "required":
        for key in sorted(set(fault.validator_value) - fault.instance.keys()):
            yield f"{where}: the key '{key}' is missing"
    elif fault.validator == "type":
        yield f"{where}: must be {_either(fault.validator_value)}, is {_shown(fault.instance)}{_hint(fault)}"
    elif fault.validator == "enum":
        yield f"{where}: {_shown(fault.instance)} is not one of {', '.join(map(str, fault.validator_value))}" + (
            nearest(fault.instance, map(str, fault.validator_value)) if isinstance(fault.instance, str) else ""
        )
    elif fault.validator in ("oneOf", "anyOf"):
        yield f"{where}: {_shown(fault.instance)}: {fault.schema.get('description', 'fits none of the allowed forms')}"
    else:
        yield f"{where}: {fault.message}"


def _hint(fault: ValidationError) -> str:
    """YAML 1.1 reads 1e-3 as text; people write it all the time."""
    if isinstance(fault.instance, str) and fault.validator_value in ("number", ["number", "null"]):
        return " (YAML reads a number such as 1e-3 as text; write 0.001 or 1.0e-3)"
    return ""


def _either(kinds: str | list[str]) -> str:
    return kinds if isinstance(kinds, str) else " or ".join(kinds)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
