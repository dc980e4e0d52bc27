"""Runs on a real Dask cluster: a scheduler and two workers as processes of this machine.

It has Dask's default settings, with which a task that killed its worker is sent to three more.
"""

import contextlib
import gzip
import io
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from dask_cluster import DaskCluster, dask_cluster, process_id
from exports import Done
from run_processes import (
    ENGINE,
    PARTITION_BYTES,
    error_line,
    outcome,
    part_files,
    small_export,
    start,
    wait_for,
)
from s3_server import Bucket
from stores import leftovers

import polyframe as pf
from polyframe.core.clusters import parse_cluster
from polyframe.panoptes.classifications import scan_export
from polyframe.pipeline import plan, rows_on_workers, sort_export
from polyframe.pipeline.executors import agreement, dask_executor, patience
from polyframe.pipeline.executors.executor import WorkerLost
from polyframe.pipeline.sorted_rows import SortedRows

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export with eleven partitions of two subjects."""
    return small_export(tmp_path_factory.mktemp("export") / "export.csv", 22)


@pytest.fixture(scope="module")
def expected(export: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("expected") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_MEGABYTE", 2 * PARTITION_BYTES)
        pf.run(export, out, engine="shapely", jobs=1)
    assert len(list((out / "labels").iterdir())) == 11
    return part_files(out)


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_MEGABYTE", 2 * PARTITION_BYTES)


def run(export: Path, out: Path, cluster: Any, **options: Any) -> tuple[pf.Summary, list[str]]:
    notes: list[str] = []
    summary = pf.run(export, out, engine="shapely", cluster=cluster, say=notes.append, **options)
    return summary, notes


def connected(cluster: DaskCluster) -> contextlib.AbstractContextManager[Any]:
    """Return a client of the cluster; it is closed at the end."""
    import distributed  # not when the tests are collected, since it needs modules that not every system has

    address = cluster.address.replace("dask://", "tcp://")
    return distributed.Client(address, set_as_default=False)


def is_finished(out: Path, partition: str) -> bool:
    return any(out.glob(f".polyframe/parts/contours/part={partition}/*.parquet"))


def test_a_worker_that_is_killed_once(
    cluster: DaskCluster, export: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    """It dies in the third partition, which is tried again, and so is one that waited for this worker."""
    once = tmp_path / "once"
    once.mkdir()
    with cluster.faults(kill_worker=["00002"], once=str(once)):
        summary, _ = run(export, tmp_path / "out", cluster.address)
    assert [path.name for path in once.iterdir()] == ["00002"]
    assert summary.made == 11
    assert part_files(tmp_path / "out") == expected


def test_a_partition_of_which_only_pieces_can_be_processed(
    cluster: DaskCluster, export: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    deaths = tmp_path / "deaths"
    with cluster.faults(kill_worker=["00004"], deaths=str(deaths)):
        summary, notes = run(export, tmp_path / "out", cluster.address)
    assert deaths.read_text().split() == ["00004", "00004"]
    # Only the task that ran on the worker is a suspect, not those that waited for it.
    assert sum(note.startswith("a worker died") for note in notes) == 1
    assert any("splitting partition 00004 (subjects from 9 to before 11) into 2" in note for note in notes)
    assert summary.made == 11
    assert part_files(tmp_path / "out") == expected


def test_a_subject_that_always_kills_its_worker(
    cluster: DaskCluster, export: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    deaths = tmp_path / "deaths"
    with (
        cluster.faults(kill_worker=["00004", "00004-01"], deaths=str(deaths)),
        pytest.raises(pf.PolyframeError) as raised,
    ):
        run(export, out, cluster.address)
    assert deaths.read_text().split() == ["00004", "00004", "00004-01"]
    assert "partition 00004-01 (subjects from 10 to before 11): its worker died every time" in str(
        raised.value
    )
    assert raised.value.__notes__ == [
        "10 of 11 partitions are finished and kept; run the same command to continue"
    ]
    assert leftovers(out) == []
    # A client of the caller does the rest, and stays open.
    with connected(cluster) as client:
        summary, _ = run(export, out, client)
        assert summary.made == 1
        assert part_files(out) == expected
        assert client.status == "running"
        two, one = (pf.tune(out, eps="0.3,0.5", cluster=c, jobs=1) for c in (client, None))
        assert two.equals(one)
        assert client.futures == {}


def test_a_result_that_is_lost_with_its_worker(cluster: DaskCluster) -> None:
    """It was finished but not fetched: another worker computes it again, or the caller does so."""
    nothing_to_check = agreement.Agreement(())
    with dask_executor.connect(parse_cluster(cluster.address), 0, nothing_to_check) as executor:
        future = executor.submit(process_id, None, "lost")
        for _ in executor.as_completed():
            pass
        workers = executor._client.run(os.getpid)
        (holder,) = {address for addresses in executor._client.who_has().values() for address in addresses}
        os.kill(workers[holder], signal.SIGKILL)
        wait_for(lambda: holder not in executor._client.scheduler_info(n_workers=-1)["workers"])
        with contextlib.suppress(WorkerLost):
            assert future.result() != workers[holder]


def test_other_stages(cluster: DaskCluster, export: Path, expected: dict[str, bytes], tmp_path: Path) -> None:
    """Relative paths, which mean something else in the folder of a worker."""
    with contextlib.chdir(tmp_path):
        pf.extract(export, output="out", engine="shapely", cluster=cluster.address)
        pf.reduce("out", output="out", engine="shapely", cluster=cluster.address)
        pf.contours("out", output="out", engine="shapely", cluster=cluster.address)
    assert part_files(tmp_path / "out") == expected


@pytest.mark.parametrize("options", [{}, {"filter": "last", "tool": 0}])
def test_a_large_export_is_counted_and_sorted_on_the_workers(
    options: dict[str, Any],
    cluster: DaskCluster,
    export: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pf.run(export, tmp_path / "expected", engine="shapely", jobs=1, **options)
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    for here in ("take_census", "shuffle"):
        module = scan_export if here == "take_census" else sort_export
        monkeypatch.setattr(module, here, lambda *_: pytest.fail("this process reads the rows"))
    out = tmp_path / "out"
    summary, _ = run(export, out, cluster.address, **options)
    assert summary.made == summary.partitions == 11
    assert part_files(out) == part_files(tmp_path / "expected")
    assert leftovers(out) == []
    # The hashes of the rows are those that a single process computes.
    assert run(export, out, cluster.address, **options)[0].made == 0


def test_an_export_with_many_pieces_is_sorted_in_two_levels(
    cluster: DaskCluster,
    export: Path,
    expected: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In each level a worker dies once."""
    sorted_rows = sorted_in_two_levels(monkeypatch)
    once = tmp_path / "once"
    once.mkdir()
    with cluster.faults(kill_sorter=["first", "second"], once=str(once)):
        summary, _ = run(export, tmp_path / "out", cluster.address)
    assert sorted(path.name for path in once.iterdir()) == ["first", "second"]
    first, second = sorted_rows
    assert len(first.names) > len(second.names) == 3
    assert second.ranges.tolist() == list(range(11))
    assert summary.made == 11
    assert part_files(tmp_path / "out") == expected
    assert leftovers(tmp_path / "out") == []


def sorted_in_two_levels(monkeypatch: pytest.MonkeyPatch) -> list[SortedRows]:
    """Sort small exports as large ones; return a list that receives the rows after each level."""
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    monkeypatch.setattr(sort_export, "MOST_PIECES_BETWEEN_MACHINES", 10)
    sorted_rows: list[SortedRows] = []
    original = sort_export.sort_super_partitions

    def record(rows: SortedRows, *others: Any) -> SortedRows:
        sorted_rows.extend([rows, original(rows, *others)])
        return sorted_rows[-1]

    monkeypatch.setattr(sort_export, "sort_super_partitions", record)
    return sorted_rows


def test_ctrl_c_cancels_what_waits(
    cluster: DaskCluster, export: Path, expected: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("run", export, "-o", out, *ENGINE, "--cluster", cluster.address)
    with connected(cluster) as client:

        def waiting() -> int:
            keys = client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))
            return sum(key.startswith("polyframe-") for key in keys)

        with cluster.faults(pause={"00003": 5, "00004": 5}):
            process = start(*arguments, partition_bytes=2 * PARTITION_BYTES)
            wait_for(lambda: is_finished(out, "00002"))
            assert waiting() > 0
            process.send_signal(signal.SIGINT)
            code, errors = outcome(process)
        assert code == 130
        assert error_line(errors).endswith("run the same command to continue")
        assert wait_for(lambda: waiting() == 0)
        # The two that ran until then write their parts, which the next run replaces or uses.
        wait_for(lambda: not any(client.processing().values()))
    run(export, out, cluster.address)
    assert part_files(out) == expected


def test_workers_with_other_versions(
    cluster: DaskCluster, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = agreement._versions()
    other = tuple((name, "0.1" if name == "polars" else version) for name, version in own)
    monkeypatch.setattr(agreement, "_versions", lambda: other)
    with pytest.raises(pf.PolyframeError) as raised:
        run(export, tmp_path / "out", cluster.address)
    assert re.fullmatch(
        rf"worker process \d+ on \S+ has polars {re.escape(dict(own)['polars'])}, but this process has 0\.1; "
        "install the same versions on all machines",
        str(raised.value),
    )


def test_workers_without_the_secret(
    cluster: DaskCluster, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYFRAME_VOLUNTEERS_KEY", "a secret of the driver")
    with pytest.raises(pf.PolyframeError, match="variable POLYFRAME_VOLUNTEERS_KEY is missing") as raised:
        run(export, tmp_path / "out", cluster.address, volunteers="hash")
    assert "a secret of the driver" not in str(raised.value)


def test_workers_that_do_not_see_the_output(
    cluster: DaskCluster, export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another file system of the same path is as good as none: it has another lock, or none."""
    original = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: original(path) + b"of this machine")
    with pytest.raises(pf.PolyframeError, match=r"does not see the files in .*; name a directory that all"):
        run(export, tmp_path / "out", cluster.address)


def hidden(folder: Path) -> list[str]:
    """Return the beginning of a command that sees an empty folder in place of this one."""
    mount = f'mount -t tmpfs tmpfs "{folder}" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount, "sh"]
    if shutil.which("unshare") is None or subprocess.run([*command, "true"], capture_output=True).returncode:
        pytest.skip("no other file system can be mounted here (needs root and unshare)")
    return command


def test_workers_that_see_only_a_bucket(
    export: Path, expected: dict[str, bytes], bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The export, its sorted rows and all temporary files are in a folder that is empty for the workers.

    They see another export, which they sort in two levels.
    """
    own, folder, once = (tmp_path / name for name in ("own", "cluster", "once"))
    for new in (own, folder, once):
        new.mkdir()
    shutil.copy(export, own / "export.csv")
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    # The process has the credentials from its arguments, the workers from their environment.
    with (
        dask_cluster(folder, environment=bucket.environment, before=hidden(own)) as cluster,
        cluster.faults(kill_worker=["00002", "00005"], kill_sorter=["first", "second"], once=str(once)),
    ):
        out, notes = f"{bucket.url}/project", list[str]()
        summary = pf.run(
            own / "export.csv",
            out,
            engine="shapely",
            cluster=cluster.address,
            storage_options=bucket.options,
            say=notes.append,
        )
        assert summary.made == 11
        (note,) = (note for note in notes if "do not see" in note)
        assert note == f"the workers do not see {own / 'export.csv'}, so its rows are sorted by this process"
        assert sorted(path.name for path in once.iterdir()) == ["00002", "00005"]
        stored = {
            name.removeprefix(".polyframe/"): content
            for name, content in expected.items()
            if name.startswith(".polyframe/")
        }
        assert parts_in(bucket, "project/") == stored
        sorted_rows = sorted_in_two_levels(monkeypatch)
        again = {"output": f"{bucket.url}/again", "storage_options": bucket.options}
        pf.extract(export, **again, engine="shapely", cluster=cluster.address)
        assert {"first", "second"} < {path.name for path in once.iterdir()}
        assert len(sorted_rows) == 2
        extracted = parts_in(bucket, "again/")
        assert len(extracted) == 33
        assert extracted.items() < stored.items()
        with pytest.raises(pf.PolyframeError, match="does not see the files in"):
            pf.run(own / "export.csv", own / "out", engine="shapely", cluster=cluster.address)


def in_forms(export: Path) -> dict[str, bytes]:
    """Return the files of an export in several formats: one that is cut, compressed ones, and Parquet."""
    header, *rows = export.read_bytes().splitlines(keepends=True)
    parts = [header + b"".join(rows[start::6]) for start in range(6)]
    parquet = io.BytesIO()
    frame = pl.read_csv(io.BytesIO(parts[5]), schema_overrides={"workflow_version": pl.String})
    frame.write_parquet(parquet)
    return {
        "a.csv": parts[0] + b"".join(rows[1::6]),
        **{f"{number}.csv.gz": gzip.compress(parts[number]) for number in (2, 3, 4)},
        "z.parquet": parquet.getvalue(),
    }


def test_workers_read_an_export_that_this_process_does_not_download(
    export: Path, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workers see the export in the bucket, or in a folder, but no folder of this process."""
    own, folder, shared = (tmp_path / name for name in ("own", "cluster", "shared"))
    for new in (own, folder, shared):
        new.mkdir()
    files = in_forms(export)
    # A row that is rejected: its detail names the file and the row.
    files["3.csv.gz"] = gzip.compress(gzip.decompress(files["3.csv.gz"]).replace(b"\n100", b"\nx", 1))
    for name, content in files.items():
        (shared / name).write_bytes(content)
        bucket.write(f"exports/{name}", content)
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    options: dict[str, Any] = {"engine": "shapely", "storage_options": bucket.options}

    def run_from(place: str, out: Path | str, **more: Any) -> list[str]:
        notes: list[str] = []
        sources = [f"{place}/a.csv", f"{place}/*.csv.gz", f"{place}/z.parquet"]
        summary = pf.run(sources, out, say=notes.append, **options, **more)
        assert summary.accounting.rows_rejected == 1
        return [note for note in notes if not note.startswith("downloading ")]

    expected_notes = run_from(str(shared), tmp_path / "expected", jobs=1)
    stored = tmp_path / "expected" / ".polyframe"
    expected = {str(path.relative_to(stored)): path.read_bytes() for path in stored.rglob("*.parquet")}
    with dask_cluster(folder, environment=bucket.environment, before=hidden(own)) as cluster:
        for here in ("take_census", "shuffle"):
            module = scan_export if here == "take_census" else sort_export
            monkeypatch.setattr(module, here, lambda *_: pytest.fail("this process reads the rows"))
        for number, place in enumerate((f"{bucket.url}/exports", str(shared))):
            notes = run_from(place, f"{bucket.url}/project-{number}", cluster=cluster.address)
            assert notes == expected_notes
            prefix = f"project-{number}/"
            keys = [key for key in list(bucket.keys()) if key.startswith(f"{prefix}parts/")]
            assert {key.removeprefix(prefix): bucket.read(key) for key in keys} == expected
    (reject,) = pl.read_parquet(tmp_path / "expected" / "rejects")["detail"]
    assert reject.startswith("3.csv.gz row 1: classification_id x")


def parts_in(bucket: Bucket, prefix: str) -> dict[str, bytes]:
    """Return all that an output contains besides its manifest."""
    objects = {
        key.removeprefix(prefix): bucket.read(key) for key in list(bucket.keys()) if key.startswith(prefix)
    }
    del objects["manifests/00000001.json"]
    return objects


def test_a_cluster_without_workers(
    export: Path, tmp_path: Path, polyframe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_LONGEST_WITHOUT_WORKERS", 0.1)
    folder = tmp_path / "cluster"
    folder.mkdir()
    with dask_cluster(folder, workers=0) as cluster:
        done: Done = polyframe("run", export, "-o", tmp_path / "out", "--cluster", cluster.address)
    assert done.code == 1
    assert error_line(done.err) == (
        f"polyframe: error: {cluster.address}: has had no worker for 0 seconds; start some, then run the "
        "command again"
    )


def test_a_scheduler_that_vanishes(export: Path, tmp_path: Path) -> None:
    folder, out = tmp_path / "cluster", tmp_path / "out"
    folder.mkdir()
    with dask_cluster(folder, workers=1) as cluster, cluster.faults(pause={"00001": 60}):
        address = cluster.address
        process = start(
            "run", export, "-o", out, *ENGINE, "--cluster", address, partition_bytes=2 * PARTITION_BYTES
        )
        wait_for(lambda: is_finished(out, "00000"))
        os.killpg(cluster.scheduler.pid, signal.SIGKILL)
        code, errors = outcome(process)
    assert code == 1
    lost = "lost the connection to the scheduler; check that it is running"
    assert error_line(errors).startswith(f"polyframe: error: {address}: {lost}")


def test_an_address_where_nothing_listens(export: Path, tmp_path: Path) -> None:
    with pytest.raises(pf.PolyframeError, match=r"^dask://127\.0\.0\.1:9: no Dask scheduler answers \("):
        run(export, tmp_path / "out", "dask://127.0.0.1:9")
    assert not (tmp_path / "out").exists()
