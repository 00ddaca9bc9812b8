"""Files of a model: their folder, their size, and a hash of their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import SpecError

CONFIG = "config.json"
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
TOKENIZER = (
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.model",
    "*.tiktoken",
)
POSITIONS = ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len")
"""Names of the number of positions in configurations."""
_CHUNK_BYTES = 1 << 20
_HEX_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """A model folder, and those of its files that a decoder must have.

    Attributes:
        folder: absolute.
        paths: configuration, tokenizer and weights, sorted.
    """

    folder: Path
    paths: tuple[Path, ...]

    @property
    def n_bytes(self) -> int:
        """Size of all files."""
        return sum(path.stat().st_size for path in self.paths)

    @property
    def content(self) -> str:
        """Hash of names and contents."""
        return _content(tuple(map(_seen, self.paths)))

    @property
    def n_positions(self) -> int | None:
        """Largest number of tokens read at once; None is without limit."""
        config = json.loads((self.folder / CONFIG).read_text())
        # Models of several modalities describe their text part apart.
        config = config.get("text_config", config)
        limits = [config[name] for name in POSITIONS if config.get(name)]
        return int(limits[0]) if limits else None


def find_model(model: str) -> ModelFiles:
    """Return the files of a local folder or a model of the Hugging Face hub.

    Files in the cache are not requested again; missing ones are downloaded, unless
    HF_HUB_OFFLINE is set.

    Raises:
        SpecError: there is no such model, or it cannot be used.
    """
    if not model:
        raise SpecError(
            "pretrained: name a causal language model, by folder or as on the hub: "
            "pretrained(model='...')"
        )
    path = Path(model).expanduser()
    if path.is_dir():
        return _files_of(path.resolve(), model)
    # A hub name has one slash at most: this was meant as a folder.
    if model[0] in "./~" or model.count("/") > 1:
        raise SpecError(
            f"pretrained: there is no folder {model!r}; give an existing one"
        )
    return _files_of(_snapshot(model), model)


def is_folder(model: str) -> bool:
    """Return True if a model is named by its folder."""
    return Path(model).expanduser().is_dir()


def _files_of(folder: Path, model: str) -> ModelFiles:
    if not (folder / CONFIG).is_file():
        raise SpecError(f"pretrained: {model!r} has no {CONFIG}; it is no model folder")
    weights = list(_weights(folder))
    missing = [path.name for path in weights if not path.is_file()]
    if missing or not weights:
        # Pickled weights run code when they are loaded.
        raise SpecError(
            f"pretrained: {model!r} lacks {(missing or [WEIGHTS])[0]}; "
            "save the model again, with save_pretrained, as safetensors"
        )
    tokenizer = {path for pattern in TOKENIZER for path in folder.glob(pattern)}
    tokenizer_files = {path for path in tokenizer if path.is_file()} - set(weights)
    return ModelFiles(
        folder=folder,
        paths=tuple(sorted([folder / CONFIG, *weights, *tokenizer_files])),
    )


def _weights(folder: Path) -> Iterator[Path]:
    if (folder / WEIGHTS).is_file():
        yield folder / WEIGHTS
    elif (folder / INDEX).is_file():
        yield folder / INDEX
        shards = json.loads((folder / INDEX).read_text())["weight_map"].values()
        yield from (folder / name for name in sorted(set(shards)))


def _snapshot(model: str) -> Path:
    """Return the folder of a hub model in the cache, downloaded if need be."""
    from huggingface_hub import constants

    # The cache first: a run without network must not wait for the hub.
    cached = _fetched(model, local_files_only=True)
    if isinstance(cached, Path) and any(_weights(cached)):
        return cached
    if constants.is_offline_mode():
        raise SpecError(
            f"pretrained: {model!r} is neither a folder nor in the Hugging Face cache, and "
            f"HF_HUB_OFFLINE is set; get it first: hf download {model}"
        )
    fetched = _fetched(model, local_files_only=False)
    if isinstance(fetched, Path):
        return fetched
    first = (str(fetched).strip().splitlines() or [type(fetched).__name__])[0]
    raise SpecError(
        f"pretrained: {model!r} is no folder, and the hub did not give it ({first}); "
        "correct the name, or give the folder of a saved model"
    )


def _fetched(model: str, *, local_files_only: bool) -> Path | Exception:
    """Return the folder of a snapshot, or the error that prevented it."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    patterns: Any = [CONFIG, "model*.safetensors", INDEX, *TOKENIZER]
    try:
        folder = snapshot_download(
            model, local_files_only=local_files_only, allow_patterns=patterns
        )
    except (OSError, HfHubHTTPError, HFValidationError) as error:
        return error
    return Path(str(folder))


def _seen(path: Path) -> tuple[Path, int, int]:
    """Return a key that changes when a file does."""
    about = path.stat()
    return path, about.st_size, about.st_mtime_ns


@lru_cache(maxsize=4)
def _content(files: tuple[tuple[Path, int, int], ...]) -> str:
    # Gigabytes: read once in a process, although every copy of a compressor asks.
    digest = hashlib.sha256()
    for path, size, _ in files:
        digest.update(f"{path.name} {size} ".encode())
        with path.open("rb") as source:
            while chunk := source.read(_CHUNK_BYTES):
                digest.update(chunk)
    return digest.hexdigest()[:_HEX_DIGITS]
