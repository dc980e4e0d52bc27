"""Opening targets: missing extras, and addresses without passwords."""

import sys
from pathlib import Path

import pytest

import polyframe as pf
from polyframe.export.load.targets import without_password


def test_a_missing_extra_is_named(example: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "polyframe.export.load.duckdb_target", raising=False)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(pf.PolyframeError) as caught:
        pf.load(example, f"duckdb:///{tmp_path / 'x.duckdb'}")
    assert str(caught.value) == ("load into duckdb needs an extra: pip install 'panoptes-polyframe[duckdb]'")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("duckdb:///project.duckdb", "duckdb:///project.duckdb"),
        ("postgresql://ann@host:5432/db", "postgresql://ann@host:5432/db"),
        ("postgresql://ann:s:e%2Fcret@host:5432/db", "postgresql://ann@host:5432/db"),
        (
            "postgresql://host/db?user=ann&password=secret&port=1",
            "postgresql://host/db?user=ann&password=***&port=1",
        ),
        (
            "ducklake:postgres:host=h password=secret dbname=d",
            "ducklake:postgres:host=h password=*** dbname=d",
        ),
        ("ducklake:postgres:password='a secret' dbname=d", "ducklake:postgres:password=*** dbname=d"),
        ("postgresql://ann:s/e?c#r@et@host/db", "postgresql://ann@host/db"),
        ("https://ann@host/x?X-Amz-Signature=secret", "https://ann@host/x?X-Amz-Signature=***"),
        ("delta:///bucket?aws_secret_access_key=secret", "delta:///bucket?aws_secret_access_key=***"),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown
