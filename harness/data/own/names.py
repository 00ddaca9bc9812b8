"""Names of own data: which names are files, and what their data sets are called."""

from __future__ import annotations

import re
from pathlib import Path

HUB = "hf:"
"""Prefix of the addresses of data sets on the Hugging Face Hub."""
TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
ARRAY_SUFFIXES = (".npz", ".npy")


def is_own(name: str) -> bool:
    """Return whether a name of a data set is a path or an address, not that of a card."""
    suffixes = (*TABLE_SUFFIXES, *ARRAY_SUFFIXES, ".toml")
    return "/" in name or name.startswith(HUB) or name.lower().endswith(suffixes)


def name_of(path: str) -> str:
    """Return the name of a data set by that of its file, in lower case and underscores."""
    file = path.rstrip("/").rpartition("/")[2]
    stem = Path(file).stem.lower() if "." in file[1:] else file.lower()
    return re.sub(r"[^a-z0-9]+", "_", stem).strip("_") or "data"
