"""Results of a run folder: one set of records, and everything computed from it, once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from harness.analysis.board import Leaderboard
from harness.analysis.estimates import estimates
from harness.analysis.label_curves import label_points
from harness.analysis.ladders import ladder_points
from harness.analysis.leaderboard import leaderboards, undecided
from harness.analysis.preregistered.result import Report
from harness.analysis.preregistered.test import hypothesis_report
from harness.analysis.score_table import score_table
from harness.errors import HarnessError
from harness.planning.manifest import Manifest, cell_of, read_manifest
from harness.planning.registered_design import (
    RegisteredDesign,
    Standing,
    read_registration,
    standing_of,
)
from harness.records.job import BASELINE
from harness.records.record import Record
from harness.records.store import Store
from harness.words import counted

Arrays = Callable[[str], Mapping[str, NDArray[Any]]]
"""Gives the per-sample arrays beside the record of a key; empty where there are none."""
QUESTION = "Does better compression give better representations?"
N_CHANGES = 5
"""Changes after registration that every report names; `bitprobe hypothesis` names all."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Results:
    """Everything that documents, charts and tables show; parts are computed when asked for.

    Attributes:
        stored: all records of the folder.
        manifest: of the folder; None where there is none.
        arrays: reader of the arrays beside a record.
        registered: the design that was registered; None where there is none.
    """

    stored: tuple[Record, ...]
    manifest: Manifest | None
    arrays: Arrays
    registered: RegisteredDesign | None = None

    @cached_property
    def records(self) -> tuple[Record, ...]:
        """One complete set: the manifest's newest, else the newest record of each cell."""
        if self.manifest is None:
            return _newest(self.stored)
        keys = set(self.manifest.current.keys.values())
        # A published folder has one set of records and names no keys.
        return tuple(r for r in self.stored if not keys or r.key in keys)

    @cached_property
    def elsewhere(self) -> tuple[str, ...]:
        """A sentence for each kind of records in the folder that are not in the set."""
        keys = {record.key for record in self.records}
        # Published folders and hand-made ones have none; a long-lived run folder has.
        remainder = [record for record in self.stored if record.key not in keys]
        # What changed is told by the record that took the place.
        current = {_question(record): record for record in self.records}
        kinds = Counter(_kind(r, current.get(_question(r))) for r in remainder)
        return tuple(
            f"{n:,} more {'record is' if n == 1 else 'records are'} {kind}; not shown"
            for kind, n in sorted(kinds.items())
        )

    @property
    def name(self) -> str:
        """Name of the suite, or of several."""
        if self.manifest is not None:
            return self.manifest.name
        return ", ".join(sorted({record.job.suite for record in self.records}))

    @property
    def is_official(self) -> bool:
        """Return whether no record is of a run with --limit or --seed."""
        return all(record.job.official for record in self.records)

    @property
    def draws(self) -> tuple[int, ...]:
        """Draws that the records are of."""
        return tuple(sorted({record.job.draw for record in self.records}))

    @cached_property
    def standing(self) -> Standing:
        """The relation of the records to the registration of their run."""
        design = self.manifest.design if self.manifest else {}
        return standing_of(self.registered, design, self.records)

    @cached_property
    def table(self) -> pd.DataFrame:
        """The score table, a row per score."""
        return score_table(self.records)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Means over draws, a row per score of a compressor."""
        return estimates(self.table)

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Families of compressors in a fixed order: it decides colour and shape."""
        return tuple(sorted({r.job.subject.family for r in self.records} - {BASELINE}))

    @cached_property
    def leaderboards(self) -> tuple[Leaderboard, ...]:
        """One of each data set, in the suite's order."""
        # Without a manifest there is no suite's order, and names decide.
        datasets = self.manifest.datasets if self.manifest else ()
        return leaderboards(self.records, self.estimates, datasets)

    @cached_property
    def ladders(self) -> pd.DataFrame:
        """Checkpoints of networks, of `ladder_points`."""
        return ladder_points(self.records)

    @cached_property
    def label_curves(self) -> pd.DataFrame:
        """Accuracy of networks from few labels, of `label_points`."""
        return label_points(self.estimates)

    @property
    def test(self) -> Report | None:
        """The preregistered test; None where nothing is registered, or it cannot be had."""
        return self._test_or_reason[0]

    @property
    def why_untested(self) -> str:
        """Why there is no test; "" where there is one."""
        return self._test_or_reason[1]

    @cached_property
    def _test_or_reason(self) -> tuple[Report | None, str]:
        if self.manifest is None:
            return None, "no suite.json says what was preregistered"
        if self.manifest.registration is None:
            if self.manifest.suite.get("hypothesis"):
                return (
                    None,
                    f"the claims of {self.name} are of an earlier version of the test",
                )
            return None, f"the suite {self.name} preregisters no [hypothesis]; add one"
        # A published folder may lack arrays; its tables are still worth a look.
        try:
            report = hypothesis_report(self.records, self.manifest, self.standing)
        except HarnessError as error:
            return (
                None,
                f"the preregistered test needs more than these records: {error}",
            )
        return report, ""

    @cached_property
    def answer(self) -> tuple[str, ...]:
        """The answer to the question in words: a sentence for each registered claim."""
        if self.missing_parts:
            missing = "; ".join(self.missing_parts)
            words = (
                f"No verdict: a claim is about the whole suite, and this run {missing}."
            )
            return (QUESTION, words)
        test = self.test
        if test is not None:
            sentences = (words for claim in test.claims for words in claim.sentences)
            return (QUESTION, *self._registration_words, *sentences)
        manifest = self.manifest
        is_unregistered = manifest is not None and not manifest.suite.get("hypothesis")
        if manifest is not None and is_unregistered and manifest.registration is None:
            return (*self._registration_words, undecided(self.leaderboards))
        undecided_words = f"Undecided: {self.why_untested}."
        return (QUESTION, *self._registration_words, undecided_words)

    @cached_property
    def missing_parts(self) -> tuple[str, ...]:
        """What a run that was told to run a part of its suite leaves out of the claims."""
        manifest = self.manifest
        if manifest is None or manifest.registration is None:
            return ()
        if not self.is_official:
            return ("has caps or a seed of its own (--limit, --seed)",)
        parts, registration = [], manifest.registration
        claimed = {d for c in registration.claims for d in c.datasets}
        named = claimed or set(registration.datasets)
        present = {record.job.dataset for record in self.records}
        if named - present:
            have = counted(len(named & present), "data set")
            parts.append(f"holds {have} of {len(named)}")
        specs, plugins = (
            manifest.design.get("compressors", {}),
            manifest.design.get("plugins", {}),
        )
        # What is not installed could not run, and the claim says so itself.
        asked = {s for s in specs if plugins.get(s.split("(")[0]) != "missing"}
        ran = {record.spec for record in self.records}
        if asked - ran:
            have = counted(len(asked & ran), "compressor")
            parts.append(f"holds {have} of {len(asked)}")
        return tuple(parts)

    @property
    def _registration_words(self) -> list[str]:
        """Hash, date and changes; nothing where nothing asks for a registration."""
        has_claims = (
            self.manifest is not None and self.manifest.registration is not None
        )
        if self.registered is None and not has_claims:
            return []
        return list(self.standing.shortened(N_CHANGES).sentences)

    @cached_property
    def provenance(self) -> Mapping[str, str]:
        """Facts that a reader needs to repeat the run, by their names."""
        jobs = [record.job for record in self.records]
        # A set, since one library serves many jobs.
        versions = {f"{k} {v}" for j in jobs for k, v in j.subject.versions.items()}
        machines = {
            f"Python {record.environment.python}, {record.environment.cores} cores"
            for record in self.records
        }
        facts = {
            "suite": self.name,
            "seeds": ", ".join(map(str, sorted({job.seed for job in jobs}))),
            "machine": "; ".join(sorted(machines)),
            "libraries": ", ".join(sorted(versions)),
            "records": str(len(self.records)),
        }
        if self.registered is not None:
            facts["registration"] = f"{self.registered.hash}, {self.registered.date}"
        run = self.manifest.current if self.manifest else None
        if run is not None:
            facts |= {
                "command": run.command,
                "date": run.date,
                "bitprobe": run.version,
            }
        return {name: fact for name, fact in facts.items() if fact}


def results_of(store: Store) -> Results:
    """Return the results of a run folder, or of a published one.

    Raises:
        StoreError: there are no records, or what is there is damaged.
    """
    return Results(
        stored=tuple(store.read_all()),
        manifest=read_manifest(store.folder),
        arrays=store.read_arrays,
        registered=read_registration(store.folder),
    )


def _question(record: Record) -> tuple[str, str]:
    """Return the question that a record answers: its cell and the task's parameters."""
    return cell_of(record.job), repr(sorted(record.job.parameters.items()))


def _newest(records: Sequence[Record]) -> tuple[Record, ...]:
    """Return one record for each question; official ones go before others."""
    candidates: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in records:
        candidates[_question(record)].append(record)
    # A capped record is newer at times, and never what a reader expects.
    newest = (
        max(group, key=lambda r: (r.job.official, r.job.version, r.key))
        for group in candidates.values()
    )
    return tuple(sorted(newest, key=lambda record: record.key))


def _kind(record: Record, current: Record | None) -> str:
    """Return in words how a record differs from the current one of the same question."""
    if current is None:
        return "outside the cells that the run plans"
    job, now = record.job, current.job
    # Caps first: a capped record may differ in its version as well.
    if (job.caps, job.seed) != (now.caps, now.seed):
        return "of other caps or another seed (--limit, --seed)"
    if job.version != now.version:
        return "of another version of their task"
    return "of another version of their plugin, its libraries or its data"
