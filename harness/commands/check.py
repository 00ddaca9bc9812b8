"""`bitprobe check`: the conformance of a compressor, printed as a table."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape
from rich.table import Table

from harness.commands.progress import progress_bar
from harness.conformance import check_target
from harness.report.terminal import wide_console

_MARKS = {
    "passed": "passed",
    "failed": "[bold red]FAILED[/]",
    "waived": "[yellow]waived[/]",
    "not_applicable": "[dim]n/a[/]",
}


def check_and_report(target: str, plugins_dir: Path | None) -> int:
    """Check a compressor against its contract, print the findings; return 1 if any failed.

    Raises:
        UsageError: there is no such compressor or plugin file, or it does not load.
    """
    console = wide_console()
    with progress_bar() as bar:
        task = bar.add_task("checks", total=None)
        checked = check_target(
            target,
            plugins_dir,
            progress=lambda name, i, n: bar.update(
                task, description=name, completed=i, total=n
            ),
        )
    for spec, findings in checked:
        shown = Table(title=spec, title_justify="left", pad_edge=False)
        for head in ("check", "", "what it means, or what was found"):
            shown.add_column(head, overflow="fold")
        for finding in findings:
            about = finding.message or finding.check.claim
            # Escaped: brackets in a plugin's message would be read as markup.
            shown.add_row(finding.check.name, _MARKS[finding.status], escape(about))
        console.print(shown)
    failed = [
        finding
        for _, findings in checked
        for finding in findings
        if finding.status == "failed"
    ]
    console.print(f"{len(failed)} checks failed" if failed else "all checks passed")
    return 1 if failed else 0
