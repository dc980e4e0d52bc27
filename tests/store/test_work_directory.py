"""The work directory of a run, and errors about output directories."""

from pathlib import Path

import pytest
from s3_server import Bucket

import polyframe as pf
from polyframe.core.addresses import as_address
from polyframe.store.output import WORK, Output
from polyframe.store.work_directory import check_output, work_directory


def test_the_work_directory_is_removed_even_after_an_error(tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    with pytest.raises(RuntimeError), work_directory(Output(out)):
        raise RuntimeError
    assert not out.exists()
    (tmp_path / WORK).mkdir()
    (tmp_path / WORK / "rows").mkdir()
    (tmp_path / WORK / "rows" / "00000.arrow").touch()
    with work_directory(Output(tmp_path)) as work:
        assert sorted(entry.name for entry in work.folder.iterdir()) == ["lock", "started"]
    assert not (tmp_path / WORK).exists()


@pytest.mark.usefixtures("without_root_rights")
def test_a_folder_without_permission_to_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with (
        pytest.raises(pf.PolyframeError, match="cannot be written"),
        work_directory(Output(tmp_path / "out")),
    ):
        pass


def test_an_output_directory_is_new_empty_or_ours(tmp_path: Path) -> None:
    check_output(Output(tmp_path / "new"))
    check_output(Output(tmp_path))
    (tmp_path / "polyframe.json").touch()
    (tmp_path / "notes.txt").touch()
    check_output(Output(tmp_path))
    (tmp_path / "polyframe.json").unlink()
    with pytest.raises(pf.PolyframeError, match=r"notes\.txt"):
        check_output(Output(tmp_path))


def test_a_run_in_a_bucket_uses_a_temporary_folder(bucket: Bucket) -> None:
    address = as_address(f"{bucket.url}/out", bucket.options)
    assert address is not None
    with work_directory(Output(address)) as work:
        assert [entry.name for entry in work.folder.iterdir()] == ["started"]
        (work.rows).mkdir()
    assert not work.folder.exists()
    assert bucket.keys() == {}


def test_a_bucket_with_other_files_is_refused(bucket: Bucket) -> None:
    address = as_address(f"{bucket.url}/out", bucket.options)
    assert address is not None
    check_output(Output(address))
    bucket.write(f"out/parts/labels/part=00000/{'0' * 32}.parquet", b"")
    check_output(Output(address))
    for name in ("notes.txt", "parts/labels/part=00000/a.parquet"):
        bucket.write(f"out/{name}", b"")
        with pytest.raises(pf.PolyframeError, match=rf"already contains other files \({name}\)"):
            check_output(Output(address))
        bucket.delete(f"out/{name}")
