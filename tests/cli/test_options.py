"""Options that several commands share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from exports import ROOT, Done
from s3_server import Bucket

from polyframe.cli.app import cli
from polyframe.cli.parameter_types import GOLD_OUTLINES, PATH_OR_ADDRESS, PLACE

Call = Callable[..., Done]


def commands_with_addresses() -> Iterator[str]:
    """Yield the commands of which an argument or option may be an address."""
    assert isinstance(cli, click.Group)
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        if any(parameter.type in (GOLD_OUTLINES, PATH_OR_ADDRESS, PLACE) for parameter in command.params):
            yield name


@pytest.mark.parametrize("name", [*commands_with_addresses()])
def test_every_command_with_an_address_has_options_of_stores(name: str, polyframe: Call) -> None:
    done = polyframe(name, "--storage-option", "aws_secret_access_key=top-secret")
    assert done.code == 2
    assert "aws_secret_access_key is secret; set the environment variable AWS_SECRET_ACCESS_KEY" in done.err
    assert "top-secret" not in done.err
    done = polyframe(name, "--storage-option", "proxy_url=http://me:top-secret@host")
    assert "proxy_url may contain a password; set the environment variable HTTPS_PROXY" in done.err
    assert "top-secret" not in done.err
    assert "'x' is not NAME=VALUE" in polyframe(name, "--storage-option", "x").err


def test_options_of_stores_are_for_all_addresses(
    bucket: Bucket, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("classifications.csv", "config.yaml", "expert.geojson"):
        bucket.write(f"in/{name}", (ROOT / "data" / name).read_bytes())
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        monkeypatch.setenv(name.upper(), bucket.options[name])
    options = [
        word
        for name in ("aws_endpoint_url", "aws_region", "aws_allow_http")
        for word in ("--storage-option", f"{name}={bucket.options[name]}")
    ]
    config, out = f"{bucket.url}/in/config.yaml", f"{bucket.url}/out"
    bucket.write("in/names.txt", b"nobody\n")
    options += ["--exclude-volunteers", f"{bucket.url}/in/names.txt"]
    made = polyframe("run", *options, f"{bucket.url}/in/*.csv", "-c", config, "-o", out, "--no-contours")
    assert made.code == 0, made.err
    assert "there is no classification by nobody" in made.err
    scored = polyframe("score", out, "--gold", f"{bucket.url}/in/expert.geojson", *options[:-2])
    assert scored.code == 0, scored.err
    assert "18 gold outlines" in scored.err
