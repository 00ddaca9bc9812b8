"""`bitprobe list`: compressors, data sets, suites and tasks with a line about each."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from harness.contract.registry import Entry, load_registry
from harness.data.card import Card
from harness.data.shelf import load_shelf
from harness.planning.suite import load_suite, suite_names, suite_size
from harness.tasks.catalog import TASKS


def inventory(
    kind: str, plugins_dir: Path | None = None, cards_dir: Path | None = None
) -> list[dict[str, Any]]:
    """Return one row per compressor, dataset, suite or task, each with name and about."""
    if kind == "compressors":
        return [_compressor(e) for e in load_registry(plugins_dir).entries.values()]
    if kind == "datasets":
        shelf = load_shelf(cards_dir)
        return [_dataset(shelf.card(name)) for name in shelf.names]
    if kind == "suites":
        return [_suite(name) for name in suite_names()]
    return [
        {
            "name": task.name,
            "about": task.title,
            "version": task.version,
            "reads_fit": task.reads_fit,
            "parameters": {f.name: f.default for f in fields(task.parameters)},
        }
        for task in TASKS.values()
    ]


def _compressor(entry: Entry) -> dict[str, Any]:
    # A plugin that does not load has a row too, with its reason, so that it is not missed.
    if entry.kind is None:
        about = f"unavailable: {entry.unavailable}"
        return {"name": entry.name, "about": about, "available": False}
    kind = entry.kind
    # "learned" is the state after a fit, not a choice of the user.
    defaults = {f.name: f.default for f in fields(kind) if f.name != "learned"}
    options = ", ".join(f"{name}={value!r}" for name, value in defaults.items())
    return {
        "name": entry.name,
        "about": f"{kind.family}; {kind.route}; {options or 'no fields'}",
        "available": True,
        "family": kind.family,
        "route": kind.route,
        "determinism": kind.determinism,
        "prior_bytes": kind.prior_bytes,
        "requires": list(kind.requires),
        "fields": defaults,
    }


def _dataset(card: Card) -> dict[str, Any]:
    about = f"{card.title} ({card.n_train}/{card.n_test})"
    return {
        "name": card.name,
        "about": about,
        **card.model_dump(exclude={"source", "name"}),
    }


def _suite(name: str) -> dict[str, Any]:
    # Loaded in full, so that a faulty suite shows in the list.
    suite = load_suite(name)
    size = suite_size(suite)
    about = (
        f"{suite.title} ({size['n_compressors']} compressors, "
        f"{size['n_datasets']} data sets, {size['n_draws']} draws)"
    )
    return {
        "about": about,
        **size,
        **suite.model_dump(exclude={"tasks", "name"}),
        "name": name,
        "tasks": [row.name for row in suite.tasks],
    }
