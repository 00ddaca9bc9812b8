"""Folders that come with bitprobe: plugins and suites."""

from __future__ import annotations

from pathlib import Path


def builtin_folder(name: str) -> Path:
    """Return the folder `name` of the installed package, or else of the checkout."""
    package = Path(__file__).resolve().parent
    # A wheel holds the folder inside the package, a checkout beside it.
    installed = package / name
    return installed if installed.is_dir() else package.parent / name
