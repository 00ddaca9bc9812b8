"""Checks of a class's declarations and of its window."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, replace
from importlib.metadata import PackageNotFoundError
from typing import ClassVar, get_args, get_origin, get_type_hints

import numpy as np

from harness.conformance import inputs
from harness.conformance.subject import Check, Subject, attempt, fail, one_line
from harness.contract.compressor import (
    Codec,
    Compressor,
    Determinism,
    Route,
    Stepwise,
    hyperparameters,
    spec_of,
)
from harness.contract.ranges import random_values
from harness.contract.registry import Entry, Registry, versions_of
from harness.errors import HarnessError

NEEDS = {"fit"}
BLOCK_BYTES = 1024
FAR_BYTES = 1 << 18
"""Longest distance that is tried, since the checks must stay quick."""
_NO_BENEFIT = 0.9
N_CONFIGURATIONS = 20
"""Random configurations that are made from the declared ranges."""


def declaration_check(check_names: Callable[[], set[str]]) -> Check:
    """Return the check of the class variables; `check_names` are those that may be waived."""

    def run(subject: Subject) -> str:
        wrong = [*_problems(subject.compressor, check_names())]
        if wrong:
            fail("; ".join(wrong))
        return ""

    return Check(
        name="declarations",
        claim="class variables and fields are legal and agree with the methods",
        run=run,
    )


def _problems(compressor: Compressor, check_names: set[str]) -> Iterator[str]:
    kind = type(compressor)
    name = kind.name
    if not isinstance(name, str) or not name.isidentifier() or name != name.lower():
        yield f"name is {name!r}; use lower case letters, digits and _"
    if not isinstance(kind.family, str) or not kind.family.strip():
        yield f"family is {kind.family!r}; name the mechanism, such as 'LZ77'"
    prior = kind.prior_bytes
    # True is an int in Python, but no number of bytes.
    if isinstance(prior, bool) or not isinstance(prior, int) or prior < 0:
        yield f"prior_bytes is {prior!r}; give a whole number of bytes, 0 or more"
    if not set(kind.needs) <= NEEDS:
        yield f"needs is {set(kind.needs)!r}; it may hold {sorted(NEEDS)}"
    yield from _requirement_problems(kind)
    yield from _class_problems(compressor)
    yield from _route_problems(compressor)
    yield from _field_problems(compressor)
    for waived, reason in kind.waived.items():
        if waived not in check_names:
            yield f"waived names {waived!r}, which is not a check; correct or remove it"
        if not str(reason).strip():
            yield f"waived[{waived!r}] has no reason; give the reason why it cannot pass"


def _requirement_problems(kind: type[Compressor]) -> Iterator[str]:
    # A string is a sequence of one-letter packages.
    if isinstance(kind.requires, str):
        yield f"requires is the string {kind.requires!r}; make it a tuple"
        return
    try:
        versions_of(kind)
    except PackageNotFoundError as error:
        yield f"requires {error.name!r}, which is not installed; give the name that pip uses"


def _class_problems(compressor: Compressor) -> Iterator[str]:
    declared, allowed = compressor.determinism, get_args(Determinism)
    if declared not in allowed:
        yield f"determinism is {declared!r}; use one of {', '.join(allowed)}"
    elif isinstance(compressor, Codec) and declared == "likelihood":
        yield "determinism is 'likelihood', but a Codec writes bytes; declare 'host'"
    elif not isinstance(compressor, Codec | Stepwise) and declared != "likelihood":
        yield f"determinism is {declared!r} without a bitstream; declare 'likelihood'"
    window = compressor.window
    legal = window is None or (isinstance(window, int) and window >= 0)
    if not legal:
        yield f"window is {window!r}; give a number of bytes, or None for no limit"


def _route_problems(compressor: Compressor) -> Iterator[str]:
    kind, route = type(compressor), compressor.route
    if route not in get_args(Route):
        yield f"route is {route!r}; use one of {', '.join(get_args(Route))}"
        return
    if isinstance(compressor, Stepwise) and route != "stepwise":
        yield f"route is {route!r}; a Stepwise has the route 'stepwise'"
    if not isinstance(compressor, Codec) or not issubclass(kind, Codec):
        return
    if route == "stepwise":
        yield "route is 'stepwise'; a Codec has native, flush, suffix or none"
    overrides = [
        method
        for method in ("pack_after", "unpack_after")
        if getattr(kind, method) is not getattr(Codec, method)
    ]
    if route in ("native", "flush") and len(overrides) < 2:
        method = overrides[0] if overrides else "neither"
        yield (
            f"route is {route!r}, but it overrides {method} of pack_after and unpack_after;"
            " write both, or declare 'suffix' or 'none'"
        )
    if route == "none" and overrides:
        yield f"route is 'none', so {overrides[0]} is never called; declare 'native'"


def _field_problems(compressor: Compressor) -> Iterator[str]:
    kind = type(compressor)
    names = {f.name for f in fields(compressor)}
    annotations = vars(kind).get("__annotations__", {})
    # An annotation that is no field means that the class itself is not a dataclass.
    for name, hint in get_type_hints(kind).items():
        if (
            name in annotations
            and name not in names
            and ClassVar not in (hint, get_origin(hint))
        ):
            yield (
                f"{name} is not a field; decorate the class: "
                "@dataclass(frozen=True, kw_only=True)"
            )
    ladder = kind.ladder_field
    if ladder is not None and ladder not in names - {"learned"}:
        yield f"ladder_field is {ladder!r}, which is not a field; name a field or None"
    for f in fields(compressor):
        if f.default is MISSING and f.default_factory is MISSING:
            yield f"field {f.name!r} has no default; give one"
    try:
        # Fields are part of job keys and artifacts, which are JSON.
        json.dumps(hyperparameters(compressor), default=list)
    except TypeError as error:
        yield f"a field cannot be written as JSON ({error}); use numbers and strings"
    yield from _spec_problems(compressor)
    yield from _range_problems(compressor, names - {"learned"})


def _range_problems(compressor: Compressor, names: set[str]) -> Iterator[str]:
    """Yield the reasons why random configurations could not be drawn or written down."""
    kind = type(compressor)
    unknown = sorted(set(kind.ranges) - names)
    if unknown:
        yield f"ranges names {unknown[0]!r}, which is not a field; correct or remove it"
        return
    rng = np.random.default_rng(0)
    for _ in range(N_CONFIGURATIONS if kind.ranges else 0):
        values = random_values(kind.ranges, rng)
        try:
            configuration = replace(compressor, **values)
        except (HarnessError, ValueError, TypeError) as error:
            yield f"ranges gave {values!r}, which it refuses: {one_line(error)}"
            return
        yield from _spec_problems(configuration)


def _spec_problems(compressor: Compressor) -> Iterator[str]:
    """Yield the reason if the spec string does not give this configuration again."""
    entry = Entry(name=compressor.name, origin="", kind=type(compressor))
    spec = spec_of(compressor)
    try:
        back = Registry(entries={compressor.name: entry}).parse(spec)
    except (HarnessError, NameError, TypeError) as error:
        yield f"its spec {spec!r} does not read back: {one_line(error)}; use plain types"
        return
    # A field changed by __post_init__ must give itself again.
    if hyperparameters(back) != hyperparameters(compressor):
        yield f"its spec {spec!r} reads back as {spec_of(back)!r}; keep fields as given"


def _window(subject: Subject) -> str:
    window = subject.compressor.window
    # Half the window: codecs hold a little less than they declare.
    limit = FAR_BYTES if window is None else min(window // 2, FAR_BYTES)
    if isinstance(subject.compressor, Codec) and window != 0:
        for distance in (0, limit):
            _check_inside(subject, distance)
    if window is not None and window <= FAR_BYTES:
        _check_beyond(subject, window)
        return ""
    return f"tried up to {limit} bytes, and not beyond the window"


def _check_inside(subject: Subject, distance: int) -> None:
    block = _block(subject)
    with attempt(f"a random block ({len(block)} bytes) twice, {distance} bytes apart,"):
        first = _cost(subject, block)
        second = _second_cost(subject, block, distance)
    if second >= first / 2:
        fail(
            f"window is {_window_text(subject)}, but the second of two equal random blocks"
            f" ({len(block)} bytes) {distance} bytes apart costs"
            f" {second:.0f} bits, the first {first:.0f}, expected under half;"
            f" declare a window of {_measured(subject, block)} bytes"
        )


def _check_beyond(subject: Subject, window: int) -> None:
    # Far beyond: a codec may round its window up, or look at a little more.
    block, distance = _block(subject), 2 * window + 4096
    with attempt(f"a random block ({len(block)} bytes) twice, {distance} bytes apart,"):
        first = _cost(subject, block)
        second = _second_cost(subject, block, distance)
    if second < _NO_BENEFIT * first:
        fail(
            f"window is {window}, but the second of two equal random blocks ({len(block)}"
            f" bytes) {distance} bytes apart costs {second:.0f} bits, the first"
            f" {first:.0f}; declare a longer window"
        )


def _block(subject: Subject) -> bytes:
    # Random, so that nothing but its twin can make it cheap.
    window = subject.compressor.window or 4 * BLOCK_BYTES
    size = min(BLOCK_BYTES, max(window // 4, 16))
    return inputs.fold(inputs.random_bytes(size, seed=7), subject.alphabet)


def _window_text(subject: Subject) -> str:
    window = subject.compressor.window
    return "None (without limit)" if window is None else str(window)


def _measured(subject: Subject, block: bytes) -> int:
    """Return the longest distance tried at which the second block costs under half."""
    longest, distance = 0, 1024
    # Powers of two suffice for the hint of a message.
    while distance <= FAR_BYTES:
        if _second_cost(subject, block, distance) < _cost(subject, block) / 2:
            longest = distance
        distance *= 2
    return longest


def _cost(subject: Subject, block: bytes) -> float:
    return float(_state(subject).code_lengths([block])[0])


def _second_cost(subject: Subject, block: bytes, distance: int) -> float:
    """Return the bits of a block whose twin lies `distance` bytes back."""
    compressor = _state(subject)
    if isinstance(compressor, Codec) and compressor.route == "none":
        return _packed_second_cost(compressor, block, distance)
    context = block + inputs.fold(inputs.text(distance), subject.alphabet)
    return float(compressor.code_lengths([block], context=context)[0])


def _packed_second_cost(compressor: Compressor, block: bytes, distance: int) -> float:
    """Return C(r f r) - C(r f) without a context: a difference, not a code length."""
    head = block + inputs.text(distance)
    once, twice = compressor.code_lengths([head, head + block])
    return float(twice - once)


def _state(subject: Subject) -> Compressor:
    fit_first = "fit" in subject.compressor.needs
    return subject.fitted if fit_first else subject.compressor


def _no_window(compressor: Compressor) -> str:
    if compressor.window is not None:
        return ""
    if not isinstance(compressor, Codec):
        return "without a limit a model claims nothing: a low order copies no block"
    if compressor.route == "none":
        return "it takes no context, and declares no window"
    return ""


WINDOW = Check(
    name="window",
    claim="a context helps inside the declared window and not far beyond it",
    run=_window,
    not_for=_no_window,
)
