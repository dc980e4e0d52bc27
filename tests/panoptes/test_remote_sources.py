"""Exports at addresses give the same tables as local files, and errors of one line without secrets."""

import gzip
import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from exports import ROOT, Done
from s3_server import Bucket
from web_server import WebServer

import polyframe as pf

EXPORT = ROOT / "data" / "classifications.csv"
CONFIG = ROOT / "data" / "config.yaml"
CONTENT = EXPORT.read_bytes()
#: What must be in no message and no file.
SECRETS = ("sig-secret", "top-secret")


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return packed


def parquet(content: bytes) -> bytes:
    target = io.BytesIO()
    pl.read_csv(content, infer_schema=False).write_parquet(target)
    return target.getvalue()


def parts(out: Path) -> dict[str, str]:
    """Return a digest of each part file of an output directory."""
    return {
        str(file.relative_to(out)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(out.glob("*/*.parquet"))
    }


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The parts that the local file gives."""
    out = tmp_path_factory.mktemp("local") / "out"
    pf.run(EXPORT, out, CONFIG, say=print)
    return parts(out)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (CONTENT, ""),
        (gzip.compress(CONTENT), ""),
        (gzip.compress(CONTENT), "gzip"),
        (gzip.compress(gzip.compress(CONTENT)), "gzip"),
        (zstd(CONTENT), ""),
        (parquet(CONTENT), ""),
        (gzip.compress(parquet(CONTENT)), "gzip"),
        (CONTENT, "gzip"),
        (CONTENT, "aws-chunked"),
    ],
    ids=[
        "plain",
        "gzip",
        "gzip by the server",
        "gzip by both",
        "zstd",
        "parquet",
        "parquet with gzip by the server",
        "already decompressed",
        "an encoding of uploads",
    ],
)
def test_a_link_gives_the_same_tables_as_the_file(
    content: bytes, encoding: str, web: WebServer, tmp_path: Path, expected: dict[str, str]
) -> None:
    web.serve("/export", content, headers={"Content-Encoding": encoding} if encoding else {})
    pf.run(f"{web.url}/export?signature=sig-secret", tmp_path / "out", CONFIG, say=print)
    assert parts(tmp_path / "out") == expected


def test_a_new_signature_rebuilds_nothing_and_is_not_recorded(
    web: WebServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web.serve("/export.csv", CONTENT)
    web.serve("/other.csv", b"\n".join(CONTENT.splitlines()[:1]) + b"\n")
    out = tmp_path / "out"
    for number in range(2):
        links = [f"{web.url}/{name}.csv?X-Amz-Signature=sig-secret{number}" for name in ("export", "other")]
        summary = pf.run(links, out, CONFIG, say=print)
        assert summary.made == (1, 0)[number]
    recorded = b"".join(file.read_bytes() for file in out.rglob("*") if file.is_file())
    assert b"sig-secret" not in recorded
    assert pf.status(out).sources == ["export.csv", "other.csv"]
    assert "sig-secret" not in capsys.readouterr().out


def test_a_pattern_in_a_bucket_with_other_files(
    bucket: Bucket, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header, *rows = CONTENT.splitlines(keepends=True)
    for number in range(3):
        bucket.write(f"exports/{number}.csv.gz", gzip.compress(header + b"".join(rows[number:60:3])))
    web.serve("/c.csv", header + b"".join(rows[60:90]))
    local = tmp_path / "d.csv"
    local.write_bytes(header + b"".join(rows[90:]))
    several = [f"{bucket.url}/exports/*.csv.gz", f"{web.url}/c.csv", local.as_uri()]
    options = {"storage_options": bucket.options}
    extraction = pf.extract(several, CONFIG, say=print, **options)  # type: ignore[arg-type]
    alone = pf.extract(EXPORT, CONFIG, say=print)
    assert extraction.extractions.equals(alone.extractions)
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    summary = pf.extract(several, CONFIG, output=tmp_path / "out", say=print)
    assert summary.accounting.rows_read == len(rows)
    assert pf.status(tmp_path / "out").sources == ["0.csv.gz", "1.csv.gz", "2.csv.gz", "c.csv", "d.csv"]


def test_an_object_that_is_given_twice_is_read_once(bucket: Bucket, tmp_path: Path) -> None:
    bucket.write("a.csv", CONTENT)
    notes: list[str] = []
    pf.extract(
        [f"{bucket.url}/*.csv", f"{bucket.url}/a.csv"],
        CONFIG,
        say=notes.append,
        storage_options=bucket.options,
    )
    assert f"{bucket.url}/a.csv: given 2 times; read once" in notes


def test_links_that_differ_only_in_their_query_have_different_names(web: WebServer, tmp_path: Path) -> None:
    web.serve("/export", CONTENT)
    summary = pf.extract(
        [f"{web.url}/export?id=1", f"{web.url}/export?id=2"], CONFIG, output=tmp_path / "out", say=print
    )
    assert summary.accounting.rows_rejected == 100
    assert pf.status(tmp_path / "out").sources == ["export", "export (2)"]


@pytest.mark.parametrize(
    ("content", "details", "message"),
    [
        (b"", {}, "is empty; expected a classification export (CSV)"),
        (b"\n <!DOCTYPE html>\n<html>", {}, "is a web page (HTML), such as a login page; download"),
        (b"<HTML><body>", {}, "is a web page (HTML), such as a login page; download"),
        (b'<?xml version="1.0"?><Error>', {}, "is an XML document, such as an error message of a server"),
        (CONTENT, {"headers": {"Content-Encoding": "br"}}, "the server compresses it with br"),
        (CONTENT, {"statuses": [403]}, "access denied (403 Forbidden)"),
    ],
    ids=["empty", "login page", "page", "error", "unsupported compression", "refused"],
)
def test_what_is_no_export_is_an_error_of_one_line_without_secrets(
    content: bytes,
    details: dict[str, object],
    message: str,
    web: WebServer,
    tmp_path: Path,
    polyframe: Callable[..., Done],
) -> None:
    web.serve("/export.csv", content, **details)
    link = f"{web.url}/export.csv?signature=sig-secret".replace("://", "://me:top-secret@")
    done = polyframe("run", link, "-c", CONFIG, "-o", tmp_path / "out")
    *_, last = done.err.splitlines()
    assert last.startswith(f"polyframe: error: {web.url}/export.csv: {message}")
    assert done.code == 1
    assert not (tmp_path / "out").exists()
    assert not [secret for secret in SECRETS if secret in done.out + done.err]
