"""Errors of a suite file in the words of its author: table, row, field, what is allowed."""

from __future__ import annotations

import reprlib
import types
from collections.abc import Sequence
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from harness.suggest import hint

# By the type of pydantic's error; names in braces come from the error's context.
_ALLOWED = {
    "string_type": "a string",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "too_short": "a list of {min_length} or more",
    "greater_than_equal": "{ge} or more",
    "greater_than": "more than {gt}",
    "less_than_equal": "{le} or less",
    "less_than": "less than {lt}",
    "literal_error": "{expected}",
}


def first_error(error: ValidationError, model: type[BaseModel]) -> str:
    """Return the first error in one line, such as "datasets, row 2: no field 'trian'".

    Args:
        error: of the validation.
        model: validated against; its fields are those that an unknown one may mean.
    """
    # Later errors often follow from the first, and a message is one line.
    details = error.errors()[0]
    place, owner = _place(details["loc"], model)
    name = details["loc"][-1] if details["loc"] else ""
    if details["type"] == "extra_forbidden":
        fields = owner.model_fields if owner else ()
        return f"{place}no field {name!r}; {hint(str(name), fields)}"
    if details["type"] == "missing":
        return f"{place}{name} is missing"
    subject = f"{name} " if isinstance(name, str) and name else ""
    allowed = _ALLOWED.get(details["type"])
    if allowed is None:
        message = details["msg"].removeprefix("Value error, ")
        return f"{place}{subject}{message[:1].lower()}{message[1:]}"
    limit = allowed.format(**details.get("ctx", {}))
    return f"{place}{subject}must be {limit}, not {reprlib.repr(details['input'])}"


def _place(
    location: Sequence[int | str], model: type[BaseModel]
) -> tuple[str, type[BaseModel] | None]:
    """Return the table or row that holds a location, in words, and its model."""
    annotation: Any = model
    owner: type[BaseModel] | None = model
    words = []
    # Walk down the location, with the type of the value at each step.
    for i, part in enumerate(location):
        is_last = i == len(location) - 1
        owner = annotation if _is_model(annotation) else None
        annotation = _inside(annotation, part)
        if isinstance(part, int):
            words.append(f"{'row' if _is_model(annotation) else 'item'} {part + 1}")
        elif not is_last:
            words.append(part)
    return (f"{', '.join(words)}: " if words else ""), owner


def _inside(annotation: Any, part: int | str) -> Any:
    if _is_model(annotation):
        field = annotation.model_fields.get(part)
        return _required(field.annotation) if field else None
    # The last argument of a list or dictionary is the type of its values.
    arguments = get_args(annotation)
    return _required(arguments[-1]) if arguments else None


def _required(annotation: Any) -> Any:
    """Return the type of a field that may also be None, and what Annotated wraps."""
    if hasattr(annotation, "__metadata__"):
        return _required(annotation.__origin__)
    if get_origin(annotation) in (Union, types.UnionType):
        members = [m for m in get_args(annotation) if m is not types.NoneType]
        return members[0]
    return annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
