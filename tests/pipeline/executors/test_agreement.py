"""What is sent to the workers of a cluster, and what they check."""

import dataclasses
import pickle
from pathlib import Path

import pytest

import polyframe as pf
from polyframe.core.addresses import as_address
from polyframe.pipeline.executors.agreement import (
    agreed_call,
    agreement_of_this_process,
    check_agreement,
)
from polyframe.store.objects import BucketObjects

KEY = "POLYFRAME_VOLUNTEERS_KEY"


def test_tasks_contain_no_secrets_and_no_relative_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    address = as_address(
        "s3://bucket/project", {"aws_secret_access_key": "s3cret", "aws_endpoint_url": "http://localhost:9"}
    )
    assert address is not None
    agreement = agreement_of_this_process(b"key of volunteers", None)
    call = agreed_call(agreement, dict, {"objects": BucketObjects(address), "path": Path("out")})
    assert b"s3cret" not in pickle.dumps(call)
    assert b"key of volunteers" not in pickle.dumps(call)
    monkeypatch.setenv(KEY, "key of volunteers")
    result = pickle.loads(pickle.dumps(call)).run()
    assert result["path"] == tmp_path / "out"
    assert result["objects"].place.options == (("aws_endpoint_url", "http://localhost:9"),)


def test_workers_check_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    agreement = agreement_of_this_process(b"one", None)
    monkeypatch.setenv(KEY, "one")
    check_agreement(agreement)
    check_agreement.cache_clear()
    monkeypatch.setenv(KEY, "another")
    with pytest.raises(
        pf.PolyframeError, match=rf"variable {KEY} differs from that of this process\. Set it"
    ):
        check_agreement(agreement)


def test_workers_check_that_they_see_the_same_files(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    file.write_text("this run")
    agreement = agreement_of_this_process(b"", file)
    check_agreement(agreement)
    for other in (b"another run", None):
        check_agreement.cache_clear()
        file.write_bytes(other) if other else file.unlink()
        with pytest.raises(
            pf.PolyframeError, match=r"does not see the files in .*; name a directory that all"
        ):
            check_agreement(agreement)


def test_calls_do_not_grow_with_the_file_that_workers_must_see(tmp_path: Path) -> None:
    """A tuning names the manifest, which grows with the number of partitions, and has a call for each one."""
    sizes = []
    for size in (0, 10_000_000):
        (tmp_path / "polyframe.json").write_bytes(b"x" * size)
        agreement = agreement_of_this_process(b"", tmp_path / "polyframe.json")
        check_agreement(agreement)
        sizes.append(len(pickle.dumps(agreed_call(agreement, dict, {}))))
    assert sizes[0] == sizes[1] < 1000


def test_workers_check_the_versions() -> None:
    agreement = agreement_of_this_process(b"", None)
    changed = dataclasses.replace(agreement, versions=(("Python", "2.7"), *agreement.versions[1:]))
    with pytest.raises(
        pf.PolyframeError, match=r"has Python 3\.\d+, but this process has 2\.7; install the sa"
    ):
        check_agreement(changed)
