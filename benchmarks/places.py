"""Name outputs on a local disk, in memory or on an S3 server of this computer, and read what is in them."""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from polyframe.core.local_paths import place_of
from polyframe.store.output import Output
from polyframe.store.stages import tables_of_stages
from polyframe.store.versions import newest_manifest, table_parts

KINDS = ("local", "memory", "s3")


@contextlib.contextmanager
def outputs(kind: str, folder: Path) -> Iterator[Callable[[str], Any]]:
    """Yield a function that returns the place of an output of a name; an S3 server runs meanwhile.

    Processes that are started in the body find the server by their environment.
    """
    if kind == "s3":
        with _bucket() as url:
            yield lambda name: f"{url}/{name.replace(' ', '-')}"
    elif kind == "memory":
        number = uuid.uuid4().hex[:8]
        yield lambda name: f"memory://{name.replace(' ', '-')}-{number}"
    else:
        yield lambda name: folder / name


def parts_of(place: Any) -> dict[str, bytes]:
    """Return the content of all parts of the newest version, by table and partition; empty without one."""
    output = Output(place_of(place, "place"))
    manifest = newest_manifest(output)
    if manifest is None:
        return {}
    return {
        f"{table}/{partition}": part.objects.read(part.key)
        for table in tables_of_stages(manifest.stages)
        for partition, part in table_parts(output, manifest, table).items()
    }


@contextlib.contextmanager
def _bucket() -> Iterator[str]:
    import logging

    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        endpoint, name = f"http://{host}:{port}", f"benchmark-{uuid.uuid4().hex[:8]}"
        variables = {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
        }
        os.environ |= variables
        boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket=name)
        yield f"s3://{name}"
    finally:
        server.stop()
