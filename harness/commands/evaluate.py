"""Evaluation from a program: the same plan, jobs and records as `bitprobe run`."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.analysis.board import Leaderboard
from harness.analysis.compare import compare_stored
from harness.analysis.results import Results, results_of
from harness.commands.run import Options, carry_out
from harness.contract.compressor import Compressor, spec_of
from harness.contract.registry import IN_MEMORY, Registry, load_registry, with_kinds
from harness.data.own.guess import guess_arrays, guess_frame
from harness.data.shelf import Shelf, load_shelf
from harness.errors import DatasetError, PluginError, SpecError, SuiteError
from harness.planning.plan import Selection
from harness.planning.suite import Suite
from harness.planning.suite_errors import first_error
from harness.records.store import Store
from harness.report.cells import full
from harness.run.inline import Inline

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

NAME = "notebook"
"""Name of the suite of such runs."""
DATA_NAME = "data"
"""Name of data in memory."""


@dataclass(frozen=True, eq=False)
class Result:
    """Result of a run: its tables and pictures.

    Attributes:
        results: everything that reports show, as values.
        folder: of the records.
    """

    results: Results
    folder: Path

    def to_pandas(self) -> pd.DataFrame:
        """Return the score table: a row per score, with interval, state and route."""
        return self.results.table

    def leaderboard(self, dataset: str | None = None) -> pd.DataFrame:
        """Return the leaderboard of a data set, cells as in reports, brackets for 95 %.

        Args:
            dataset: its name; None for the first.

        Raises:
            DatasetError: there is no such data set.
        """
        import pandas as pd

        board = self._board(dataset)
        headers = [column.header for column in board.columns]
        rows = [
            [row.name, row.family, full(row.ratio), *map(full, row.cells)]
            for row in board.rows
        ]
        index = pd.Index([row.rank for row in board.rows], dtype="Int64", name="rank")
        columns = ["compressor", "family", "ratio", *headers]
        return pd.DataFrame(rows, index=index, columns=columns)

    def figure(self, dataset: str | None = None) -> alt.LayerChart | None:
        """Return the chart of rate against accuracy; None where nothing has both.

        Args:
            dataset: its name; None for the first.

        Raises:
            DatasetError: there is no such data set.
        """
        from harness.report.charts.leaderboard import rate_against_accuracy

        return rate_against_accuracy(self._board(dataset), self.results.families)

    @property
    def failures(self) -> tuple[str, ...]:
        """A line for each record that failed."""
        return tuple(
            f"{r.job.task} {r.spec} {r.job.dataset}: {r.status}, {r.reason}"
            for r in self.results.records
            if r.is_failed
        )

    def __repr__(self) -> str:
        names = ", ".join(board.dataset for board in self.results.leaderboards)
        n, n_failed = len(self.results.records), len(self.failures)
        return f"Result({n} records on {names}, {n_failed} failed, in {self.folder})"

    def _repr_html_(self) -> str:
        tables = (
            f"<h4>{board.dataset}</h4>{self.leaderboard(board.dataset).to_html()}"
            for board in self.results.leaderboards
        )
        return "".join(tables)

    def _board(self, dataset: str | None) -> Leaderboard:
        boards = {board.dataset: board for board in self.results.leaderboards}
        if dataset is None and boards:
            return next(iter(boards.values()))
        if dataset not in boards:
            listed = ", ".join(boards) or "none"
            raise DatasetError(f"no results on {dataset!r}; there are: {listed}")
        return boards[dataset]


def evaluate(  # noqa: PLR0913  (the options of a run)
    compressor: str | Compressor | Sequence[str | Compressor],
    dataset: Any,
    *,
    tasks: Sequence[str | Mapping[str, Any]] = ("rates", "class_scratch"),
    baselines: Sequence[str] = (),
    draws: int = 1,
    seed: int = 0,
    train: int | None = None,
    test: int | None = None,
    isolate: bool = True,
    jobs: int = 2,
    timeout_seconds: float = 600.0,
    output: str | Path | None = None,
    plugins_dir: str | Path | None = None,
    cards_dir: str | Path | None = None,
) -> Result:
    """Run compressors on a data set, and return their scores.

    Plan, jobs, decoding and scores are those of `bitprobe run`, and so are the numbers.

    Args:
        compressor: a spec such as "zstd(level=9)", an unfitted compressor, or several. An
            object of a class of this program needs `isolate=False`, since no other process
            can load it; or save it as a plugin.
        dataset: a name, a path as for `bitprobe run --data`, a frame of pandas, or a pair of
            samples and labels (arrays, or lists of bytes or texts).
        tasks: names, or mappings of name and parameters, as rows of a suite.
        baselines: names of baselines to run beside.
        draws: repetitions with other subsets, orders and seeds.
        seed: of the first draw.
        train: cap on the train split; None takes all.
        test: cap on the test split; None takes all.
        isolate: each stage in a process of its own, with limits; False for debugging.
        jobs: at a time, if isolated.
        timeout_seconds: of a job, if isolated.
        output: folder of the records, in which a run resumes; None for a temporary one.
        plugins_dir: folder with more plugins.
        cards_dir: folder with more cards.

    Raises:
        UsageError: a spec, a task or the data are not legal; nothing was run.
    """
    given = [compressor] if isinstance(compressor, str | Compressor) else compressor
    own = [type(each) for each in given if isinstance(each, Compressor)]
    registry = load_registry(_path(plugins_dir))
    registry = with_kinds(registry, [k for k in own if not _is_known(k, registry)])
    specs = [_spec(each, registry, isolate=isolate) for each in given]
    shelf = load_shelf(_path(cards_dir))
    suite = _suite(
        compressors=specs,
        datasets=[{"name": _name(dataset, shelf), "train": train, "test": test}],
        tasks=[dict(task) if isinstance(task, Mapping) else task for task in tasks],
        baselines=list(baselines),
        draws=draws,
        seed=seed,
    )
    with _folder(output) as (folder, stack):
        options = Options(
            output=folder,
            n_jobs=jobs if isolate else 1,
            timeout_seconds=timeout_seconds,
            inline=None if isolate else Inline(lambda _: registry),
        )
        carry_out(suite, registry, shelf, Selection(), options)
        result = load_results(folder)
        # A temporary folder lives on, as long as the result that reads it.
        weakref.finalize(result, stack.pop_all().close)
    return result


def load_results(folder: str | Path) -> Result:
    """Return the results in the folder of a run, or in a published one.

    Raises:
        StoreError: there are no records, or what is there is damaged.
    """
    return Result(results_of(Store(Path(folder))), Path(folder))


def compare(
    result: Result,
    first: str,
    second: str,
    *,
    dataset: str,
    task: str = "class_scratch",
) -> pd.DataFrame:
    """Return the differences of two compressors on the same test samples.

    Args:
        result: of a run that holds both.
        first: a spec, or a baseline.
        second: another one.
        dataset: name of the data set.
        task: name of the readout.

    Raises:
        UsageError: a record or its per-sample results are missing.
    """
    import pandas as pd

    store = Store(result.folder)
    comparisons = compare_stored(store, first, second, dataset=dataset, task=task)
    rows = [
        {
            "task": comparison.task,
            "seed": comparison.seed,
            "n": comparison.n,
            "measure": row.measure,
            "unit": row.unit,
            first: row.a,
            second: row.b,
            "difference": row.difference.value,
            "ci_low": row.difference.ci_low,
            "ci_high": row.difference.ci_high,
            "p": row.p,
            "test": row.test,
        }
        for comparison in comparisons
        for row in comparison.rows
    ]
    return pd.DataFrame(rows)


@contextmanager
def _folder(output: str | Path | None) -> Iterator[tuple[Path, ExitStack]]:
    """Yield the folder of a run, and what removes it at the end if it is temporary."""
    with ExitStack() as stack:
        folder = Path(output or tempfile.mkdtemp(prefix="bitprobe-"))
        if output is None:
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder, stack


def _suite(**values: Any) -> Suite:
    try:
        return Suite(name=NAME, title="Evaluated in a program", **values)
    except ValidationError as error:
        raise SuiteError(first_error(error, Suite)) from error


def _spec(given: str | Compressor, registry: Registry, *, isolate: bool) -> str:
    if isinstance(given, str):
        return given
    if given.is_fitted:
        raise SpecError(f"{given.name} is fitted; give it unfitted, a run fits it")
    if isolate and registry.find(given.name).origin == IN_MEMORY:
        raise PluginError(
            f"{given.name} is a class of this program, which no other process can load; "
            "pass isolate=False, or save it as a plugin"
        )
    return spec_of(given)


def _is_known(kind: type[Compressor], registry: Registry) -> bool:
    """Return whether a class is that of a plugin, loaded here or elsewhere."""
    entry = registry.entries.get(kind.name)
    known = entry.kind if entry else None
    return known is not None and (known.__module__, known.__qualname__) == (
        kind.__module__,
        kind.__qualname__,
    )


def _name(dataset: Any, shelf: Shelf) -> str:
    """Return the name of a data set, whose card is on the shelf afterwards."""
    if isinstance(dataset, str | Path):
        return shelf.resolve(str(dataset))
    with suppress(AttributeError):
        # A frame, without importing pandas to see that it is none.
        dataset.columns  # noqa: B018
        return shelf.add_guess(guess_frame(dataset, DATA_NAME))
    if isinstance(dataset, tuple) and len(dataset) == 2:
        return shelf.add_guess(guess_arrays(*dataset, DATA_NAME))
    raise DatasetError(
        f"cannot read a {type(dataset).__name__} as data; give a name, a path, a frame, "
        "or a pair of samples and labels"
    )


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
