"""Start an S3 server on this machine, for tests."""

import contextlib
import functools
import uuid
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Bucket:
    """A new, empty bucket."""

    name: str
    endpoint: str

    @property
    def options(self) -> dict[str, str]:
        """Credentials and endpoint, as obstore and Polars take them."""
        return {
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test-secret",
            "aws_region": "us-east-1",
            "aws_endpoint_url": self.endpoint,
            "aws_allow_http": "true",
        }

    @property
    def environment(self) -> dict[str, str]:
        """The same as environment variables."""
        return {name.upper(): value for name, value in self.options.items()}

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def keys(self) -> dict[str, int]:
        """Return the objects with their sizes, as another client lists them."""
        pages = _client(self.endpoint).get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {entry["Key"]: entry["Size"] for page in pages for entry in page.get("Contents", [])}

    def read(self, key: str) -> bytes:
        content: bytes = _client(self.endpoint).get_object(Bucket=self.name, Key=key)["Body"].read()
        return content

    def write(self, key: str, content: bytes) -> None:
        _client(self.endpoint).put_object(Bucket=self.name, Key=key, Body=content)

    def delete(self, key: str) -> None:
        _client(self.endpoint).delete_object(Bucket=self.name, Key=key)


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Run a server on a free port; yield its endpoint."""
    # Late, since a copy of the tests may run where it is not installed.
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def new_bucket(endpoint: str, name: str = "") -> Bucket:
    """Make a bucket, by default of a name that is not used yet."""
    bucket = Bucket(name or f"test-{uuid.uuid4().hex[:12]}", endpoint)
    _client(endpoint).create_bucket(Bucket=bucket.name)
    return bucket


@functools.cache
def _client(endpoint: str):  # type: ignore[no-untyped-def]
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id="test",
        aws_secret_access_key="test-secret",
        region_name="us-east-1",
    )
