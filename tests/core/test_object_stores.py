import importlib.util
from typing import Any

import pytest
from s3_server import Bucket

from polyframe.core.addresses import Address, as_address
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.object_stores import open_store, store_error


def address_of(text: str, options: dict[str, str] | None = None) -> Address:
    address = as_address(text, options)
    assert address is not None
    return address


def test_keys_are_relative_to_the_address(bucket: Bucket) -> None:
    store = open_store(address_of(f"{bucket.url}/project", bucket.options))
    store.put("parts/a.txt", b"text")
    assert bucket.keys() == {"project/parts/a.txt": 4}


def test_options_come_from_the_environment(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    open_store(address_of(f"{bucket.url}/environment")).put("a", b"1")
    assert bucket.read("environment/a") == b"1"


def test_a_store_in_memory_is_kept() -> None:
    address = address_of("memory://kept")
    open_store(address).put("a", b"1")
    assert bytes(open_store(address).get("a").bytes()) == b"1"
    assert list(open_store(address_of("memory://other")).list()) == []


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(UsageError, match=r"ftp://host/x: ftp:// is not a store; expected one of s3://"):
        open_store(address_of("ftp://host/x"))


def test_an_unknown_option_is_refused(bucket: Bucket) -> None:
    with pytest.raises(UsageError, match="storage_options: 'colour' is not valid"):
        open_store(address_of(f"{bucket.url}/x", {**bucket.options, "colour": "red"}))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("timeout", 'storage_options: timeout: failed to parse "xx" as a duration such as 30s'),
        ("aws_skip_signature", 'storage_options: aws_skip_signature: failed to parse "xx" as boolean'),
    ],
)
def test_a_value_that_cannot_be_parsed_is_refused(option: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(address_of("s3://bucket/x", {option: "xx"}))
    assert str(caught.value) == f"s3://bucket/x: {message}"


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((option, "top-secret@host") for option in ("timeout", "aws_skip_signature", "proxy_url")),
        *((option, "http://me:top-secret@ host") for option in ("timeout", "aws_endpoint", "proxy_url")),
        ("allow_http", "http://host?top-secret="),
    ],
)
def test_a_value_that_may_be_secret_is_not_printed(option: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"^s3://bucket/x: storage_options: {option}: ") as raised:
        open_store(address_of("s3://bucket/x", {option: value}))
    assert "top-secret" not in str(raised.value)


@pytest.mark.parametrize("value", ["host:9000", "http://host:99999", "http://a b", "http://", "http://[::1"])
def test_urls_are_checked(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of them end the process in obstore."""
    message = r"aws_endpoint: is not a URL such as https://host:9000$"
    with pytest.raises(UsageError, match=rf"^s3://bucket/x: storage_options: {message}"):
        open_store(address_of("s3://bucket/x", {"aws_endpoint": value}))
    monkeypatch.setenv("AWS_ENDPOINT_URL", value)
    with pytest.raises(
        UsageError, match=r"^s3://bucket/y: the environment variable AWS_ENDPOINT_URL: is not"
    ):
        open_store(address_of("s3://bucket/y"))
    # Those of other stores do not matter, nor does a switch of a similar name.
    open_store(address_of("az://container/x", {"account_name": "a", "azure_use_fabric_endpoint": "true"}))


def test_a_worker_says_which_options_it_does_not_get(bucket: Bucket) -> None:
    address = address_of(f"{bucket.url}/x", bucket.options).without_secrets()
    names = ", ".join(sorted(name for name in bucket.options if "key" in name))
    with pytest.raises(Exception, match=r".") as raised:
        open_store(address).get("missing")
    assert str(store_error(address, raised.value)).endswith(
        f". Workers do not get {names} of the run: set that in their environment"
    )


def test_without_obstore_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(name: str, *others: Any) -> None:
        assert name == "obstore"

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(PolyframeError, match=r"needs obstore; install it with: pip install .*\[cloud\]"):
        open_store(address_of("s3://bucket/x"))


def error_of(url: str, options: dict[str, str]) -> str:
    """Return the message if nothing can be read with these options."""
    address = address_of(url, options)
    with pytest.raises(Exception, match=r".") as raised:
        open_store(address).get("missing")
    if isinstance(raised.value, PolyframeError):
        return str(raised.value)
    return str(store_error(address, raised.value))


def test_errors_are_one_line_with_advice(bucket: Bucket) -> None:
    url, options = f"{bucket.url}/x", bucket.options
    assert error_of(url, options) == f"{url}: does not exist; check the address"
    without_http = {name: value for name, value in options.items() if "allow_http" not in name}
    assert "the endpoint is not encrypted" in error_of(url, without_http)
    without_secret = {name: value for name, value in options.items() if "secret" not in name}
    assert "no credentials" in error_of(url, without_secret)


def test_secrets_are_not_sent_to_workers(bucket: Bucket) -> None:
    assert {name for name, _ in address_of(bucket.url, bucket.options).without_secrets().options} == {
        "aws_region",
        "aws_endpoint_url",
        "aws_allow_http",
    }


def test_options_of_other_stores_do_not_matter(bucket: Bucket) -> None:
    options = {**bucket.options, "google_service_account": "missing.json", "azure_storage_account_name": "a"}
    bucket.write("a", b"1")
    assert bytes(open_store(address_of(bucket.url, options)).get("a").bytes()) == b"1"


def test_missing_credentials_are_named() -> None:
    url = "az://container/x"
    assert error_of(url, {}) == (
        f"{url}: no credentials; set them in the environment (AZURE_STORAGE_ACCOUNT_NAME and "
        "AZURE_STORAGE_ACCOUNT_KEY) or in storage_options"
    )
