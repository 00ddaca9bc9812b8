"""The command line: each command calls one function."""

from harness.cli.app import main

__all__ = ["main"]
