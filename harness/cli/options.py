"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PluginsDir = Annotated[Path | None, typer.Option(help="a folder with more plugins")]
CardsDir = Annotated[
    Path | None, typer.Option(help="a folder with more cards of data sets")
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for programs")]
