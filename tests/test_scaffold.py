import subprocess
import sys
from pathlib import Path

import pytest

from harness.commands.new import write_plugin
from harness.contract.registry import load_plugin
from harness.errors import PluginError


@pytest.mark.parametrize("what", ["codec", "model"])
def test_a_new_plugin_passes_the_test_that_comes_with_it(tmp_path: Path, what: str):
    plugin, test = write_plugin("my_codec", tmp_path, model=what == "model")
    (entry,) = load_plugin(plugin)
    assert entry.name == "my_codec"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", "/dev/null", str(test)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout


@pytest.mark.parametrize("name", ["My", "a-b", "class", "", "a b", "../x"])
def test_a_name_that_is_no_lower_case_identifier_is_refused(tmp_path: Path, name: str):
    with pytest.raises(PluginError, match="lower-case identifier"):
        write_plugin(name, tmp_path, model=False)


def test_nothing_is_overwritten(tmp_path: Path):
    write_plugin("mine", tmp_path, model=False)
    with pytest.raises(PluginError, match="exists"):
        write_plugin("mine", tmp_path, model=True)
