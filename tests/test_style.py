"""Ceilings on the prose of the code: docstrings, local names, comments (CONTRIBUTING)."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ["harness", "plugins"]
MAX_SHARE = 0.01
"""Of docstrings with a wrong first word, and of local names that name nothing."""
MIN_COMMENTS = 0.03
"""Comment lines per line."""
WRONG_FIRST_WORDS = {"What", "Which", "Who", "How", "Whether", "Of"}
# Participles and pronouns: a reader must guess their noun.
WRONG_NAMES = {
    *("found", "one", "known", "made", "own", "told", "kept", "taken", "given", "left"),
    *("drawn", "written", "wanted", "seen", "held", "said", "chosen", "filled"),
    *("beside", "others", "rest"),
}


def nodes(folder: str) -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            yield path.relative_to(ROOT), node


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_begin_with_a_noun_or_an_imperative(folder: str):
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = [
        (path, text)
        for path, node in nodes(folder)
        if isinstance(node, kinds) and (text := ast.get_docstring(node))
    ]
    wrong = [
        f"{path}: {text.splitlines()[0]}"
        for path, text in docstrings
        if text.split()[0] in WRONG_FIRST_WORDS
    ]
    assert len(wrong) <= MAX_SHARE * len(docstrings), "\n".join(wrong)


@pytest.mark.parametrize("folder", FOLDERS)
def test_local_names_are_nouns(folder: str):
    names = [
        (f"{path}:{node.lineno} {node.id}", node.id)
        for path, node in nodes(folder)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    wrong = [place for place, name in names if name in WRONG_NAMES]
    assert len(wrong) <= MAX_SHARE * len(names), "\n".join(wrong)


@pytest.mark.parametrize("folder", FOLDERS)
def test_steps_that_are_not_obvious_have_comments(folder: str):
    paths = sorted((ROOT / folder).rglob("*.py"))
    lines = [line for path in paths for line in path.read_text().splitlines()]
    comments = [
        line
        for line in lines
        if "# " in line and "noqa" not in line and "type:" not in line
    ]
    assert len(comments) >= MIN_COMMENTS * len(lines)
