"""The addresses of clusters."""

import pytest

from polyframe.core.clusters import ADDRESSES, parse_cluster, starts_here
from polyframe.core.errors import UsageError


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("dask://node1:8787", "dask://node1:8787"),
        ("dask://node1", "dask://node1:8786"),
        ("ray://10.0.0.1", "ray://10.0.0.1:10001"),
        ("ray://10.0.0.1:5/", "ray://10.0.0.1:5"),
        ("dask://[::1]:7", "dask://[::1]:7"),
        ("local-dask", "local-dask"),
        ("local-ray", "local-ray"),
    ],
)
def test_addresses(text: str, parsed: str) -> None:
    assert str(parse_cluster(text)) == parsed


@pytest.mark.parametrize(
    "text",
    [
        *("", "dask", "dask:", "dask://", "dask://:1", "dask://node:port", "dask://node:99999"),
        *("dask://node/path", "dask://node?x=1", "http://node:1", "tcp://node:8786", "local", "dask://[::1"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_cluster(text)
    assert str(raised.value) == (
        f"cluster: {text!r} is not the address of a cluster; expected one of {', '.join(ADDRESSES)}"
    )


@pytest.mark.parametrize("text", ["dask://me:s3cret@node:1", "http://me:s3cret@node", "ray://s3cret@node/x"])
def test_a_password_is_not_shown(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_cluster(text)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [(None, True), ("local-dask", True), ("local-ray", True), ("dask://node", False), (object(), False)],
)
def test_who_starts_the_workers(cluster: object, expected: bool) -> None:
    assert starts_here(cluster) == expected
