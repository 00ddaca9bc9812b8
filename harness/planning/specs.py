"""Specs that stand for several configurations: lists of values, globs, names, families.

A list of values stands for one spec per value, several lists for their product, the first
list outermost: "m(size=['10k', '50k'], steps=[0, 50])" is m(size='10k', steps=0),
m(size='10k', steps=50), m(size='50k', steps=0), m(size='50k', steps=50). A list stays one
value where the field's own type is a list or tuple; a tuple is always one value.

A pattern selects among configurations, and is one of

- a name: all configurations of that compressor;
- a spec, also with lists: exactly these configurations, however they are written; "zstd()"
  is the one whose fields all have their defaults;
- a glob, where "*" stands for any text and nothing else is special: all configurations whose
  name, spec as written or shortest spec it matches from end to end;
- "family:" and the name of a family, or a glob: all configurations of that family.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Union, get_args, get_origin, get_type_hints

from harness.contract.compressor import Compressor, spec_of
from harness.contract.registry import Registry, parse_spec
from harness.errors import SpecError, UnavailableError
from harness.suggest import hint

FAMILY = "family:"


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """A compressor with field values, as far as this machine can make it.

    Attributes:
        spec: as it is written.
        shortest: the form of the spec that records have.
        compressor: None where something is missing on this machine.
        unavailable: the reason; "" where nothing is missing.
    """

    spec: str
    shortest: str
    name: str
    compressor: Compressor | None = None
    unavailable: str = ""

    @property
    def family(self) -> str:
        """The family, or "" where the plugin that declares it cannot be loaded."""
        return self.compressor.family if self.compressor else ""


def configuration_of(spec: str, registry: Registry) -> Configuration:
    """Return the configuration of a spec without lists.

    Raises:
        SpecError: the spec does not parse, or names an unknown field or an illegal value.
    """
    name, values = parse_spec(spec)
    try:
        compressor = registry.make(name, values)
    except UnavailableError as error:
        # Without the plugin its defaults are unknown, and none can be left out.
        shortest = _written(name, values)
        return Configuration(
            spec=spec, shortest=shortest, name=name, unavailable=str(error)
        )
    return Configuration(
        spec=spec, shortest=spec_of(compressor), name=name, compressor=compressor
    )


def expand(specs: Iterable[str], registry: Registry) -> list[str]:
    """Return the specs with every list of values multiplied out, in order.

    A spec without a list stays as it is written.

    Raises:
        SpecError: a spec does not parse, or a list is empty.
    """
    return [
        product_spec for spec in specs for product_spec in _products(spec, registry)
    ]


def expand_additions(patterns: Iterable[str], registry: Registry) -> list[str]:
    """Return the specs that a list adds: specs as in `expand`, or globs and families.

    A glob or a family stands for the registered compressors with their defaults.

    Raises:
        SpecError: a spec does not parse, or a pattern matches no compressor.
    """
    specs = []
    for pattern in patterns:
        # A star inside of parentheses belongs to the value of a field.
        if not (pattern.startswith(FAMILY) or ("*" in pattern and "(" not in pattern)):
            specs += _products(pattern, registry)
            continue
        names = registered(pattern, registry)
        if not names:
            raise SpecError(
                f"no compressor matches {pattern!r}; {_near(pattern, registry)}"
            )
        specs += names
    return specs


def registered(pattern: str, registry: Registry) -> list[str]:
    """Return the names of the registered compressors that a glob or a family matches."""
    names = []
    for name, entry in registry.entries.items():
        family = entry.kind.family if entry.kind else ""
        configuration = Configuration(spec=name, shortest=name, name=name)
        if pattern.startswith(FAMILY):
            is_match = bool(family) and _is_family(pattern, family)
        else:
            is_match = _is_match(pattern, configuration)
        names += [name] if is_match else []
    return names


def expand_patterns(patterns: Iterable[str], registry: Registry) -> list[str]:
    """Return the patterns with lists of values multiplied out; the others stay.

    Raises:
        SpecError: a pattern is none of a name, a spec, a glob and a family.
    """
    expanded = []
    for pattern in map(str.strip, patterns):
        is_plain = pattern.startswith(FAMILY) or "*" in pattern
        expanded += [pattern] if is_plain else _products(pattern, registry)
    return expanded


def matching(
    pattern: str, configurations: Sequence[Configuration], registry: Registry
) -> list[Configuration]:
    """Return the configurations that a pattern without lists selects.

    Raises:
        SpecError: it is a spec with an unknown field or an illegal value.
    """
    if pattern.startswith(FAMILY):
        return [
            each
            for each in configurations
            if each.family and _is_family(pattern, each.family)
        ]
    if "*" in pattern or pattern.isidentifier():
        return [each for each in configurations if _is_match(pattern, each)]
    # Two ways to write one configuration have the same shortest spec.
    shortest = configuration_of(pattern, registry).shortest
    return [each for each in configurations if each.shortest == shortest]


def no_match(pattern: str, configurations: Sequence[Configuration]) -> str:
    """Return the end of the message on a pattern without a match, with near names."""
    name = pattern.partition("(")[0]
    namesakes = [each.spec for each in configurations if each.name == name]
    if pattern.startswith(FAMILY):
        families = (FAMILY + each.family for each in configurations if each.family)
        advice = hint(pattern, families)
    elif namesakes:
        advice = f"of {name} there are: {', '.join(dict.fromkeys(namesakes))}"
    else:
        advice = hint(name, (each.name for each in configurations))
    return f"matches {pattern!r}; {advice}"


def matches_glob(pattern: str, text: str) -> bool:
    """Return whether a pattern matches all of a text; "*" is any text, also none."""
    # Not `fnmatch`: brackets are part of specs and must stand for themselves.
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _near(pattern: str, registry: Registry) -> str:
    if not pattern.startswith(FAMILY):
        return hint(pattern, registry.entries)
    kinds = [entry.kind for entry in registry.entries.values() if entry.kind]
    return hint(pattern, (FAMILY + kind.family for kind in kinds))


def _is_match(pattern: str, configuration: Configuration) -> bool:
    if "*" not in pattern:
        return configuration.name == pattern
    texts = (configuration.name, configuration.spec, configuration.shortest)
    return any(matches_glob(pattern, text) for text in texts)


def _is_family(pattern: str, family: str) -> bool:
    return matches_glob(pattern.removeprefix(FAMILY).strip(), family)


def _products(spec: str, registry: Registry) -> list[str]:
    name, values = parse_spec(spec)
    lists = {
        field: value
        for field, value in values.items()
        if isinstance(value, list) and not _takes_list(name, field, registry)
    }
    if not lists:
        return [spec]
    for field, value in lists.items():
        if not value:
            raise SpecError(f"{name}: {field}=[] lists no value; give one or more")
    # A field without a list has one choice, so that all fields keep their places.
    choices = [lists.get(field, [value]) for field, value in values.items()]
    return [
        _written(name, dict(zip(values, choice, strict=True)))
        for choice in product(*choices)
    ]


def _written(name: str, values: Mapping[str, Any]) -> str:
    fields = ", ".join(f"{field}={value!r}" for field, value in values.items())
    return f"{name}({fields})" if fields else name


def _takes_list(name: str, field: str, registry: Registry) -> bool:
    # An unknown name or field is refused where the spec is used, by its own message. A
    # plugin that cannot be loaded has no types: the hash of a hypothesis must be the same
    # on every machine, so that its lists are multiplied out too.
    entry = registry.entries.get(name)
    if entry is None or entry.kind is None:
        return False
    return _is_sequence(get_type_hints(entry.kind).get(field))


def _is_sequence(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, types.UnionType):
        return any(_is_sequence(member) for member in get_args(annotation))
    kind = get_origin(annotation) or annotation  # list[int] -> list
    # The field may take a list: reading it as one value is the safe guess.
    if kind is Any:
        return True
    # A string is iterable too, but a field of text takes no list.
    is_text = isinstance(kind, type) and issubclass(kind, (str, bytes, Mapping))
    return isinstance(kind, type) and issubclass(kind, Iterable) and not is_text
