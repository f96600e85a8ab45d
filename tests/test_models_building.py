import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from punie_cli.errors import BusyError, PunieError
from punie_cli.models.building import building, locked, require_disk, write_json


def tree(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "store" / "m"
    with locked(target), building(target) as part:
        (part / "sub").mkdir()
        (part / "sub" / "a").write_text("1")
        assert not target.exists()
    assert tree(tmp_path / "store") == {".m.lock": "", "m/sub/a": "1"}


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "m"
    target.mkdir()
    (target / "a").write_text("old")
    with pytest.raises(KeyboardInterrupt), building(target) as part:
        (part / "a").write_text("new")
        raise KeyboardInterrupt
    assert tree(tmp_path) == {"m/a": "old"}


def test_a_new_folder_replaces_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "m"
    target.mkdir()
    (target / "a").write_text("old")
    (target / "b").write_text("old")
    with building(target) as part:
        (part / "a").write_text("new")
    assert tree(tmp_path) == {"m/a": "new"}


def test_leftovers_of_a_killed_build_go(tmp_path: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from punie_cli.models.building import building, locked
target = Path({str(tmp_path / "m")!r})
with locked(target), building(target) as part:
    (part / "a").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -9
    assert len(list(tmp_path.glob(".m.*.part"))) == 1
    target = tmp_path / "m"
    with locked(target), building(target) as part:
        (part / "a").write_text("whole")
    assert tree(tmp_path) == {".m.lock": "", "m/a": "whole"}


def test_a_death_between_the_renames_is_mended(tmp_path: Path) -> None:
    old = tmp_path / ".m.x.old"
    old.mkdir()
    (old / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), building(tmp_path / "m"):
        raise ZeroDivisionError
    assert tree(tmp_path) == {"m/a": "old"}


def test_the_lock_of_another_process_is_busy(tmp_path: Path) -> None:
    target = tmp_path / "m"
    code = f"""
from pathlib import Path
from punie_cli.models.building import locked
with locked(Path({str(target)!r})):
    print("held", flush=True)
    input()
"""
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(BusyError) as caught, locked(target, seconds=0.1):
        pass
    assert caught.value.message == f"another punie process is working on {target}"
    holder.communicate("\n")
    with locked(target):
        pass


def test_a_full_disk_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(PunieError) as caught, building(tmp_path / "m"):
        raise OSError(28, os.strerror(28))
    assert caught.value.message == f"the disk is full: {tmp_path}"
    assert list(tmp_path.iterdir()) == []


def test_disk_is_checked_where_the_folder_will_be(tmp_path: Path) -> None:
    require_disk(tmp_path / "not" / "yet", 1)
    with pytest.raises(PunieError) as caught:
        require_disk(tmp_path / "not" / "yet", 10**18)
    assert caught.value.message.startswith(f"1000000000.0 GB of disk are needed in {tmp_path / 'not' / 'yet'}, ")


@settings(deadline=None, max_examples=30)
@given(value=st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=10))
def test_json_is_written_whole(value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("json")
    write_json(folder / "a.json", {"v": value})
    assert json.loads((folder / "a.json").read_text()) == {"v": value}
    with pytest.raises(TypeError):
        write_json(folder / "a.json", {"v": object()})
    assert [path.name for path in folder.iterdir()] == ["a.json"]
    assert json.loads((folder / "a.json").read_text()) == {"v": value}
