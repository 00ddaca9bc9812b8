"""Design of a run: one document of everything that decides its results, and its hash.

It is built from the suite and its plan, so that nothing in it can differ from what runs.
Names in it are those of the suite, so that a change reads as a change of the suite.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.contract.compressor import CONTRACT_VERSION
from harness.data.card import Card
from harness.planning.plan import Plan
from harness.planning.preregistration import ANALYSIS_VERSION
from harness.planning.suite import DatasetRow, Suite, TaskRow
from harness.records.job import BASELINE, FIT, Job
from harness.tasks.catalog import BASELINE_VERSION, FIT_VERSION, TASKS

Document = Mapping[str, Any]
CARD_FIELDS = ("shape", "levels", "separator", "pooling", "duplicates")
"""Fields of a card that decide results beside the content of the data set."""
N_NAMED = 4
"""Names in a table that a list of changes gives a line each."""
SHA256_LENGTH = 64
N_SHOWN = 12
"""Hexadecimal digits of a hash in a list of changes."""


def design_of(suite: Suite, planned: Plan) -> dict[str, Any]:
    """Return the document of everything that decides the results of a suite.

    Args:
        suite: with its specs expanded, those of its hypothesis as records have them.
        planned: the plan of the whole suite with its own caps and seed.

    Returns:
        Plain JSON values: compressors, plugins, data, tasks, draws, limits, claims, versions.
    """
    jobs = [job for job in planned.jobs if job.task not in (FIT, BASELINE)]
    refused = [job for job, _ in planned.refused]
    cells = {(job.subject.spec, job.dataset, job.task) for job in [*jobs, *refused]}
    document = {
        "versions": {
            "analysis": ANALYSIS_VERSION,
            "contract": CONTRACT_VERSION,
            "fit": FIT_VERSION,
            "baseline": BASELINE_VERSION,
        },
        "configurations": _configurations(suite),
        "compressors": _compressors(cells),
        "plugins": _plugins(jobs) | {job.subject.name: "missing" for job in refused},
        "baselines": sorted(suite.baselines),
        "data": {
            row.name: _data(row, planned.cards[row.name]) for row in suite.datasets
        },
        "tasks": {row.name: _task(row, jobs) for row in suite.tasks},
        "draws": suite.draws,
        "seed": suite.seed,
        "limits": suite.limits.model_dump(mode="json"),
        "hypothesis": _claims(suite),
    }
    # Through JSON, so that a document compares equal to itself read from a file.
    plain: dict[str, Any] = json.loads(canonical(document))
    return plain


def canonical(document: Document) -> str:
    """Return the one text of a document: sorted keys, no spaces."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"))


def design_hash(document: Document) -> str:
    """Return the sha256 of the canonical text of a document."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def design_changes(before: Document, after: Document) -> tuple[str, ...]:
    """Return a line for every difference: the path of the field, before -> after."""
    return tuple(_changes(before, after, ()))


def _compressors(cells: set[tuple[str, str, str]]) -> dict[str, list[str]]:
    """Return the specs, each with the cells of the suite that leave it out."""
    tasks_by_dataset = defaultdict(set)
    tasks_by_cell = defaultdict(set)
    for spec, dataset, task in cells:
        tasks_by_dataset[dataset].add(task)
        tasks_by_cell[spec, dataset].add(task)
    return {
        spec: sorted(_omissions(spec, tasks_by_dataset, tasks_by_cell))
        for spec in sorted({spec for spec, _, _ in cells})
    }


def _omissions(
    spec: str,
    tasks_by_dataset: Mapping[str, set[str]],
    tasks_by_cell: Mapping[tuple[str, str], set[str]],
) -> Iterator[str]:
    """Yield the data sets, tasks and single cells that a compressor leaves out.

    Where it leaves out most data sets, those that it takes are named instead.
    """
    takes = {d: tasks_by_cell.get((spec, d), set()) for d in tasks_by_dataset}
    taken_tasks = set().union(*takes.values())
    # Drawn configurations run on one data set each, and a list of the others says little.
    is_rare = 2 * sum(map(bool, takes.values())) < len(takes)
    for dataset, tasks in takes.items():
        if bool(tasks) == is_rare:
            yield f"{'' if is_rare else 'not '}on {dataset}"
        if not tasks:
            continue
        for task in (tasks_by_dataset[dataset] - tasks) & taken_tasks:
            yield f"no {task} on {dataset}"
    # Once, where the compressor takes the task nowhere.
    for task in set().union(*tasks_by_dataset.values()) - taken_tasks:
        yield f"no {task}"


def _configurations(suite: Suite) -> dict[str, Any]:
    """Return the rows of random configurations by family, numbered where one repeats."""
    rows: dict[str, Any] = {}
    for row in suite.configurations:
        n_before = sum(name.split(" ")[0] == row.family for name in rows)
        name = f"{row.family} {n_before + 1}" if n_before else row.family
        rows[name] = row.model_dump(mode="json", exclude={"family"})
    return rows


def _plugins(jobs: Sequence[Job]) -> dict[str, Any]:
    return {
        job.subject.name: {
            "source": job.subject.source_hash,
            "versions": dict(job.subject.versions),
        }
        for job in jobs
    }


def _data(row: DatasetRow, card: Card) -> dict[str, Any]:
    values = card.model_dump(mode="json", include=set(CARD_FIELDS))
    return {"content": card.identity, "train": row.train, "test": row.test, **values}


def _task(row: TaskRow, jobs: Sequence[Job]) -> dict[str, Any]:
    task = TASKS[row.name]
    # From a job, where the plan has added contents of data sets that parameters name.
    parameters = next((job.parameters for job in jobs if job.task == row.name), {})
    return {
        "version": task.version,
        "judge_version": task.judge_version,
        "parameters": dict(parameters),
        "train": row.train,
        "test": row.test,
    }


def _claims(suite: Suite) -> dict[str, Any] | None:
    """Return the hypothesis, its claims by their titles."""
    if suite.hypothesis is None:
        return None
    values = suite.hypothesis.model_dump(mode="json")
    titles = [claim.title for claim in suite.hypothesis.claims]
    return values | {"claims": dict(zip(titles, values["claims"], strict=True))}


def _changes(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[str]:
    place = ", ".join(path)
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _names(sorted({*after} - {*before}), "added", after, path)
        yield from _names(sorted({*before} - {*after}), "removed", before, path)
        for name in sorted({*before} & {*after}, key=_rank):
            yield from _changes(before[name], after[name], (*path, name))
    elif isinstance(before, list) and isinstance(after, list):
        yield f"{place}: {_list_change(before, after)}"
    else:
        yield f"{place}: {_words(before)} -> {_words(after)}"


def _names(
    names: Sequence[str], word: str, values: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[str]:
    """Yield a line for each name that came or went, or one for many."""
    if len(names) > N_NAMED:
        listed = ", ".join(names[:N_NAMED])
        yield f"{', '.join(path)}: {len(names)} {word}: {listed}, ..."
        return
    for name in names:
        yield f"{', '.join((*path, name))}: {word}{_scalar(values[name])}"


def _rank(name: str) -> tuple[bool, str]:
    """Return the place of a field: those whose change follows from others come last."""
    return name in ("compressors", "plugins"), name


def _scalar(value: Any) -> str:
    """Return a short value after an equals sign; "" for a table or a list."""
    return "" if isinstance(value, Mapping | list) else f" = {_words(value)}"


def _list_change(before: list[Any], after: list[Any]) -> str:
    gone = [f"- {_words(value)}" for value in before if value not in after]
    new = [f"+ {_words(value)}" for value in after if value not in before]
    return ", ".join([*gone, *new]) or "another order"


def _words(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, str):
        # Whole hashes would fill a line and tell a reader no more.
        return value[:N_SHOWN] if len(value) == SHA256_LENGTH else value
    if isinstance(value, Mapping):
        # A table as a whole comes or goes only where its place held something else.
        return "a table"
    return json.dumps(value)
