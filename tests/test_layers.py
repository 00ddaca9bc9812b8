import ast
from pathlib import Path

import harness

ROOT = Path(__file__).parent.parent
# Lowest first; a module may import from its own layer's package or from layers before it.
LAYERS = [
    ["errors", "units", "stats", "evidence"],
    ["compressor"],
    ["training"],
    ["coding", "blocks", "hookspecs", "artifact"],
    ["registry", "data"],
    ["conformance", "scaffold"],
    ["registration"],
    ["tasks", "job", "store", "suite"],
    ["plan"],
    ["run", "report"],
    ["published", "inventory", "tool"],
    ["session"],
    ["cli"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "harness."
        ):
            found.add(node.module.split(".")[1])
        if isinstance(node, ast.ImportFrom) and node.module == "harness":
            found |= {alias.name for alias in node.names}
    return found


def test_imports_point_down():
    wrong = []
    for path in (ROOT / "harness").rglob("*.py"):
        own = path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")
        if own in ("__init__", "plugins", "suites"):
            continue
        wrong += [
            f"{path.name} imports harness.{other}"
            for other in imports_of(path)
            if other != own and LEVEL[other] > LEVEL[own]
        ]
    assert wrong == []


def test_the_report_never_imports_run_tasks_or_the_registry():
    seen = set()
    for path in (ROOT / "harness" / "report").rglob("*.py"):
        seen |= imports_of(path)
    assert not seen & {"run", "tasks", "registry"}


def test_plugins_import_only_the_face_the_contract_and_units():
    for path in (ROOT / "plugins").rglob("*.py"):
        assert imports_of(path) <= {"compressor", "units", *harness.__all__}, path
