"""The work directory of a run, and errors about output directories."""

from pathlib import Path

import pytest

import polyframe as pf
from polyframe.store.output import WORK
from polyframe.store.work_directory import check_output, work_directory


def test_the_work_directory_is_removed_even_after_an_error(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with pytest.raises(RuntimeError), work_directory(out):
        raise RuntimeError
    assert not out.exists()
    (tmp_path / WORK).mkdir()
    (tmp_path / WORK / "rows").mkdir()
    (tmp_path / WORK / "rows" / "00000.arrow").touch()
    with work_directory(tmp_path) as output:
        assert sorted(entry.name for entry in output.work.iterdir()) == ["lock", "started"]
    assert not (tmp_path / WORK).exists()


@pytest.mark.usefixtures("without_root_rights")
def test_a_folder_without_permission_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(pf.PolyframeError, match="cannot be written"), work_directory(tmp_path / "out"):
        pass


def test_an_output_directory_is_new_empty_or_ours(tmp_path: Path) -> None:
    check_output(tmp_path / "new")
    check_output(tmp_path)
    (tmp_path / "polyframe.json").touch()
    (tmp_path / "notes.txt").touch()
    check_output(tmp_path)
    (tmp_path / "polyframe.json").unlink()
    with pytest.raises(pf.PolyframeError, match=r"notes\.txt"):
        check_output(tmp_path)
