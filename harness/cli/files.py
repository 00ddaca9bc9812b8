"""Commands on files: fit, compress, decompress, complete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import CardsDir, PluginsDir

Source = Annotated[Path, typer.Argument(metavar="IN", help="a file, or - for stdin")]
Target = Annotated[Path, typer.Argument(metavar="OUT", help="a file, or - for stdout")]
Artifact = Annotated[Path | None, typer.Option(help="a folder that fit wrote")]
Spec = Annotated[
    str | None, typer.Option("--with", help="a spec, in place of an artifact")
]


def fit(  # noqa: PLR0913  (these are the options)
    spec: Annotated[str, typer.Argument(help="such as 'context_model(order=4)'")],
    data: Annotated[
        str, typer.Argument(help="a file, or a data set (its train split)")
    ],
    *,
    output: Annotated[Path, typer.Option("--output", "-o", help="a new folder")],
    seed: Annotated[int, typer.Option(min=0, help="seed of order and training")] = 0,
    plugins_dir: PluginsDir = None,
    cards_dir: CardsDir = None,
) -> None:
    """Fit a compressor, or resume its training, and save it."""
    # Imported inside of commands: the help need not wait for numerical libraries.
    from harness.commands.fit import fit_and_report

    fit_and_report(
        spec, data, output, seed=seed, plugins_dir=plugins_dir, cards_dir=cards_dir
    )


def compress(  # noqa: PLR0913  (these are the options)
    source: Source,
    target: Target,
    *,
    artifact: Artifact = None,
    with_spec: Spec = None,
    block: Annotated[int | None, typer.Option(help="bytes of a block")] = None,
    stream: Annotated[
        int | None, typer.Option(help="bytes of a model's stream in a block")
    ] = None,
    verify: Annotated[bool, typer.Option(help="decode before OUT appears")] = False,
    plugins_dir: PluginsDir = None,
) -> None:
    """Compress a file with an artifact or a spec.

    OUT appears whole or not at all.
    """
    from harness.commands.files import compress_and_report, layout_of, load_compressor

    compressor = load_compressor(artifact, with_spec, plugins_dir)
    layout = layout_of(compressor, block, stream)
    compress_and_report(compressor, source, target, layout, verify=verify)


def decompress(
    source: Source,
    target: Target,
    *,
    artifact: Artifact = None,
    with_spec: Spec = None,
    plugins_dir: PluginsDir = None,
) -> None:
    """Decompress and verify a file.

    OUT appears whole and verified, or not at all.
    """
    from harness.commands.files import decompress_and_report, load_compressor

    compressor = load_compressor(artifact, with_spec, plugins_dir)
    decompress_and_report(compressor, source, target)


def complete(  # noqa: PLR0913  (these are the options)
    artifact: Annotated[Path, typer.Argument(help="a folder that fit wrote")],
    dataset: Annotated[
        str, typer.Argument(help="a data set; its test samples are completed")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="a PNG of images, Markdown of texts")
    ],
    n_prefixes: Annotated[int, typer.Option(min=1, help="samples to complete")] = 50,
    n_samples: Annotated[int, typer.Option(min=1, help="completions of each")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="seed of the draws")] = 0,
    plugins_dir: PluginsDir = None,
    cards_dir: CardsDir = None,
) -> None:
    """Complete test samples with a fitted model, and score them."""
    from harness.commands.complete import complete as complete_dataset
    from harness.commands.files import load_compressor
    from harness.commands.progress import say
    from harness.data.shelf import load_shelf
    from harness.tasks.completion import Parameters

    compressor = load_compressor(artifact, None, plugins_dir)
    parameters = Parameters(n_prefixes=n_prefixes, n_samples=n_samples)
    shelf = load_shelf(cards_dir)
    card = shelf.card(shelf.resolve(dataset))
    completions = complete_dataset(
        compressor, card, output=output, parameters=parameters, seed=seed
    )
    for name, value, unit in completions.scores:
        typer.echo(f"{name:<46} {value:10.4f} {unit}")
    # On the standard error, since scores and text may go to a pipe.
    say(f"wrote {output}")
    typer.echo(completions.text)
