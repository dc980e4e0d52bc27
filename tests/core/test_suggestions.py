"""Which names are suggested for a misspelt one."""

from pathlib import Path

import pytest

from polyframe.core.errors import no_such_file
from polyframe.core.suggestions import nearest_file

FILES = ["classifications.csv", "tune.csv", "workflows.csv", "subjects.csv", "README", "data.tar.gz"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nope.csv", None),
        ("x.csv", None),
        ("none.csv", None),
        (".csv", None),
        ("clasification.csv", "classifications.csv"),
        ("Classifications.CSV", "classifications.csv"),
        ("classifications.cvs", "classifications.csv"),
        ("subject.csv", "subjects.csv"),
        ("tunes.csv", "tune.csv"),
        ("redame", "README"),
        ("date.tar.gz", "data.tar.gz"),
    ],
)
def test_the_nearest_file_is_near_without_its_ending(name: str, expected: str | None) -> None:
    assert nearest_file(name, FILES) == expected
    assert nearest_file(name, []) is None


def test_a_message_suggests_only_likely_files(tmp_path: Path) -> None:
    (tmp_path / "tune.csv").touch()
    assert "did you mean" not in no_such_file(tmp_path / "nope.csv")
    assert no_such_file(tmp_path / "tunes.csv").endswith(f"did you mean '{tmp_path / 'tune.csv'}'?")
