"""Conformance checks of the compressor contract, for plugin authors.

    from harness.conformance import check_all

    def test_my_codec_keeps_the_contract():
        check_all(MyCodec(level=3))

They run under pytest, as above, or by `bitprobe check`. A check that a plugin cannot pass
is listed in the plugin, with the reason:
`waived = {"window": "the library forgets at its own pace"}`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection
from pathlib import Path

from harness.conformance import fresh, lengths, models, roundtrip
from harness.conformance.declared import WINDOW, declaration_check
from harness.conformance.roundtrip import LONG_BYTES
from harness.conformance.subject import Check, Finding, Status, Subject, one_line
from harness.contract.compressor import Compressor, spec_of
from harness.contract.registry import (
    BUILTIN_PACKAGE,
    Entry,
    load_plugin,
    load_registry,
    parse_spec,
)
from harness.errors import ConformanceError, PluginError

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "check_all",
    "check_target",
    "checks_for",
    "run_checks",
]

Progress = Callable[[str, int, int], None]
"""Called before each check with "spec: check", checks done, and checks in all."""

# The order of a report; fresh processes come last, since they are slowest.
CHECKS: tuple[Check, ...] = (
    declaration_check(lambda: {check.name for check in CHECKS}),
    *roundtrip.CHECKS,
    *lengths.CHECKS,
    *models.CHECKS,
    WINDOW,
    *fresh.CHECKS,
)


def checks_for(compressor: Compressor) -> tuple[Check, ...]:
    """Return the checks that apply to this compressor."""
    return tuple(check for check in CHECKS if not check.not_for(compressor))


def check_all(
    compressor: Compressor,
    *,
    only: Collection[str] = (),
    long_bytes: int = LONG_BYTES,
) -> None:
    """Run all checks on an unfitted compressor; return None if they pass.

    Args:
        compressor: any configuration of a class that a plugin file offers.
        only: names of checks to run; all if empty.
        long_bytes: size of the long input; smaller for slow models.

    Raises:
        ConformanceError: a check failed and is not waived.
    """
    findings = run_checks(compressor, only=only, long_bytes=long_bytes)
    failures = [f for f in findings if f.status == "failed"]
    if failures:
        each = "; ".join(f"{f.check.name}: {f.message}" for f in failures)
        spec = spec_of(compressor)
        raise ConformanceError(
            f"{spec}: {len(failures)} of {len(findings)} checks failed: {each}"
        )


def run_checks(
    target: Entry | Compressor,
    *,
    plugin: Path | None = None,
    only: Collection[str] = (),
    long_bytes: int = LONG_BYTES,
    progress: Progress | None = None,
) -> list[Finding]:
    """Run every check on a compressor, or on the default configuration of an entry.

    Args:
        target: unfitted compressor, or entry of its class.
        plugin: the file or folder that a fresh process loads; that of the class if None.
        only: names of checks to run; all if empty.
        long_bytes: size of the long input; smaller for slow models.
        progress: called before each check.

    Raises:
        PluginError: the entry cannot be used, or has no default configuration.
    """
    compressor = _default_of(target) if isinstance(target, Entry) else target
    # An entry point has an origin that is no path.
    if isinstance(target, Entry) and Path(target.origin).exists():
        plugin = plugin or Path(target.origin).resolve()
    subject = Subject(
        compressor=compressor,
        plugin=plugin or _plugin_of(type(compressor)),
        long_bytes=long_bytes,
    )
    checks = [check for check in CHECKS if not only or check.name in only]
    findings = []
    for i, check in enumerate(checks):
        if progress:
            progress(f"{compressor.name}: {check.name}", i, len(checks))
        findings.append(_find(check, subject))
    return findings


def check_target(
    target: str,
    plugins_dir: Path | None,
    *,
    progress: Progress | None = None,
    long_bytes: int = LONG_BYTES,
) -> list[tuple[str, list[Finding]]]:
    """Check a spec such as "zstd(level=19)", or every class of a plugin file or folder.

    Returns:
        Spec strings with their findings, in the order of the plugin.

    Raises:
        UsageError: there is no such file or compressor, or it does not load.
        UnavailableError: a package that the compressor needs is missing.
    """
    path = Path(target)
    # A spec may hold a path in its fields, so that a bracket decides first.
    if "(" not in target and (path.suffix == ".py" or "/" in target or path.is_dir()):
        if not path.exists():
            raise PluginError(f"no plugin at {target}; give a file, a folder or a spec")
        # All classes of a file, since a plugin may offer several.
        pairs = [(entry, _default_of(entry)) for entry in load_plugin(path.resolve())]
    else:
        registry = load_registry(plugins_dir)
        entry = registry.find(parse_spec(target)[0])
        pairs = [(entry, registry.parse(target))]
    results = []
    for entry, compressor in pairs:
        origin = Path(entry.origin)
        findings = run_checks(
            compressor,
            plugin=origin if origin.exists() else None,
            long_bytes=long_bytes,
            progress=progress,
        )
        results.append((spec_of(compressor), findings))
    return results


def _find(check: Check, subject: Subject) -> Finding:
    """Run one check; any error of a plugin becomes a finding."""
    waived = subject.compressor.waived.get(check.name)
    status: Status = "failed"
    try:
        reason = check.not_for(subject.compressor)
        if reason:
            return Finding(check=check, status="not_applicable", message=reason)
        remark = check.run(subject)
    except ConformanceError as error:
        remark = str(error)
    except Exception as error:  # noqa: BLE001  (a plugin may fail in any way; it is reported)
        fault = f"{type(error).__name__}: {one_line(error)}"
        remark = f"{check.claim!r} could not be checked: {fault}; correct the code that raised it"
    else:
        status = "passed"
    # Waived checks run too, so that a waiver that is no longer needed shows.
    if waived is None:
        return Finding(check=check, status=status, message=remark)
    message = (
        f"{waived} (it passes: remove it from `waived`)"
        if status == "passed"
        else waived
    )
    return Finding(check=check, status="waived", message=message)


def _default_of(entry: Entry) -> Compressor:
    if entry.kind is None:
        raise PluginError(f"{entry.name} cannot be checked: {entry.unavailable}")
    try:
        return entry.kind()
    except TypeError as error:
        raise PluginError(
            f"{entry.name} has no default configuration: {error}; give every field a default"
        ) from error


def _plugin_of(kind: type[Compressor]) -> Path | None:
    """Return the file or folder of the top-level plugin module of a class."""
    parts = kind.__module__.split(".")
    # A plugin of a folder is imported into a package that has no file of its own.
    by_scan = parts[0].startswith(BUILTIN_PACKAGE)
    module = sys.modules.get(".".join(parts[:2]) if by_scan else kind.__module__)
    file = getattr(module, "__file__", None)
    if file is None:
        return None
    path = Path(file).resolve()
    return path.parent if path.name == "__init__.py" else path
