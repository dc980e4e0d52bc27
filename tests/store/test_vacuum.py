"""`vacuum` removes versions that were replaced long ago, and parts that no other version has."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from exports import Done
from run_processes import small_export
from s3_server import Bucket
from stores import all_files, copied, manifest_file, published, unneeded, versions

import polyframe as pf
from polyframe.core.local_paths import place_of
from polyframe.store import vacuum
from polyframe.store.lock import exclusive
from polyframe.store.output import STORE, WORK, Output
from polyframe.store.versions import version_numbers

Call = Callable[..., Done]
EPS = (0.5, 0.2, 0.3)
DAY = 24 * 3600


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return small_export(tmp_path / "export.csv", 1)


@pytest.fixture(scope="module")
def three_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions, published 20, 10 and 0 days ago."""
    folder = tmp_path_factory.mktemp("versions")
    small, out = small_export(folder / "export.csv", 1), folder / "out"
    for number, eps in enumerate(EPS, 1):
        pf.run(small, out, eps=eps, engine="shapely", jobs=1, keep_versions=3)
        assert versions(out)[-1] == number
    for age, number in ((20, 1), (10, 2)):
        then = time.time() - age * DAY
        os.utime(out / STORE / "manifests" / f"{number:08d}.json", (then, then))
    return out


@pytest.fixture
def out(three_versions: Path, tmp_path: Path) -> Path:
    return copied(three_versions, tmp_path / "out")


@pytest.mark.parametrize(
    ("keep", "kept"),
    [("30d", [1, 2, 3]), ("11d", [1, 2, 3]), ("9d", [2, 3]), ("1h", [2, 3]), ("0d", [3])],
)
def test_versions_that_were_the_newest_within_a_time_stay(keep: str, kept: list[int], out: Path) -> None:
    """The second version was published ten days ago, so the first one was the newest until then."""
    whole = published(out)
    removed = pf.vacuum(out, keep=keep)
    assert versions(out) == kept
    assert (removed.versions, removed.kept) == (3 - len(kept), len(kept))
    assert unneeded(out) == set()
    assert published(out) == whole
    assert pf.validate(out) == []
    for number in kept:
        assert pf.scan(out, "labels", version=number).collect().height == 5


def test_the_removed_parts_are_counted(out: Path, polyframe: Call) -> None:
    before = {name: len(content) for name, content in all_files(out / STORE / "parts").items()}
    removed = pf.vacuum(out, keep="0d")
    after = all_files(out / STORE / "parts")
    gone = {name: size for name, size in before.items() if name not in after}
    assert (removed.parts, removed.bytes) == (len(gone), sum(gone.values()))
    assert gone
    done = polyframe("vacuum", out, "--keep", "0d")
    assert done.code == 0
    assert "0 versions" in done.out
    assert "1 version kept" in done.out


def test_wrong_durations_and_places_are_one_line(out: Path, tmp_path: Path, polyframe: Call) -> None:
    for keep in ("", "d", "-1d", "3 apples"):
        done = polyframe("vacuum", out, "--keep", keep)
        assert (done.code, len(done.err.splitlines()[-1:])) == (2, 1)
        assert "keep" in done.err
    assert versions(out) == [1, 2, 3]
    done = polyframe("vacuum", tmp_path / "none")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "no such directory" in done.err
    assert not (tmp_path / "none").exists()


def test_a_run_in_progress_is_not_disturbed(out: Path) -> None:
    (out / WORK).mkdir()
    with (
        exclusive(out / WORK / "lock", out),
        pytest.raises(pf.PolyframeError, match="is working on it"),
    ):
        pf.vacuum(out, keep="0d")
    assert versions(out) == [1, 2, 3]


def test_parts_of_no_version_stay_for_a_week(out: Path) -> None:
    """They may be those of a run in progress on another computer, in a bucket."""
    part = out / STORE / "parts" / "labels" / "part=00000" / f"{'0' * 32}.parquet"
    part.write_bytes(b"part")
    pf.vacuum(out, keep="0d")
    assert part.exists()
    then = time.time() - 8 * DAY
    os.utime(part, (then, then))
    assert pf.vacuum(out).parts == 1
    assert not part.exists()


def test_a_version_that_cannot_be_read_keeps_its_parts(out: Path) -> None:
    """For example one of another release."""
    second = out / STORE / "manifests" / "00000002.json"
    content = second.read_bytes()
    second.write_bytes(b"{}")
    vacuum.remove_versions(Output(out), [1], grace=0)
    assert versions(out) == [2, 3]
    second.write_bytes(content)
    assert pf.scan(out, "labels", version=2).collect().height == 5
    second.write_bytes(b"{}")
    vacuum.remove_versions(Output(out), [2], grace=0)
    assert versions(out) == [3]
    assert unneeded(out) == set()


def test_a_damaged_newest_version_is_an_error(out: Path) -> None:
    manifest_file(out).write_text("{")
    with pytest.raises(pf.PolyframeError, match=r"00000003\.json"):
        pf.vacuum(out, keep="0d")
    assert versions(out) == [1, 2, 3]


def test_a_bucket_keeps_all_versions_until_they_are_removed(small: Path, bucket: Bucket) -> None:
    url = f"{bucket.url}/project"
    options: dict[str, Any] = {"storage_options": bucket.options}
    for eps in EPS:
        pf.run(small, url, eps=eps, engine="shapely", jobs=1, keep_versions=1, **options)
    status = pf.status(url, versions=True, **options)
    assert [version.number for version in status.published] == [1, 2, 3]
    before = bucket.keys()
    assert pf.vacuum(url, **options).versions == 0
    assert bucket.keys() == before
    # The server knows whole seconds.
    time.sleep(1.1)
    removed = pf.vacuum(url, keep="0s", grace="0s", **options)
    assert (removed.versions, removed.kept) == (2, 1)
    after = bucket.keys()
    gone = {key: size for key, size in before.items() if key not in after and "/parts/" in key}
    assert (removed.parts, removed.bytes) == (len(gone), sum(gone.values()))
    assert pf.validate(url, **options) == []
    assert version_numbers(Output(place_of(url, "output", bucket.options))) == [3]


def test_a_version_that_is_published_during_a_vacuum_keeps_the_parts_that_it_reuses(
    small: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"{bucket.url}/project"
    options: dict[str, Any] = {"storage_options": bucket.options}

    def run(eps: float) -> pf.Summary:
        return pf.run(small, url, eps=eps, engine="shapely", jobs=1, **options)

    run(0.5)
    run(0.2)
    keys_of, again = vacuum._keys_of, []

    def keys_after_a_run(output: Output, numbers: Any) -> Any:
        if not again:
            again.append(0.5)
            assert run(0.5).made == 0  # the parts of the first version are reused
        return keys_of(output, numbers)

    monkeypatch.setattr(vacuum, "_keys_of", keys_after_a_run)
    pf.vacuum(url, keep="0s", **options)
    assert pf.status(url, **options).number == 3
    assert pf.validate(url, **options) == []


def test_files_of_others_in_a_bucket_are_not_removed(small: Path, bucket: Bucket) -> None:
    url, options = f"{bucket.url}/project", {"storage_options": bucket.options}
    bucket.write("project/parts/catalog.csv", b"theirs")
    with pytest.raises(pf.PolyframeError, match=r"other files \(parts/catalog.csv\)"):
        pf.run(small, url, jobs=1, **options)
    bucket.delete("project/parts/catalog.csv")
    pf.run(small, url, jobs=1, **options)
    theirs = {f"project/{name}" for name in ("parts/catalog.csv", "rows/2019.csv", "shards/x.json", "a.txt")}
    for key in theirs:
        bucket.write(key, b"theirs")
    time.sleep(1.1)
    pf.vacuum(url, keep="0s", grace="0s", **options)
    assert theirs <= bucket.keys().keys()
