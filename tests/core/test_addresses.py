from pathlib import Path
from typing import Any

import pytest

from polyframe.core.addresses import Address, as_address
from polyframe.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("s3://bucket/project", "s3://bucket/project"),
        ("s3://bucket/project/", "s3://bucket/project"),
        ("S3://bucket", "s3://bucket"),
        ("gs://b/x/y", "gs://b/x/y"),
        ("memory://name", "memory://name"),
        ("https://host/a.csv?X-Amz-Signature=abc#part", "https://host/a.csv"),
        ("https://me:secret@host:8080/a.csv", "https://host:8080/a.csv"),
        ("s3://key:secret@bucket/x", "s3://bucket/x"),
        # What should be encoded in a password often is not.
        ("https://me:se/cret@host/a.csv?sig=abc", "https://host/a.csv"),
        ("https://me:se?cr#et@host/a.csv", "https://host/a.csv"),
        ("https://me:secret", "https://me"),
        ("s3://key:se/cret@bucket/x", "s3://bucket/x"),
        ("http://[::1]:8080/@me/a.csv", "http://[::1]:8080/@me/a.csv"),
        ("http://127.0.0.1:8080/@me/a.csv?sig=a@b", "http://127.0.0.1:8080/@me/a.csv"),
        ("http://localhost:8080/@me/a.csv", "http://localhost:8080/@me/a.csv"),
        ("https://host/a@b.csv?email=me@host", "https://host/a@b.csv"),
        # This could be a port, and a password.
        ("http://host:8080/@me/a.csv", "http://...@me/a.csv"),
        ("http://user:123/4@host", "http://...@host"),
        ("http://user:123/4@host:80/a.csv?sig=abc", "http://...@host:80/a.csv"),
        ("http://me@x.org:12/3@host/a.csv", "http://...@host/a.csv"),
        ("http://me:1@2/3@host/a.csv", "http://...@host/a.csv"),
        ("http://me:12?3@host/a.csv", "http://..."),
        ("https://host:8080/a.csv?email=me@host&sig=abc", "https://..."),
        ("s3://key:12/3@bucket/x", "s3://bucket/x"),
        ("s3://key:1@2/3@bucket/x", "s3://bucket/x"),
        ("s3://bucket/what?#1.csv", "s3://bucket/what?#1.csv"),
        (
            "abfss://container@account.dfs.core.windows.net/x",
            "abfss://container@account.dfs.core.windows.net/x",
        ),
    ],
)
def test_an_address_is_printed_without_its_secrets(text: str, shown: str) -> None:
    address = as_address(text)
    assert address is not None
    assert str(address) == shown
    assert repr(address) == f"Address('{shown}')"


@pytest.mark.parametrize("text", ["out", "./out", "/srv/out", "C:/out", "C:\\out", "file:///srv/out", "a:b"])
def test_a_path_is_not_an_address(text: str) -> None:
    assert as_address(text) is None
    assert as_address(Path(text)) is None


@pytest.mark.parametrize("value", [None, 5, b"s3://bucket/x"])
def test_other_values_are_not_addresses(value: object) -> None:
    assert as_address(value) is None


def test_an_address_survives_its_conversion_to_a_path() -> None:
    assert as_address(Path("s3://bucket/project")) == as_address("s3://bucket/project")


def test_an_existing_folder_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s3:/bucket/project").mkdir(parents=True)
    assert as_address("s3:/bucket/project") is None


def test_the_url_for_the_library_is_whole() -> None:
    address = as_address("https://host/a.csv?signature=abc")
    assert address is not None
    assert address.url == "https://host/a.csv?signature=abc"
    assert address.name == "a.csv"


def test_what_is_below_an_address() -> None:
    assert str(Address("s3", "bucket/x").joined("parts/a.parquet")) == "s3://bucket/x/parts/a.parquet"


def test_no_other_machine_gets_secrets() -> None:
    options = {
        "aws_endpoint": "http://me:secret@host:9000",
        "aws_region": "a",
        "aws_secret_access_key": "secret",
        "proxy_url": "http://me:se/cret@proxy",
    }
    address = as_address("s3://key:secret@bucket/x", options)
    assert address is not None
    shared = address.without_secrets()
    assert shared.url == "s3://bucket/x"
    assert shared.options == (("aws_region", "a"),)
    assert shared.joined("y").withheld == ("aws_endpoint", "aws_secret_access_key", "proxy_url")


@pytest.mark.parametrize(
    ("link", "is_secret"),
    [
        ("https://host/a.csv", False),
        ("http://127.0.0.1:80/a.csv", False),
        ("https://host/a.csv?id=1", True),
        ("https://me:secret@host/a.csv", True),
        ("https://me@host/a.csv", True),
        ("http://user:123/4@host", True),
        ("s3://bucket/a.csv", False),
        ("s3://key:secret@bucket/a.csv", True),
    ],
)
def test_addresses_that_are_secret(link: str, is_secret: bool) -> None:
    address = as_address(link, {"aws_secret_access_key": "secret"})
    assert address is not None
    assert address.contains_secret == is_secret


def test_numbers_and_bools_are_options() -> None:
    address = as_address("s3://bucket/x", {"allow_http": True, "aws_access_key_id": 5})  # type: ignore[dict-item]
    assert address is not None
    assert address.options == (("allow_http", "true"), ("aws_access_key_id", "5"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("region=a", "storage_options: expected a mapping of names to text, got str"),
        ({"aws_access_key_id": None}, "storage_options: aws_access_key_id: expected text, got NoneType"),
        ({"aws_secret_access_key": b"s"}, "storage_options: aws_secret_access_key: expected text, got bytes"),
        ({5: "a"}, "storage_options: the name 5 is not text"),
    ],
)
def test_invalid_options(options: Any, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        as_address("s3://bucket/x", options)
    assert str(caught.value) == message


def test_options_are_added_to_those_of_an_address() -> None:
    address = as_address("s3://bucket/x", {"region": "a"})
    assert as_address(address) == address
    both = as_address(address, {"endpoint": "b", "region": "c"})
    assert both is not None
    assert both.options == (("endpoint", "b"), ("region", "a"))
