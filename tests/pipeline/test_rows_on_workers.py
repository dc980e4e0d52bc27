"""Counting and sorting the rows of an export on workers that die, or that cannot do it."""

import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from exports import drawing, export_row, export_text, square
from losing_executor import Future, LosingExecutor
from polars.testing import assert_frame_equal
from run_processes import small_export
from s3_server import Bucket
from sorted_cases import all_ranges, files_in
from web_server import WebServer

import polyframe as pf
from polyframe.core import downloads, object_stores
from polyframe.core.addresses import as_address
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications.census import take_census
from polyframe.panoptes.classifications.export_files import describe_files, why_not_readable
from polyframe.panoptes.classifications.row_checks import rows_schema
from polyframe.panoptes.classifications.scan_export import scan_export
from polyframe.panoptes.classifications.sources import FrameSource, OpenedSources, Source, open_sources
from polyframe.panoptes.classifications.spooled_files import STANDARD_INPUT
from polyframe.panoptes.classifications.version_selection import select
from polyframe.pipeline import rows_on_workers
from polyframe.pipeline.executors.agreement import Agreement, agreed_call
from polyframe.pipeline.rows_on_workers import RowsOnWorkers
from polyframe.pipeline.sorted_rows import SortedRows, read_slices


class LosingFirst(LosingExecutor):
    """Loses the worker of each task the first time, or every time."""

    def __init__(self, every_time: bool = False) -> None:
        super().__init__([])
        self.every_time = every_time

    def submit(self, function: Callable[[Any], Any], task: Any, name: str) -> Future:
        future = super().submit(function, task, name)
        if self.every_time or self.names.count(name) == 1:
            future.call = None
        return future


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, OpenedSources]:
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 2000)
    path = small_export(tmp_path / "export.csv", 12)
    return path, open_sources([path], tmp_path / "work")


def test_splits_whose_worker_dies_are_tried_again(opened: tuple[Path, OpenedSources]) -> None:
    path, sources = opened
    executor = LosingFirst()
    counted = RowsOnWorkers(executor, "session", lambda _: None).count([path])
    assert counted is not None
    assert counted.census.equals(take_census(sources.rows))
    assert executor.names.count("census-00000") == executor.names.count("census-00003") == 2


def test_splits_whose_worker_always_dies(opened: tuple[Path, OpenedSources]) -> None:
    path, _ = opened
    with pytest.raises(pf.PolyframeError, match="a worker died every time while it read the export"):
        RowsOnWorkers(LosingFirst(every_time=True), "session", lambda _: None).count([path])


class PicklingExecutor(LosingExecutor):
    """Runs tasks in this process, but sends them as a cluster does; keeps what it sent."""

    def __init__(self) -> None:
        super().__init__([])
        self.sent: list[bytes] = []

    def submit(self, function: Callable[[Any], Any], task: Any, name: str) -> Future:
        call = agreed_call(Agreement(()), function, task)
        self.sent.append(call.pickled)
        return super().submit(lambda c: pickle.loads(pickle.dumps(c.run())), call, name)


def csv_rows(first: int, last: int, name: str = "ada") -> bytes:
    """Return an export with a subject for two rows each."""
    rows = [
        export_row(k, drawing(square(k % 3, 0)), subject_ids=k // 2, user_name=name)
        for k in range(first, last)
    ]
    return export_text(rows).encode()


def parquet(content: bytes) -> bytes:
    target = io.BytesIO()
    rows = pl.read_csv(content, schema_overrides={"workflow_version": pl.String})
    rows.write_parquet(target, row_group_size=20)
    return target.getvalue()


def typed_parquet(content: bytes) -> bytes:
    """Return an export with types that CSV does not have, and columns that are not read."""
    target = io.BytesIO()
    rows = pl.read_csv(content, schema_overrides={"workflow_version": pl.Categorical})
    rows = rows.with_columns(
        pl.col("created_at").str.to_datetime("%Y-%m-%d %H:%M:%S UTC", time_zone="UTC"),
        pl.lit("x" * 5000).alias("subject_data"),
        pl.struct(session=pl.lit("abc"), other=pl.struct(a=1)).alias("metadata"),
        pl.col("user_name").cast(pl.Enum(["ada"])),
    )
    rows.write_parquet(target, row_group_size=7, data_page_size=100)
    return target.getvalue()


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(content, asbytes=True)
    return packed


PLAIN = csv_rows(1, 40)
MALFORMED = PLAIN.replace(b",ada,", b',"ada,', 1)
#: By name, the content of each file of an export.
EXPORTS = {
    "plain": {"a.csv": PLAIN},
    "line ends in cells": {"a.csv": csv_rows(1, 40, name="two\nlines")},
    "several": {"a.csv": PLAIN, "b.csv": csv_rows(40, 42), "c.csv": csv_rows(42, 80)},
    "gzip": {f"{k}.csv.gz": gzip.compress(csv_rows(50 * k, 50 * k + 50)) for k in range(3)},
    "one gzip": {"a.csv.gz": gzip.compress(csv_rows(1, 800))},
    "zstd": {"a.csv.zst": zstd(PLAIN), "b.csv": csv_rows(40, 80)},
    "parquet": {"a.parquet": parquet(PLAIN), "b.parquet": parquet(csv_rows(40, 42))},
    "typed parquet": {"a.parquet": typed_parquet(csv_rows(1, 100)), "b.csv": PLAIN},
    "malformed": {"a.csv": MALFORMED, "b.csv": csv_rows(40, 60)},
    "truncated": {"a.csv.gz": gzip.compress(PLAIN)[:-20], "b.csv": PLAIN[:-30], "c.csv": csv_rows(40, 60)},
    "quotes in different places": {
        "a.csv": PLAIN.replace(b",ada,", b',a"da,').replace(b',a"da,', b",ada,", 30)
    },
    "returns": {"a.csv": PLAIN.replace(b"\n", b"\r"), "b.csv": csv_rows(40, 60)},
    "blank lines": {"a.csv": PLAIN.replace(b"\n", b"\r\n\r\n\n")},
    "twice": {"a.csv": PLAIN, "b.csv": PLAIN},
}


def check_that_workers_read(files: list[Source], executor: PicklingExecutor, folder: Path) -> None:
    """Check that workers read the same rows, and say the same, as this process."""
    here = scan_export(files, folder / "here", Settings(), (notes := list[str]()).append)
    on_workers = RowsOnWorkers(executor, "session", pytest.fail)
    there_notes: list[str] = []
    there = scan_export(files, folder / "there", Settings(), there_notes.append, None, on_workers.count)
    assert there_notes == [note for note in notes if not note.startswith("downloading ")]
    assert (there.names, there.selection, there.settings) == (here.names, here.selection, here.settings)
    assert_frame_equal(there.subjects, here.subjects)
    assert there.rows is None  # the workers counted
    assert here.rows is not None
    assert list((folder).glob("there/*")) == []
    rows = here.rows.collect().sort("source", "row")
    shuffled = on_workers.shuffle(there.selection, all_ranges([5, 15]), files_in(folder / "rows"), 0)
    read = [read_slices(shuffled.rows_of(partition), rows_schema()) for partition in (0, 1, 2)]
    assert all(frame.height for frame in read)
    assert_frame_equal(pl.concat(read).sort("source", "row"), rows)
    assert_frame_equal(on_workers.first_rows(there.selection, 7).collect(), rows.head(7))
    assert_frame_equal(on_workers.first_rows(there.selection, 10_000).collect(), rows)


@pytest.mark.parametrize("split_bytes", [700, 5000])
@pytest.mark.parametrize("name", EXPORTS)
def test_workers_read_the_same_rows(
    name: str, split_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", split_bytes)
    for file, content in EXPORTS[name].items():
        (tmp_path / file).write_bytes(content)
    files: list[Source] = [tmp_path / file for file in EXPORTS[name]]
    check_that_workers_read(files, PicklingExecutor(), tmp_path)


@pytest.mark.parametrize("name", ["several", "gzip", "parquet", "typed parquet", "malformed"])
def test_workers_read_the_objects_of_a_bucket(
    name: str, bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This process has the credentials from its arguments, the workers from their environment."""
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    for file, content in EXPORTS[name].items():
        bucket.write(file, content)
    files: list[Source] = []
    for file in EXPORTS[name]:
        address = as_address(f"{bucket.url}/{file}", bucket.options)
        assert address is not None
        files.append(address)
    notes: list[str] = []
    executor = PicklingExecutor()
    assert RowsOnWorkers(executor, "session", notes.append).count(files) is None
    (note,) = notes
    assert note.startswith(f"the workers cannot read the export ({bucket.url}/")
    assert "Workers do not get aws_access_key_id, aws_secret_access_key of the run" in note
    assert note.endswith("), so its rows are sorted by this process")
    for variable, value in bucket.environment.items():
        monkeypatch.setenv(variable, value)
    object_stores._open.cache_clear()
    check_that_workers_read(files, executor, tmp_path)
    assert not [task for task in executor.sent if b"test-secret" in task]
    # An object that is replaced between counting and sorting.
    on_workers = RowsOnWorkers(executor, "session", pytest.fail)
    counted = on_workers.count(files)
    assert counted is not None
    selection = select(counted.census, Settings(), counted.names, None)
    changed = next(iter(EXPORTS[name]))
    bucket.write(changed, EXPORTS[name][changed][:-10] + b"0" * 10)
    with pytest.raises(pf.PolyframeError, match=f"^{bucket.url}/{changed}: changed while it was downloaded"):
        on_workers.shuffle(selection, all_ranges([20]), files_in(tmp_path / "rows"), 0)


@pytest.mark.parametrize("encoding", ["", "gzip", "both"])
def test_workers_read_files_of_web_servers(
    encoding: str, web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    if encoding:
        content = gzip.compress(csv_rows(1, 100))
        content = gzip.compress(content) if encoding == "both" else content
        web.serve("/a.csv", content, headers={"Content-Encoding": "gzip"})
    else:
        web.serve("/a.csv", PLAIN, cuts=[10, 2000], statuses=[503])
    monkeypatch.setattr(downloads, "_PAUSE", 0.0)
    address = as_address(f"{web.url}/a.csv")
    assert address is not None
    check_that_workers_read([address], PicklingExecutor(), tmp_path)


def test_links_that_workers_do_not_read(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    for name, details in {
        "tag": {"tag": None},
        "ranges": {"ranges": False},
        "size": {"sized": False, "ranges": False},
    }.items():
        web.serve(f"/{name}.csv", PLAIN, **details)  # type: ignore[arg-type]
    web.serve("/a.csv", PLAIN)
    local = tmp_path / "a.csv"
    local.write_bytes(PLAIN)
    executor = PicklingExecutor()
    expected = {
        "a.csv?signature=sig-secret": "do not get the link {}/a.csv, which contains a secret",
        "tag.csv": "cannot read pieces of {}/tag.csv, since its server offers no ranges or no version",
        "ranges.csv": "cannot read pieces of {}/ranges.csv, since its server offers no ranges or no version",
    }
    for link, problem in expected.items():
        notes: list[str] = []
        address = as_address(f"{web.url}/{link}")
        assert address is not None
        on_workers = RowsOnWorkers(executor, "session", notes.append)
        assert on_workers.count([address, local]) is None
        assert notes == [f"the workers {problem.format(web.url)}, so its rows are sorted by this process"]
    unknown = as_address(f"{web.url}/size.csv")
    assert unknown is not None
    assert RowsOnWorkers(executor, "session", pytest.fail).count([unknown]) is None
    assert executor.sent == []


def test_exports_that_workers_do_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 5000)
    path, notes = tmp_path / "a.csv", list[str]()
    path.write_bytes(PLAIN)
    on_workers = RowsOnWorkers(LosingExecutor([]), "session", notes.append)
    frame = FrameSource(pl.read_csv(path, infer_schema=False).lazy())
    for other in (frame, STANDARD_INPUT, tmp_path / "missing.csv", tmp_path):
        assert on_workers.count([path, other]) is None
    assert notes == []
    monkeypatch.setattr(rows_on_workers, "why_not_readable", lambda _: f"do not see {path}")
    assert on_workers.count([path]) is None
    assert notes == [f"the workers do not see {path}, so its rows are sorted by this process"]
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 10**9)
    assert on_workers.count([path]) is None
    assert len(notes) == 1


def test_what_workers_see_is_compared(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(PLAIN)
    files = describe_files([path], ["a.csv"])
    assert files is not None
    assert why_not_readable(files) is None
    path.write_bytes(PLAIN + b"\n")
    assert why_not_readable(files) == "do not see a.csv"
    path.unlink()
    assert why_not_readable(files) == "do not see a.csv"


def test_a_worker_that_is_believed_dead_does_not_change_what_others_read(
    opened: tuple[Path, OpenedSources], tmp_path: Path
) -> None:
    """It goes on while the next attempt is finished and used."""
    path, sources = opened
    on_workers = RowsOnWorkers(LosingExecutor([]), "session", lambda _: None)
    counted = on_workers.count([path])
    assert counted is not None
    chosen = select(counted.census, Settings(), sources.names, None)
    files = files_in(tmp_path / "rows")

    def shuffled() -> tuple[SortedRows, list[bytes]]:
        done = on_workers.shuffle(chosen, all_ranges([6]), files, 0)
        return done, [files.read(name) for name in done.names]

    first, content = shuffled()
    second, _ = shuffled()
    assert not set(first.names) & set(second.names)
    assert [files.read(name) for name in first.names] == content
    rows = [read_slices(first.rows_of(partition), rows_schema()) for partition in (0, 1)]
    assert pl.concat(rows).height == chosen.rows_read - chosen.rows_filtered
    assert len(list((tmp_path / "rows").iterdir())) == len(first.names) + len(second.names)


@pytest.mark.parametrize("name", ["several", "gzip"])
def test_several_splits_are_sorted_into_one_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are no more files than these, however large the export is; the rows are the same."""
    monkeypatch.setattr(rows_on_workers, "_SPLIT_BYTES", 3000)
    for file, content in EXPORTS[name].items():
        (tmp_path / file).write_bytes(content)
    on_workers = RowsOnWorkers(LosingExecutor([]), "session", lambda _: None)
    counted = on_workers.count([tmp_path / file for file in EXPORTS[name]])
    assert counted is not None
    chosen = select(counted.census, Settings(), counted.names, None)
    many = on_workers.shuffle(chosen, all_ranges([20]), files_in(tmp_path / "many"), 0)
    monkeypatch.setattr(rows_on_workers, "MOST_FILES", 2)
    few = on_workers.shuffle(chosen, all_ranges([20]), files_in(tmp_path / "few"), 0)
    assert len(many.names) > len(few.names) == 2
    for partition in (0, 1):
        one, other = (read_slices(done.rows_of(partition), rows_schema()) for done in (many, few))
        assert_frame_equal(one, other)
