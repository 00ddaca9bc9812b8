import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import harness

ROOT = Path(__file__).parent.parent
# Lowest first; a module imports from its own folder or from layers before it.
LAYERS = [
    ["errors", "units", "atomic", "suggest", "folders", "words"],
    ["statistics", "contract"],
    ["data", "conformance", "records"],
    ["tasks"],
    ["planning"],
    ["run", "analysis", "published"],
    ["report"],
    ["commands"],
    ["cli"],
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}


def modules() -> dict[str, Path]:
    """Return the files of the harness by the dotted names that import them."""
    files = {}
    for path in (ROOT / "harness").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[1] not in ("plugins", "suites"):  # of an unpacked wheel
            files[".".join(p for p in parts if p != "__init__")] = path
    return files


def imports_of(path: Path) -> set[str]:
    """Return the dotted names below `harness` that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module.split(".")[0] == "harness":
                # A name may be a module or something inside of one.
                names |= {f"{node.module}.{alias.name}" for alias in node.names}
                names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {a.name for a in node.names if a.name.split(".")[0] == "harness"}
    return names


def test_every_folder_of_the_harness_is_a_layer():
    rooms = {name.split(".")[1] for name in modules() if "." in name}
    assert rooms == set(LEVEL)


def test_imports_point_down():
    wrong = []
    for name, path in modules().items():
        for other in imports_of(path):
            own, room = (n.split(".")[1] if "." in n else "" for n in (name, other))
            if own and room in LEVEL and room != own and LEVEL[room] >= LEVEL[own]:
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_no_two_files_import_each_other_even_through_others():
    files = modules()

    def modules_of(path: Path) -> set[str]:
        names = imports_of(path) & set(files)
        parents = {name.rpartition(".")[0] for name in names}
        # The face imports its names when they are asked for, a package for its modules.
        return names - parents - {"harness"}

    graph = {name: modules_of(path) for name, path in files.items() if "." in name}
    try:
        TopologicalSorter(graph).prepare()
        circle = []
    except CycleError as error:
        circle = error.args[1]
    assert circle == []


def test_analysis_and_report_read_neither_registry_nor_run():
    seen = set()
    for name, path in modules().items():
        if name.split(".")[1:2] in (["analysis"], ["report"]):
            seen |= imports_of(path)
    below = ("harness.run", "harness.contract.registry", "harness.planning.plan")
    assert not {name for name in seen if name.startswith(below)}


def test_plugins_import_only_the_face_of_the_harness():
    for path in (ROOT / "plugins").rglob("*.py"):
        names = imports_of(path) - {"harness"}
        assert names <= {f"harness.{name}" for name in harness.__all__}, path
