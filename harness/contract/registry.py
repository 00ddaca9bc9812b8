"""Registry of compressor plugins; a broken plugin is listed with its reason.

Plugins come from the files and folders of `plugins/`, from the entry-point group
"bitprobe", and from any folder given with --plugins-dir. A name that starts with "_" is a
library that the plugins of its folder may import (`from ._library import ...`).
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import platform
import sys
import types
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any, get_type_hints
from uuid import uuid4

import pluggy
from pydantic import TypeAdapter, ValidationError

from harness.contract import hookspecs
from harness.contract.compressor import Compressor, Stepwise
from harness.errors import (
    PluginError,
    SpecError,
    UnavailableError,
    UnknownCompressorError,
)
from harness.folders import builtin_folder
from harness.suggest import hint

ENTRY_POINT_GROUP = "bitprobe"
IN_MEMORY = "memory"
"""Origin of classes of a program, which no other process can load."""
BUILTIN_PACKAGE = "bitprobe_plugins"
_BY_ENTRY_POINT = "entry point "
_STANDARD_LIBRARY = {"zlib", "bz2", "lzma"}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One compressor class and its origin, or the reason why it cannot be used."""

    name: str
    origin: str
    kind: type[Compressor] | None = None
    source_hash: str = ""
    unavailable: str = ""


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Registered compressors, by name."""

    entries: Mapping[str, Entry]

    def find(self, name: str) -> Entry:
        """Return a usable entry.

        Raises:
            UnknownCompressorError: there is no such name.
            UnavailableError: it cannot be used on this machine.
        """
        if name not in self.entries:
            raise UnknownCompressorError(
                f"no compressor named {name!r}; {hint(name, self.entries)}"
            )
        entry = self.entries[name]
        if entry.kind is None:
            raise UnavailableError(f"{name} is unavailable: {entry.unavailable}")
        return entry

    def make(self, name: str, values: Mapping[str, Any]) -> Compressor:
        """Return an unfitted compressor with these field values, checked.

        Raises:
            SpecError: a field is unknown, or a value is not legal.
        """
        kind = self.find(name).kind
        if kind is None:
            raise UnavailableError(f"{name} is unavailable")
        names = [f.name for f in fields(kind) if f.name != "learned"]
        # Annotations are strings until they are resolved.
        types_ = get_type_hints(kind)
        checked = {}
        for key, value in values.items():
            if key not in names:
                listed = ", ".join(names) or "none"
                raise SpecError(f"{name} has no field {key!r}; its fields: {listed}")
            # Here a wrong value gets one line with its field; a dataclass checks none.
            try:
                checked[key] = TypeAdapter(types_[key]).validate_python(value)
            except ValidationError as error:
                wrong = error.errors()[0]["msg"].lower()
                raise SpecError(f"{name}: {key}={value!r}: {wrong}") from error
        try:
            return kind(**checked)
        except (ValueError, TypeError) as error:
            raise SpecError(f"{name}: {error}") from error

    def parse(self, spec: str) -> Compressor:
        """Return the compressor that a spec string such as "zstd(level=19)" names.

        Raises:
            SpecError: the string does not parse, or names an unknown field.
        """
        name, values = parse_spec(spec)
        return self.make(name, values)


def with_kinds(registry: Registry, kinds: Sequence[type[Compressor]]) -> Registry:
    """Return a registry that also has classes of this program, which are no plugin's.

    Nothing can tell all that such a class does (it may call what another cell defines), so
    that each call gives it another source hash, and no earlier record answers for it.

    Raises:
        PluginError: a class has the name of another compressor.
    """
    entries = dict(registry.entries)
    for kind in dict.fromkeys(kinds):
        _add(entries, [_entry_of(kind, IN_MEMORY, uuid4().hex)])
    return Registry(entries=entries)


def parse_spec(spec: str) -> tuple[str, dict[str, Any]]:
    """Return name and field values of a spec string.

    Raises:
        SpecError: the string is not NAME or NAME(FIELD=LITERAL, ...).
    """
    # Python's own grammar, of literals only: no expression of a spec is ever run.
    try:
        tree = ast.parse(spec.strip(), mode="eval").body
        if isinstance(tree, ast.Name):
            return tree.id, {}
        if (
            isinstance(tree, ast.Call)
            and isinstance(tree.func, ast.Name)
            and not tree.args
        ):
            # Positional values would depend on the order of fields.
            values = {
                str(k.arg): ast.literal_eval(k.value) for k in tree.keywords if k.arg
            }
            return tree.func.id, values
    except (SyntaxError, ValueError):
        pass
    raise SpecError(f"cannot read {spec!r}; write NAME or NAME(FIELD=VALUE, ...)")


def load_registry(plugins_dir: Path | None = None) -> Registry:
    """Load every plugin that can be found.

    Raises:
        PluginError: `plugins_dir` does not exist, or two plugins claim one name.
    """
    entries: dict[str, Entry] = {}
    folders = [builtin_folder("plugins")]
    if plugins_dir is not None:
        if not plugins_dir.is_dir():
            raise PluginError(
                f"no plugins folder at {plugins_dir}; give an existing one"
            )
        # Absolute: a decoding process works in another folder, and loads by `origin`.
        folders.append(plugins_dir.resolve())
    for folder in folders:
        for path in plugin_paths(folder):
            _add(entries, load_plugin(path))
    for point in entry_points(group=ENTRY_POINT_GROUP):
        _add(entries, _load_entry_point(point.name, point.value))
    return Registry(entries=dict(sorted(entries.items())))


def plugin_paths(folder: Path) -> list[Path]:
    """Return the plugin files and plugin folders in `folder`, sorted, without tests."""
    return sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith(("_", ".", "test_", "conftest"))
        and (path.suffix == ".py" or (path / "__init__.py").is_file())
    )


def load_plugin(path: Path) -> list[Entry]:
    """Return the entries of one plugin file or folder; never raises for its faults."""
    try:
        return _entries_of(_import_file(path), str(path), source_hash(path))
    except ModuleNotFoundError as error:
        reason = f"needs the package {error.name!r}, which is not installed"
    except SyntaxError as error:
        reason = f"syntax error in line {error.lineno}: {error.msg}"
    except Exception as error:  # noqa: BLE001  (a plugin may fail in any way; it is listed)
        reason = f"{type(error).__name__}: {error}"
    return [Entry(name=path.stem, origin=str(path), unavailable=reason)]


def source_hash(path: Path) -> str:
    """Return the sha256 of a plugin's source and of the "_" libraries it imports."""
    sources = sorted(path.rglob("*.py")) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    # A plugin does what its libraries do, so that their change is its change.
    for library in sorted(path.parent.glob("_*")):
        used = any(f".{library.stem}" in source.read_text() for source in sources)
        if used and library.name != "__pycache__":
            digest.update(source_hash(library).encode())
    return digest.hexdigest()


def versions_of(kind: type[Compressor]) -> dict[str, str]:
    """Return the versions that decide what this compressor does."""
    # A model's bytes depend on the range coder too.
    names = (
        (*kind.requires, "constriction")
        if issubclass(kind, Stepwise)
        else kind.requires
    )
    return {name: _version(name) for name in sorted(set(names))}


def _version(name: str) -> str:
    # The library that runs, not the header that Python was built with.
    if name == "zlib":
        return zlib.ZLIB_RUNTIME_VERSION
    return platform.python_version() if name in _STANDARD_LIBRARY else version(name)


def _import_file(path: Path) -> types.ModuleType:
    folder = path.parent.resolve()
    # numba's caches hold this name, and move with their folder: it must not depend on the
    # path, unless two folders of one name meet in one process.
    package = f"{BUILTIN_PACKAGE}_{folder.name}"
    namesake = sys.modules.get(package)
    if namesake is not None and list(namesake.__path__) != [str(folder)]:
        package += "_" + hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    if package not in sys.modules:
        parent = types.ModuleType(package)
        parent.__path__ = [str(folder)]
        sys.modules[package] = parent
    return importlib.import_module(f"{package}.{path.stem}")


def load_origin(origin: str) -> list[Entry]:
    """Return the entries of a plugin by the `origin` that an Entry of it carries."""
    module = origin.removeprefix(_BY_ENTRY_POINT)
    # A path: only entry points carry the prefix.
    if module == origin:
        return load_plugin(Path(origin))
    return _load_entry_point(module, module)


def _load_entry_point(name: str, value: str) -> list[Entry]:
    origin = _BY_ENTRY_POINT + value
    try:
        module = importlib.import_module(value)
        return _entries_of(module, origin, source_hash(Path(str(module.__file__))))
    except Exception as error:  # noqa: BLE001  (as in load_plugin)
        reason = f"{type(error).__name__}: {error}"
    return [Entry(name=name, origin=origin, unavailable=reason)]


def _entries_of(module: types.ModuleType, origin: str, digest: str) -> list[Entry]:
    # A manager of its own for each plugin: one that fails must not stop the others.
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(module)
    offers: Sequence[Sequence[type[Compressor]]] = manager.hook.compressors()
    kinds = [kind for kinds in offers for kind in kinds]
    if not kinds:
        raise PluginError(
            "offers no compressor; return its classes from a @hookimpl compressors()"
        )
    return [_entry_of(kind, origin, digest) for kind in kinds]


def _entry_of(kind: type[Compressor], origin: str, digest: str) -> Entry:
    try:
        versions_of(kind)
    except PackageNotFoundError as error:
        reason = f"needs the package {error.name!r}, which is not installed"
        return Entry(name=kind.name, origin=origin, unavailable=reason)
    return Entry(name=kind.name, origin=origin, kind=kind, source_hash=digest)


def _add(entries: dict[str, Entry], additions: Sequence[Entry]) -> None:
    for entry in additions:
        if entry.name in entries:
            other = entries[entry.name].origin
            raise PluginError(
                f"two plugins are named {entry.name!r}: {other} and {entry.origin}"
            )
        entries[entry.name] = entry
