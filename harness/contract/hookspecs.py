"""Hook by which a plugin offers its compressors."""

import pluggy

from harness.contract.compressor import Compressor

PROJECT = "bitprobe"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def compressors() -> list[type[Compressor]]:  # type: ignore[empty-body]
    """Return the compressor classes that this plugin offers."""
