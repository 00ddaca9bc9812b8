"""Commands that make compressors a tool for files: fit, compress, decompress."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from harness.errors import UsageError
from harness.units import bits_per_byte, bytes_to_bits

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

    from harness.contract.coded_file import Layout, Progress, Sizes
    from harness.contract.compressor import Compressor
    from harness.contract.training import Watch

INTERRUPTED = 130
Source = Annotated[Path, typer.Argument(metavar="IN", help="a file, or - for stdin")]
Target = Annotated[Path, typer.Argument(metavar="OUT", help="a file, or - for stdout")]
Artifact = Annotated[Path | None, typer.Option(help="a folder that fit wrote")]
Spec = Annotated[
    str | None, typer.Option("--with", help="a spec, where none is fitted")
]
PluginsDir = Annotated[Path | None, typer.Option(help="a folder of more plugins")]


def fit(
    spec: Annotated[str, typer.Argument(help="such as 'context_model(order=4)'")],
    data: Annotated[
        str, typer.Argument(help="a file, or a data set (its train split)")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="a new folder")],
    seed: Annotated[int, typer.Option(min=0, help="of order and training")] = 0,
    plugins_dir: PluginsDir = None,
) -> None:
    """Fit a compressor and save what it learned; a stopped training goes on when run again."""
    from harness.commands.files import checkpoint_of, fit_to
    from harness.contract import artifact
    from harness.contract.compressor import spec_of
    from harness.contract.registry import load_registry
    from harness.contract.training import Trains

    compressor = load_registry(plugins_dir).parse(spec)
    trains = isinstance(compressor, Trains)
    with _training(compressor.name) if trains else _unwatched(spec) as watch:
        try:
            fitted = fit_to(output, compressor, data, seed=seed, watch=watch)
        except KeyboardInterrupt:
            if not (trains and checkpoint_of(output).exists()):
                raise
            _stopped(checkpoint_of(output))
    weight = artifact.weigh(output)
    _say(f"wrote {output}: {spec_of(fitted)}, {weight:,.0f} bits after xz -9e")


@contextmanager
def _unwatched(spec: str) -> Iterator[None]:
    with _bar(f"fitting {spec}", None):
        yield


@contextmanager
def _training(name: str) -> Iterator[Watch]:
    """Show steps, bits per byte and the time left; end training between two steps."""
    from rich.progress import BarColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    from harness.contract.training import Watch

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=12),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} steps{task.fields[bits]}"),
        TimeLeft(),
        TextColumn("left"),
    )
    with _shown(*columns) as bar, _interrupts() as asked:
        task = bar.add_task(name, total=None, visible=False, bits="")

        def progress(step: int, n_steps: int, bits: float) -> None:
            # A symbol is a byte.
            shown = "" if isnan(bits) else f", {bits:.3f} bits/byte"
            bar.update(task, completed=step, total=n_steps, visible=True, bits=shown)
            asked.end_here()

        def resumed(step: int, _seconds: float) -> None:
            bar.reset(task, completed=step)  # the pace is not that of earlier steps
            _say(f"going on from step {step:,}, where an earlier run stopped")

        yield Watch(progress=progress, resumed=resumed)


class _Asked:
    """Whether someone pressed Ctrl-C."""

    def __init__(self) -> None:
        self.n_times = 0

    def end_here(self) -> None:
        """Raise what Ctrl-C raises, if it was pressed; from now on, defer it to here."""
        if self.n_times:
            raise KeyboardInterrupt
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._press)

    def _press(self, *_: object) -> None:
        if self.n_times:  # whoever presses again does not want to wait for the step
            raise KeyboardInterrupt
        self.n_times += 1


@contextmanager
def _interrupts() -> Iterator[_Asked]:
    """Give what defers Ctrl-C to the end of a step, once a first step was taken."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield _Asked()
    finally:
        signal.signal(signal.SIGINT, before)


def _stopped(checkpoint: Path) -> NoReturn:
    """Say how to go on, and end as Ctrl-C does."""
    _say(f"bitprobe: stopped; {checkpoint} is kept, run the same command to go on")
    raise SystemExit(INTERRUPTED)


def compress(  # noqa: PLR0913  (these are the options)
    source: Source,
    target: Target,
    *,
    artifact: Artifact = None,
    with_spec: Spec = None,
    block: Annotated[int | None, typer.Option(help="bytes coded as one")] = None,
    stream: Annotated[
        int | None, typer.Option(help="bytes of a model's stream")
    ] = None,
    verify: Annotated[bool, typer.Option(help="decode before OUT appears")] = False,
    plugins_dir: PluginsDir = None,
) -> None:
    """Compress a file with a fitted compressor, or with one that needs no fit."""
    from harness.commands.files import Files, compress_file, held

    compressor = held(artifact, with_spec, plugins_dir)
    layout = _layout(compressor, block, stream)
    with _bar("compressing", source) as progress:
        files = Files(source=source, target=target, progress=progress)
        sizes = compress_file(compressor, files, layout, verify=verify)
    _say(f"{_sizes(sizes)} ({'decoded' if verify else 'not decoded yet'})")


def decompress(
    source: Source,
    target: Target,
    *,
    artifact: Artifact = None,
    with_spec: Spec = None,
    plugins_dir: PluginsDir = None,
) -> None:
    """Decompress a file; OUT appears whole and verified, or not at all."""
    from harness.commands.files import Files, decompress_file, held

    compressor = held(artifact, with_spec, plugins_dir)
    with _bar("decompressing", source) as progress:
        files = Files(source=source, target=target, progress=progress)
        sizes = decompress_file(compressor, files)
    _say(f"{sizes.original_bytes:,} bytes, verified")


def _layout(compressor: Compressor, block: int | None, stream: int | None) -> Layout:
    """Return the default layout, changed as asked."""
    from harness.contract.coded_file import Layout, default_layout
    from harness.contract.compressor import Codec

    usual = default_layout(compressor)
    if isinstance(compressor, Codec):
        if stream is not None:
            raise UsageError(
                f"{compressor.name} is a codec, its block is one stream; give --block alone"
            )
        size = block or usual.block_bytes
        return Layout(block_bytes=size, stream_bytes=size)
    chosen = stream or min(usual.stream_bytes, block or usual.stream_bytes)
    return Layout(
        block_bytes=block or max(usual.block_bytes, chosen), stream_bytes=chosen
    )


def _sizes(sizes: Sizes) -> str:
    before, after = sizes.original_bytes, sizes.coded_bytes
    text = f"{before:,} -> {after:,} bytes"
    if not before:
        return text
    rate = bits_per_byte(bytes_to_bits(after), before)
    return f"{text}, {rate:.3f} bits per byte"


@contextmanager
def _bar(what: str, source: Path | None) -> Iterator[Progress]:
    """Show a bar on the standard error, in bytes of `source` where it has a size."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    size = source.stat().st_size if source is not None and source.is_file() else None
    columns = [TextColumn("{task.description}", markup=False), BarColumn()]
    if source is not None:
        columns += [DownloadColumn(), TimeRemainingColumn()]
    with _shown(*columns, TimeElapsedColumn()) as bar:
        task = bar.add_task(what, total=size)
        yield lambda n_bytes: bar.update(task, completed=n_bytes)


def _shown(*columns: ProgressColumn) -> Bar:
    """Return a bar on the standard error, where that is a terminal; gone when done."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    return Bar(
        *columns, console=console, transient=True, disable=not console.is_terminal
    )


def _say(message: str) -> None:
    # The standard output may be the file.
    typer.echo(message, err=True)


def complete(  # noqa: PLR0913  (these are the options)
    artifact: Annotated[Path, typer.Argument(help="a folder that fit wrote")],
    dataset: Annotated[str, typer.Argument(help="whose test samples are completed")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="a PNG of images, Markdown of texts")
    ],
    n_prefixes: Annotated[int, typer.Option(min=1, help="samples to complete")] = 50,
    n_samples: Annotated[int, typer.Option(min=1, help="drawings of each")] = 5,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    plugins_dir: PluginsDir = None,
) -> None:
    """Let a fitted model go on where test samples are cut, and score what it draws."""
    from harness.commands.complete import complete as complete_dataset
    from harness.commands.files import held
    from harness.tasks.completion import Parameters

    compressor = held(artifact, None, plugins_dir)
    parameters = Parameters(n_prefixes=n_prefixes, n_samples=n_samples)
    with _bar(f"completing {dataset}", None):
        found = complete_dataset(
            compressor, dataset, output=output, parameters=parameters, seed=seed
        )
    for name, value, unit in found.scores:
        typer.echo(f"{name:<46} {value:10.4f} {unit}")
    _say(f"wrote {output}")
    typer.echo(found.words)
