"""Readers see one version whatever runs publish meanwhile, and errors name the next step."""

import re
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from s3_server import Bucket
from stores import published, versions, without_store

import polyframe as pf
from polyframe.core.tables import TABLES
from polyframe.store import reading
from polyframe.store.objects import BucketObjects
from polyframe.store.reading import explain_damage, open_tables


def run(export: Path, out: object, eps: float = 0.5, **options: object) -> None:
    pf.run(export, out, eps=eps, engine="shapely", jobs=1, **options)  # type: ignore[arg-type]


@pytest.fixture
def out(small_export: Path, tmp_path: Path) -> Path:
    run(small_export, tmp_path / "out")
    return tmp_path / "out"


def test_opened_tables_stay_as_they_are(small_export: Path, out: Path) -> None:
    expected = pf.scan(out, "labels").collect()
    with open_tables(out) as tables:
        run(small_export, out, eps=0.1)
        assert tables.scan("labels").collect().equals(expected)
        assert [frame["labels"].height for frame in tables.partitions(labels=None)] == [expected.height]
    assert not pf.scan(out, "labels").collect().equals(expected)


def test_a_version_that_is_removed_meanwhile_is_an_error(small_export: Path, out: Path) -> None:
    message = f"{out}: runs replaced version 1 during the export; export it again"
    with pytest.raises(pf.PolyframeError, match=message), open_tables(out) as tables:  # noqa: PT012
        run(small_export, out, eps=0.1, keep_versions=1)
        list(tables.partitions(labels=None))


def test_a_damaged_version_that_is_there_is_said_to_be_damaged(out: Path) -> None:
    shutil.rmtree(out / ".polyframe" / "parts" / "labels")
    with pytest.raises(pf.PolyframeError, match="is missing or damaged"), open_tables(out) as tables:
        list(tables.partitions(labels=None))


@pytest.mark.parametrize("most_open", [200, 0])
def test_a_scan_is_the_table_at_the_time_of_the_call(
    most_open: int, small_export: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if the version is removed; of very many parts only while it is kept."""
    monkeypatch.setattr(reading, "_MOST_OPEN", most_open)
    lazy, expected = pf.scan(out, "labels"), pf.scan(out, "labels").collect()
    run(small_export, out, eps=0.1)
    assert lazy.collect().equals(expected)
    if most_open:
        run(small_export, out, eps=0.3)
        run(small_export, out, eps=0.4)
        assert 1 not in versions(out)
        assert lazy.collect().equals(expected)


def test_older_versions_can_be_read(small_export: Path, out: Path) -> None:
    first = {table: pf.scan(out, table).collect() for table in TABLES}
    run(small_export, out, eps=0.1)
    for table in TABLES:
        assert pf.scan(out, table, version=1).collect().equals(first[table]), table
        assert pf.scan(out, table, version=2).collect().equals(pf.scan(out, table).collect()), table
    assert not pf.scan(out, "labels").collect().equals(first["labels"])
    with pytest.raises(pf.PolyframeError, match="has no version 3; it has versions 1 to 2"):
        pf.scan(out, "labels", version=3)


def test_a_scan_of_a_version_that_a_run_removes_takes_the_newer_one(
    small_export: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = reading.read_manifest, []

    def read_and_lose(*arguments: object) -> object:
        manifest = read(*arguments)  # type: ignore[arg-type]
        if not calls:
            calls.append(manifest)
            run(small_export, out, eps=0.1, keep_versions=1)
        return manifest

    monkeypatch.setattr(reading, "read_manifest", read_and_lose)
    labels = pf.scan(out, "labels").collect()
    monkeypatch.undo()
    assert versions(out) == [2]
    assert labels.equals(pf.scan(out, "labels").collect())


def test_tables_in_a_bucket_are_those_of_the_disk(small_export: Path, out: Path, bucket: Bucket) -> None:
    url = f"{bucket.url}/project"
    run(small_export, url, storage_options=bucket.options)
    for table in TABLES:
        expected = pf.scan(out, table).collect()
        assert pf.scan(url, table, storage_options=bucket.options).collect().equals(expected), table
    lazy, expected = pf.scan(url, "labels", storage_options=bucket.options), pf.scan(out, "labels").collect()
    run(small_export, url, eps=0.1, storage_options=bucket.options)
    assert lazy.collect().equals(expected)
    old = pf.scan(url, "labels", version=1, storage_options=bucket.options).collect()
    assert old.equals(expected)


def test_a_table_in_a_bucket_is_opened_without_reading_whole_parts(
    small_export: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{bucket.url}/project"
    run(small_export, url, storage_options=bucket.options)
    refuse_whole_parts(monkeypatch)
    rows = pf.scan(url, "labels", storage_options=bucket.options).select(pl.len()).collect().item()
    assert rows > 0


def test_a_run_after_one_that_died_reads_only_footers(
    small_export: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{bucket.url}/project"
    run(small_export, url, storage_options=bucket.options)
    before = bucket.keys()
    [manifest] = [key for key in before if "/manifests/" in key]
    bucket.delete(manifest)
    writing = BucketObjects.writing

    def write(objects: BucketObjects, key: str) -> Any:
        # The tables that are merged from all partitions are written again.
        assert key.startswith("parts/volunteers/"), key
        return writing(objects, key)

    refuse_whole_parts(monkeypatch)
    monkeypatch.setattr(BucketObjects, "writing", write)
    run(small_export, url, storage_options=bucket.options)
    assert bucket.keys().keys() == before.keys()


def refuse_whole_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every read of a whole part in a bucket fail, but of sums that each run adds up."""
    read = BucketObjects.read

    def refuse(objects: BucketObjects, key: str) -> bytes:
        assert ".volunteer_sums" in key or not key.endswith(".parquet"), key
        return read(objects, key)

    monkeypatch.setattr(BucketObjects, "read", refuse)


def test_an_output_of_an_earlier_release_is_read(out: Path) -> None:
    expected = {table: pf.scan(out, table).collect() for table in TABLES}
    without_store(out)
    before = published(out)
    for table in TABLES:
        assert pf.scan(out, table).collect().equals(expected[table]), table
    with open_tables(out) as tables:
        assert next(tables.partitions(labels=None))["labels"].equals(expected["labels"])
    assert published(out) == before


def test_a_run_that_changes_an_output_of_an_earlier_release_is_noticed(small_export: Path, out: Path) -> None:
    """Its parts are in the folders that the run replaces."""
    without_store(out)
    message = f"{out}: runs replaced version 0 during the export; export it again"
    with pytest.raises(pf.PolyframeError, match=message), open_tables(out):
        run(small_export, out, eps=0.1)


def test_scan_suggests_tables_and_names_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(pf.UsageError, match="did you mean 'contours'"):
        pf.scan(tmp_path, "contour")
    for name in TABLES:
        with pytest.raises(pf.PolyframeError, match="name the directory that `polyframe run` wrote"):
            pf.scan(tmp_path, name)
        with pytest.raises(pf.PolyframeError, match="none: no such directory; make it with `polyframe run"):
            pf.scan(tmp_path / "none", name)


def test_the_error_for_a_missing_table_names_its_command(small_export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.run(small_export, out, contours=False, engine="shapely", jobs=1)
    with pytest.raises(
        pf.PolyframeError, match=f"has no table 'contours'; make it with `polyframe contours {out}`"
    ):
        pf.scan(out, "contours")


def test_damage_is_explained_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "part.parquet").write_text("text")
    line = rf"{tmp_path}: cannot be read \(.+\); see `polyframe validate {tmp_path}`"
    with pytest.raises(pf.PolyframeError) as caught, explain_damage(tmp_path):
        pl.read_parquet(tmp_path / "part.parquet")
    assert re.fullmatch(line, str(caught.value))
    with pytest.raises(pf.PolyframeError, match=r"\(OSError\)"), explain_damage(tmp_path):
        raise OSError
