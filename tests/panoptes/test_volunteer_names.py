"""Names of volunteers, and files of names."""

from pathlib import Path

import pytest

from polyframe.core.errors import UsageError
from polyframe.panoptes.config import volunteer_names
from polyframe.panoptes.config.volunteer_names import names_of


def test_files_are_replaced_by_the_names_in_them(tmp_path: Path) -> None:
    (tmp_path / "names").write_text("anna\n\n bert \r\nanna\n# clara\n", encoding="utf-8")
    assert names_of(["dora", "names", "bert"], tmp_path) == ("dora", "anna", "bert", "# clara")
    assert names_of([str(tmp_path / "names")]) == ("anna", "bert", "# clara")
    # Elsewhere it is a name.
    assert names_of(["names"], tmp_path / "other") == ("names",)


@pytest.mark.parametrize("name", ["not-logged-in-1a/5f", "a" * 5000, "nul\0byte", "~anna", "3.14"])
def test_names_need_not_be_valid_paths(name: str) -> None:
    assert names_of([f" {name} "]) == (name,)


def test_problems_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"^exclude_volunteers: .*list\.txt: no such file"):
        names_of(["list.txt"], tmp_path)
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"list\.txt: not UTF-8, expected one name per line"):
        names_of(["list.txt"], tmp_path)
    monkeypatch.setattr(volunteer_names, "_LARGEST_FILE", 1)
    with pytest.raises(UsageError, match=r"list\.txt: larger than 0 MB, expected one name per line"):
        names_of(["list.txt"], tmp_path)
