"""`python -m bitprobe`: the command line."""

from harness.cli import main

main()
