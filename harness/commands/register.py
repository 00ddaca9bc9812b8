"""`bitprobe register`: the design of a suite, written down before it has records."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import harness
from harness.contract.compressor import spec_of
from harness.contract.registry import Registry, load_registry
from harness.data.shelf import Shelf, load_shelf
from harness.errors import HarnessError, StoreError
from harness.planning.design import Document, design_changes, design_hash, design_of
from harness.planning.manifest import now
from harness.planning.plan import Selection, plan
from harness.planning.registered_design import (
    FILE,
    RegisteredDesign,
    read_registration,
    write_registration,
)
from harness.planning.suite import Suite, load_suite


def register(
    name: str,
    folder: Path,
    plugins_dir: Path | None = None,
    cards_dir: Path | None = None,
) -> list[str]:
    """Register a suite in the folder of its run; return lines that say so.

    A registration may be replaced as long as the folder has no records.

    Raises:
        UsageError: the suite is not legal.
        StoreError: the folder has records under another registration.
    """
    registry, shelf = load_registry(plugins_dir), load_shelf(cards_dir)
    suite = suite_as_recorded(name, registry, shelf)
    design = suite_design(suite, registry, shelf)
    before = read_registration(folder)
    n_records = _n_records(folder)
    if before is None:
        return [_register(suite.name, folder, design)]
    changes = design_changes(before.document, design)
    if not changes:
        return [f"unchanged since it was registered: {before.words}"]
    if n_records:
        raise StoreError(
            f"{folder} has {n_records} records under the registration {before.words}, "
            f"since then {'; '.join(changes)}; give another --output"
        )
    return [*changes, _register(suite.name, folder, design)]


def registration_lines(suite: Suite, folder: Path, design: Document) -> list[str]:
    """Register a suite with claims before its run, if it is not; return what a user must know.

    A registration that exists stays as it is, and its differences from the design are named.
    """
    before = read_registration(folder)
    if before is None:
        is_needed = suite.hypothesis is not None
        return [_register(suite.name, folder, design)] if is_needed else []
    changes = design_changes(before.document, design)
    if not changes:
        return []
    lines = [f"changed after registration {before.words}:", *changes]
    if not _n_records(folder):
        lines.append(
            "there are no records yet: `bitprobe register` registers it as it is now"
        )
    return lines


def suite_as_recorded(name: str, registry: Registry, shelf: Shelf) -> Suite:
    """Return a suite, specs of its hypothesis in the form that records have.

    Raises:
        SuiteError: there is no such suite, or it is not legal.
    """

    def shortest(spec: str) -> str:
        try:
            return spec_of(registry.parse(spec))
        except HarnessError:
            return spec  # its plugin is not installed; records may still match

    suite = load_suite(name, registry, shelf)
    hypothesis = suite.hypothesis and suite.hypothesis.spelled(shortest)
    return suite.model_copy(update={"hypothesis": hypothesis})


def suite_design(suite: Suite, registry: Registry, shelf: Shelf) -> dict[str, object]:
    """Return the design of a whole suite, whatever part of it is run."""
    return design_of(suite, plan(suite, registry, Selection(), shelf))


def _register(name: str, folder: Path, design: Document) -> str:
    registered = RegisteredDesign(
        suite=name,
        hash=design_hash(design),
        date=now(),
        version=harness.__version__,
        commit=_commit(),
        document=dict(design),
    )
    try:
        write_registration(folder, registered)
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}; give another --output"
        ) from error
    n_records = _n_records(folder)
    # Said at once, since nothing can mend it later.
    late = f", after {n_records} records existed" if n_records else ""
    return f"registered {registered.words}{late}: {folder / FILE}"


def _n_records(folder: Path) -> int:
    return sum(1 for _ in (folder / "records").glob("*.json"))


def _commit() -> str:
    """Return the commit of bitprobe's sources; "" where they are no git checkout."""
    git, sources = shutil.which("git"), Path(harness.__file__).parent
    # An installed copy may lie inside another project's repository, which says nothing.
    if git is None or not (sources.parent / ".git").exists():
        return ""
    words = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    answer = subprocess.run(
        [git, "-C", str(sources), *words], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()
