"""Selection of configurations: by a suite's `skip` and `only`, and by the user's options."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.contract.registry import Registry
from harness.errors import SpecError, SuiteError
from harness.folders import builtin_folder
from harness.planning.specs import (
    FAMILY,
    Configuration,
    configuration_of,
    expand_additions,
    expand_patterns,
    matches_glob,
    matching,
    no_match,
    registered,
)
from harness.planning.suite import DatasetRow, Suite, TaskRow
from harness.suggest import hint

Row = TypeVar("Row", DatasetRow, TaskRow)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The part of a suite that a user asks to run; empty means all.

    Attributes:
        only: patterns of the suite's compressors (`planning/specs.py`), or specs of plugins
            that do not come with bitprobe: these are added to the suite.
        also: specs to add on every data set, whatever `only` selects.
        datasets, tasks: names, or globs.
        limit: cap on the samples of every split.
        seed: of the first draw, in place of the suite's.
    """

    only: Sequence[str] = ()
    also: Sequence[str] = ()
    datasets: Sequence[str] = ()
    tasks: Sequence[str] = ()
    limit: int | None = None
    seed: int | None = None

    @property
    def is_official(self) -> bool:
        """Return whether the caps and seeds of the suite hold for every job."""
        return self.limit is None and self.seed is None


class Roster:
    """Configurations that run, by data set and by task."""

    def __init__(self, suite: Suite, registry: Registry, selection: Selection) -> None:
        """Resolve all patterns of an expanded suite and of a selection.

        Raises:
            SuiteError: a pattern matches nothing.
            SpecError: a spec is not legal.
        """
        self._registry = registry
        self._rates_only = self._shortest(suite.rates_only)
        self._general = self._configurations([*suite.compressors, *suite.rates_only])
        self._added = self._configurations(expand_additions(selection.also, registry))
        listed = self._configurations(suite.specs)
        self._selected = self._select(selection.only, [*listed, *self._added])
        every = [*listed, *self._added]  # with the specs that `only` has added
        self._by_task = {
            row.name: _allowed(row, every, registry, f"task {row.name!r}")
            for row in suite.tasks
        }
        self._by_dataset = {
            row.name: _allowed(row, self._general, registry, f"data set {row.name!r}")
            for row in suite.datasets
        }

    def of_dataset(self, row: DatasetRow) -> list[Configuration]:
        """Return the configurations that run on a data set, each once, in order."""
        allowed = self._by_dataset[row.name]
        general = [each for each in self._general if each.shortest in allowed]
        # These are listed for this data set: its `skip` and `only` do not apply.
        on_top = [*self._configurations(row.also), *self._added]
        by_spec = {each.shortest: each for each in [*general, *on_top]}
        # `only` selects at the end: it never runs what the data set leaves out.
        return [
            each
            for shortest, each in by_spec.items()
            if self._selected is None or shortest in self._selected
        ]

    def takes(self, configuration: Configuration, task: TaskRow) -> bool:
        """Return whether a configuration takes a task."""
        if task.name != "rates" and configuration.shortest in self._rates_only:
            return False
        return configuration.shortest in self._by_task[task.name]

    def _select(
        self, patterns: Sequence[str], every: Sequence[Configuration]
    ) -> set[str] | None:
        """Return the shortest specs that `--only` selects; None selects all."""
        if not patterns:
            return None
        selected = {each.shortest for each in self._added}
        for pattern in expand_patterns(patterns, self._registry):
            matches = matching(pattern, every, self._registry)
            if not matches:
                # The suite comes first: a pattern that matches in it adds nothing.
                matches = self._foreign(pattern)
                self._added += matches
            if not matches:
                raise SpecError(self._refusal(pattern, every))
            selected |= {each.shortest for each in matches}
        return selected

    def _foreign(self, pattern: str) -> list[Configuration]:
        """Return the configurations of plugins from elsewhere that a pattern names.

        No suite that comes with bitprobe can list them, so that naming one adds it.
        """
        entries = {
            name: entry
            for name, entry in self._registry.entries.items()
            if Path(entry.origin).resolve().parent
            != builtin_folder("plugins").resolve()
        }
        if pattern.partition("(")[0] in entries:
            return self._configurations([pattern])
        return self._configurations(registered(pattern, Registry(entries=entries)))

    def _refusal(self, pattern: str, every: Sequence[Configuration]) -> str:
        message = f"--only: no compressor of the suite {no_match(pattern, every)}"
        # A glob would add every registered match; a spec adds exactly itself.
        if "*" not in pattern and pattern.partition("(")[0] in self._registry.entries:
            return f'{message}; --also "{pattern}" adds it'
        return message

    def _configurations(self, specs: Iterable[str]) -> list[Configuration]:
        return [configuration_of(spec, self._registry) for spec in specs]

    def _shortest(self, specs: Iterable[str]) -> set[str]:
        return {each.shortest for each in self._configurations(specs)}


def select_rows(
    patterns: Sequence[str], rows: Sequence[Row], kind: str, option: str
) -> list[Row]:
    """Return the rows whose names match one of the patterns, or all without patterns.

    Raises:
        SuiteError: a pattern matches no row.
    """
    names = [row.name for row in rows]
    for pattern in patterns:
        if not any(matches_glob(pattern, name) for name in names):
            advice = hint(pattern, names)
            raise SuiteError(f"{option}: the suite has no {kind} {pattern!r}; {advice}")
    return [
        row
        for row in rows
        if not patterns or any(matches_glob(pattern, row.name) for pattern in patterns)
    ]


def _allowed(
    row: DatasetRow | TaskRow,
    configurations: Sequence[Configuration],
    registry: Registry,
    place: str,
) -> set[str]:
    """Return the shortest specs that `only` and `skip` of a row leave."""
    every = {each.shortest for each in configurations}
    kept_specs = every
    # An empty `only` restricts nothing.
    if row.only:
        kept_specs = _matched(row.only, configurations, registry, f"{place}, only")
    return kept_specs - _matched(row.skip, configurations, registry, f"{place}, skip")


def _matched(
    patterns: Sequence[str],
    configurations: Sequence[Configuration],
    registry: Registry,
    place: str,
) -> set[str]:
    matches: set[str] = set()
    for pattern in expand_patterns(patterns, registry):
        selected = matching(pattern, configurations, registry)
        # A family whose plugin is missing on this machine is no mistake in the suite.
        if not selected and not _may_be_missing(pattern, configurations):
            message = no_match(pattern, configurations)
            raise SuiteError(f"{place}: no compressor of the suite {message}")
        matches |= {each.shortest for each in selected}
    return matches


def _may_be_missing(pattern: str, configurations: Sequence[Configuration]) -> bool:
    """Return whether a family may be that of a plugin that cannot be loaded here."""
    is_family = pattern.startswith(FAMILY)
    return is_family and any(not each.family for each in configurations)
