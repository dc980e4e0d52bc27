"""Share outputs between the tests of the store."""

from pathlib import Path

import pytest
from run_processes import OPTIONS, PARTITION_BYTES, small_export
from s3_server import Bucket
from stores import copied

import polyframe as pf
from polyframe.core.local_paths import place_of
from polyframe.pipeline import plan
from polyframe.store.output import Output


@pytest.fixture(params=["folder", "bucket", "memory"])
def output(request: pytest.FixtureRequest, tmp_path: Path) -> Output:
    """Return a new output in a folder, on an S3 server, and in memory."""
    if request.param == "folder":
        return Output(tmp_path / "out")
    if request.param == "memory":
        return Output(place_of(f"memory://{tmp_path.name}/out", "output"))
    bucket: Bucket = request.getfixturevalue("bucket")
    return Output(place_of(f"{bucket.url}/out", "output", bucket.options))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small export from which runs of this process make several partitions."""
    monkeypatch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
    return small_export(tmp_path / "export.csv", 2)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "_MEGABYTE", PARTITION_BYTES)
        pf.run(small_export(folder / "export.csv", 2), folder / "out", **OPTIONS)
    return folder / "out"


@pytest.fixture
def out(made: Path, small: Path, tmp_path: Path) -> Path:
    """Return a copy of the output of a run with that export."""
    return copied(made, tmp_path / "out")
