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
        ("ducklake:postgres:password = secret dbname=d", "ducklake:postgres:password = *** dbname=d"),
        (r"ducklake:postgres:password='a\'secret' host=h", "ducklake:postgres:password=*** host=h"),
        ("ducklake:postgres:password='a secret", "ducklake:postgres:password=***"),
        (r"ducklake:postgres:password=a\ secret host=h", "ducklake:postgres:password=*** host=h"),
        ("ducklake:postgres:password=a&secret;x host=h", "ducklake:postgres:password=*** host=h"),
        ("ducklake:postgres:postgresql://ann:se/cret@h/db", "ducklake:postgres:postgresql://ann@h/db"),
        ("postgresql://ann:s/e?c#r@et@host/db", "postgresql://ann@host/db"),
        ("ducklake:mysql:host=h pwd=secret pass=secret", "ducklake:mysql:host=h pwd=*** pass=***"),
        ("ducklake:x?credentials_file=secret&a=1", "ducklake:x?credentials_file=***&a=1"),
        ("https://ann@host/x?X-Amz-Signature=secret", "https://ann@host/x?X-Amz-Signature=***"),
        ("duckdb:md:db?motherduck_token=secret", "duckdb:md:db?motherduck_token=***"),
        ("delta:///bucket?aws_secret_access_key=secret", "delta:///bucket?aws_secret_access_key=***"),
    ],
)
def test_passwords_are_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown


@pytest.mark.parametrize(
    "address",
    [
        "duckdb://ann:secret@host/db",
        "duckdb://ann:se@secret/db",
        "duckdb:md:db?motherduck_token=secret",
        "duckdb:///md:db?motherduck_token=secret",
        "duckdb:postgres:host=h password=secret",
        "delta:https://ann:se/secret@h/x",
        "delta:s3://ann:se/secret@b/x",
        "delta:s3://ann:secret@b/x",
        "delta:s3://b/x?key=secret",
        "delta://s3://b/x?secret",
    ],
)
def test_addresses_with_passwords_are_refused_without_the_password(example: Path, address: str) -> None:
    with pytest.raises(pf.UsageError) as caught:
        pf.load(example, address)
    assert "secret" not in str(caught.value).replace("secret_access_key", "")
    assert "in storage_options" in str(caught.value) or "names no database file" in str(caught.value)
