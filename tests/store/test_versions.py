"""Versions: numbered, created once, never changed, and found again."""

import json
import threading
from pathlib import Path

import msgspec
import pytest
from s3_server import Bucket
from small_manifest import MADE, RECORDS

import polyframe as pf
from polyframe.core.addresses import as_address
from polyframe.store import manifest_text
from polyframe.store.output import MANIFEST, Output, manifest_key, part_key
from polyframe.store.versions import (
    create_version,
    newest_manifest,
    read_manifest,
    recorded_manifest,
    table_parts,
    version_numbers,
)

OTHER = msgspec.structs.replace(MADE, versions=("4.1",))


def test_versions_are_numbered_and_never_changed(output: Output) -> None:
    assert version_numbers(output) == []
    assert newest_manifest(output) is None
    assert recorded_manifest(output) == {}
    first = create_version(output, MADE, None)
    assert (first.number, first.has_tables_of(MADE)) == (1, True)
    content = output.objects.read(manifest_key(1))
    second = create_version(output, OTHER, first)
    assert second.number == 2
    assert version_numbers(output) == [1, 2]
    assert output.objects.read(manifest_key(1)) == content
    assert read_manifest(output) == newest_manifest(output) == second
    assert read_manifest(output, 1) == first
    assert recorded_manifest(output)["versions"] == ["4.1"]
    assert json.loads(content)["finished_at"] == first.finished_at


def test_the_same_tables_are_not_published_again(output: Output) -> None:
    first = create_version(output, MADE, None)
    assert create_version(output, MADE, first) is first
    assert version_numbers(output) == [1]


def test_an_unknown_version_is_named(output: Output) -> None:
    first = create_version(output, MADE, None)
    message = f"{output}: has no version 7; it has version 1, see `polyframe status {output} --versions`"
    with pytest.raises(pf.PolyframeError) as caught:
        read_manifest(output, 7)
    assert str(caught.value) == message
    create_version(output, OTHER, first)
    with pytest.raises(pf.PolyframeError, match="has no version 0; it has versions 1 to 2"):
        read_manifest(output, 0)
    for wrong in ("1", 1.0, True):
        with pytest.raises(pf.UsageError, match="version: expected the number of a version, got"):
            read_manifest(output, wrong)  # type: ignore[arg-type]


def test_of_two_runs_the_first_publishes(output: Output) -> None:
    first = create_version(output, MADE, None)
    second = create_version(output, OTHER, first)
    late = msgspec.structs.replace(MADE, versions=("5.1",))
    with pytest.raises(pf.PolyframeError) as caught:
        create_version(output, late, first)
    assert str(caught.value) == (
        f"{output}: a run on {second.host} published version 2 at {second.finished_at}, before this one; run "
        "again: the finished parts are reused"
    )
    assert read_manifest(output) == second


def test_of_many_runs_at_once_one_publishes_each_version(output: Output) -> None:
    """Eight writers try to publish versions; each version is one of theirs."""
    barrier, published, errors = threading.Barrier(8), [], []

    def publish(writer: int) -> None:
        mine = msgspec.structs.replace(MADE, versions=(f"{writer}.1",))
        for _ in range(3):
            barrier.wait(30)
            before = newest_manifest(output)
            barrier.wait(30)
            try:
                published.append(create_version(output, mine, before))
            except pf.PolyframeError as error:
                errors.append(str(error))

    writers = [threading.Thread(target=publish, args=(writer,)) for writer in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert all("before this one; run again" in error for error in errors)
    new = {manifest.number: manifest for manifest in published}
    assert sorted(new) == version_numbers(output) == list(range(1, len(new) + 1))
    assert len(new) == 3
    assert all(read_manifest(output, number) == manifest for number, manifest in new.items())


def test_shards_are_shared_by_versions(output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest_text, "PARTITIONS_PER_SHARD", 1)
    first = create_version(output, MADE, None)
    assert len(output.objects.entries("shards/")) == 2
    second = create_version(output, OTHER, first)
    assert len(output.objects.entries("shards/")) == 2
    assert [read_manifest(output, number) for number in (1, 2)] == [first, second]
    output.objects.remove(list(output.objects.entries("shards/"))[:1])
    with pytest.raises(pf.PolyframeError, match=r"00000002\.json: .* is missing; run `polyframe run` again"):
        read_manifest(output)


def test_a_damaged_manifest_is_no_version_to_start_from(output: Output) -> None:
    """The next version has the next number, since the file may not be replaced."""
    create_version(output, MADE, None)
    output.objects.remove([manifest_key(1)])
    output.objects.create(manifest_key(1), b"{")
    assert newest_manifest(output) is None
    assert recorded_manifest(output) == {}
    assert create_version(output, MADE, None).number == 2
    with pytest.raises(pf.PolyframeError, match="published version 2"):
        create_version(output, OTHER, None)


def test_parts_are_found_by_what_they_were_made_from(output: Output) -> None:
    manifest = create_version(output, MADE, None)
    parts = table_parts(output, manifest, "labels")
    assert {name: part.key for name, part in parts.items()} == {
        record.name: part_key("labels", record.name, record.stages["reduce"]) for record in RECORDS
    }
    assert list(table_parts(output, manifest, "volunteers")) == ["00000"]
    assert table_parts(output, manifest, "contours") == {}


def test_without_a_version(tmp_path: Path, bucket: Bucket) -> None:
    with pytest.raises(pf.PolyframeError, match="no such directory"):
        read_manifest(Output(tmp_path / "missing"))
    with pytest.raises(
        pf.PolyframeError, match=r"not a polyframe output directory \(polyframe\.json is missing\)"
    ):
        read_manifest(Output(tmp_path))
    address = as_address(f"{bucket.url}/out", bucket.options)
    assert address is not None
    with pytest.raises(pf.PolyframeError) as caught:
        read_manifest(Output(address))
    url = f"{bucket.url}/out"
    assert str(caught.value) == (
        f"{url}: contains no tables; make them with `polyframe run CLASSIFICATIONS -o {url}`"
    )


def test_a_failed_write_publishes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = Output(tmp_path / "out")
    first = create_version(output, MADE, None)

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.link", refuse)
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(pf.PolyframeError, match=r"00000002\.json: cannot be written \(No space left"):
        create_version(output, OTHER, first)
    assert read_manifest(output) == first
    manifests = tmp_path / "out" / ".polyframe" / "manifests"
    assert [entry.name for entry in manifests.iterdir()] == ["00000001.json"]


def test_an_output_of_an_earlier_release_is_version_0(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_bytes(manifest_text.manifest_text(MADE).text)
    output = Output(tmp_path)
    assert version_numbers(output) == [0]
    assert read_manifest(output) == read_manifest(output, 0) == MADE
    assert create_version(output, MADE, read_manifest(output)).number == 1


def test_a_version_is_never_published_below_the_newest(tmp_path: Path) -> None:
    """Others published two versions, and a vacuum removed the one with the number of this one."""
    output = Output(tmp_path / "out")
    first = create_version(output, MADE, None)
    second = create_version(output, msgspec.structs.replace(first, sources=("b.csv",)), first)
    third = create_version(output, msgspec.structs.replace(first, sources=("c.csv",)), second)
    output.objects.remove([manifest_key(first.number), manifest_key(second.number)])
    with pytest.raises(pf.PolyframeError, match=f"published version {third.number} at .* before this one"):
        create_version(output, msgspec.structs.replace(first, sources=("d.csv",)), first)
    assert version_numbers(output) == [third.number]
