import re
import tomllib
from pathlib import Path

import harness

ROOT = Path(__file__).parent.parent
CITATION = (ROOT / "CITATION.cff").read_text()


def test_citation_package_and_face_have_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    cited = re.search(r"^version: (\S+)$", CITATION, re.MULTILINE)
    assert cited is not None
    assert cited[1] == project["version"] == harness.__version__


def test_the_citation_has_the_licence_of_the_package():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"license: {project['license']}\n" in CITATION


def test_the_package_tells_type_checkers_that_it_is_typed():
    assert (Path(harness.__file__).parent / "py.typed").is_file()
