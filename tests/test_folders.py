from pathlib import Path

import pytest

from harness import folders
from harness.folders import builtin_folder

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["plugins", "suites"])
def test_a_checkout_has_its_folders_beside_the_package(name: str):
    assert builtin_folder(name) == ROOT / name
    assert builtin_folder(name).is_dir()


def test_a_wheel_has_its_folders_inside_the_package(tmp_path: Path, monkeypatch):
    package = tmp_path / "harness"
    (package / "suites").mkdir(parents=True)
    (tmp_path / "suites").mkdir()
    monkeypatch.setattr(folders, "__file__", str(package / "folders.py"))
    assert builtin_folder("suites") == package / "suites"
    assert builtin_folder("plugins") == tmp_path / "plugins"
