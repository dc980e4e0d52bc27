"""Patterns in buckets match what the same patterns match on disk."""

import glob
from pathlib import Path

import pytest
from s3_server import Bucket

from polyframe.core.addresses import Address, as_address
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.remote_files import find_remote_files

KEYS = (
    "top.csv",
    "exports/a.csv",
    "exports/b.csv",
    "exports/b.csv.gz",
    "exports/.hidden.csv",
    "exports/[1].csv",
    "exports/what?.csv",
    "exports/2026/01/a.csv",
    "exports/2026/02/a.csv",
    "exports/2025/01/b.csv",
    "exports/.cache/a.csv",
    "exports2/a.csv",
)


def address_of(text: str, options: dict[str, str] | None = None) -> Address:
    address = as_address(text, options)
    assert address is not None
    return address


@pytest.fixture
def filled(bucket: Bucket) -> Bucket:
    for key in KEYS:
        bucket.write(key, b"1")
    return bucket


@pytest.mark.parametrize(
    "pattern",
    [
        "*.csv",
        "exports/*.csv",
        "exports/*.csv*",
        "exports/?.csv",
        "exports/[ab].csv",
        "exports/[!a].csv",
        "exports/.*.csv",
        "exports*/a.csv",
        "*/*/*/a.csv",
        "exports/20*/0[12]/*.csv",
        "exports/**/a.csv",
        "**/a.csv",
        "**",
        "exports/**",
        "exports/**/02/*.csv",
    ],
)
def test_patterns_match_as_on_disk(pattern: str, filled: Bucket, tmp_path: Path) -> None:
    for key in KEYS:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).touch()
    entries = glob.glob(pattern, root_dir=tmp_path, recursive=True)  # noqa: PTH207
    on_disk = sorted(path for path in entries if (tmp_path / path).is_file())
    assert on_disk
    files = find_remote_files(address_of(f"{filled.url}/{pattern}", filled.options))
    assert [str(file) for file in files] == [f"{filled.url}/{path}" for path in on_disk]
    assert all(dict(file.options) == filled.options for file in files)


@pytest.mark.parametrize("key", ["exports/[1].csv", "exports/what?.csv"])
def test_the_name_of_an_object_is_not_a_pattern(key: str, filled: Bucket) -> None:
    address = address_of(f"{filled.url}/{key}", filled.options)
    assert find_remote_files(address) == [address]


def test_a_link_is_not_a_pattern() -> None:
    link = address_of("https://host/*.csv?id=[1]")
    assert find_remote_files(link) == [link]


def test_what_cannot_be_read(filled: Bucket) -> None:
    with pytest.raises(PolyframeError, match=r"/\*\.parquet: matches no object; check the pattern"):
        find_remote_files(address_of(f"{filled.url}/*.parquet", filled.options))
    with pytest.raises(PolyframeError, match=rf"{filled.url}: is a folder; name the files in it"):
        find_remote_files(address_of(filled.url, filled.options))
    with pytest.raises(PolyframeError, match=r"s3://no-such-bucket/\*\.csv: does not exist"):
        find_remote_files(address_of("s3://no-such-bucket/*.csv", filled.options))
    with pytest.raises(UsageError, match=r"ftp://host/a\.csv: ftp:// addresses cannot be read; expected"):
        find_remote_files(address_of("ftp://host/a.csv"))
