"""Results as a document in one of the formats of `bitprobe report`."""

from __future__ import annotations

import json

from harness.analysis.results import Results
from harness.analysis.score_table import COLUMNS


def document(results: Results, output_format: str) -> str:
    """Return results as "markdown", "latex", "csv", "json" (a record a line) or "html".

    Only formats that show the answer compute it.
    """
    match output_format:
        case "json":
            # One record a line, as published: what one prints another reads.
            lines = (json.dumps(r.to_json(), sort_keys=True) for r in results.records)
            return "".join(f"{line}\n" for line in lines)
        case "csv":
            return str(results.table[COLUMNS].to_csv(index=False))
        case "markdown":
            from harness.report.markdown import markdown

            return markdown(results)
        case "latex":
            from harness.report.latex import latex

            return latex(results)
    # Altair and Jinja are slow to import, and only the page needs them.
    from harness.report.html import html_page

    return html_page(results)
