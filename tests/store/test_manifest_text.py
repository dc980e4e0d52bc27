"""The manifest as text: read back unchanged, in shards if it is long, and clear messages if it is damaged."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from small_manifest import MADE, RECORDS, SETTINGS, record

import polyframe as pf
from polyframe.store import manifest_text as module
from polyframe.store.manifest import Manifest
from polyframe.store.manifest_text import manifest_text, parse_manifest, shard_names
from polyframe.store.stages import settings_of

NAME = "out/polyframe.json"
#: Keys that may be missing.
OPTIONAL = (
    "schema_version",
    "engines",
    "drawings",
    "key_digest",
    "number",
    "finished_at",
    "host",
    "run",
)


def parse(content: Any) -> Manifest:
    """Parse a manifest of a single file, from its text or from plain values."""
    text = (
        content if isinstance(content, bytes) else json.dumps(content, default=msgspec.to_builtins).encode()
    )

    def no_shard(name: str) -> bytes:
        raise FileNotFoundError(name)

    return parse_manifest(text, NAME, no_shard)


def test_a_manifest_is_read_back_unchanged() -> None:
    text = manifest_text(MADE)
    manifest = parse(text.text)
    assert manifest == MADE
    assert manifest.partitions == RECORDS
    assert manifest.settings == SETTINGS
    assert settings_of(json.loads(text.text)["settings"]) == SETTINGS
    assert manifest.stages == ("extract", "reduce")
    assert not text.shards
    assert not shard_names(text.text)


def test_what_a_run_says_about_itself_is_read_back() -> None:
    published = msgspec.structs.replace(
        MADE, number=42, finished_at="2026-11-27T08:00:00Z", host="here", run="ab"
    )
    assert parse(manifest_text(published).text) == published
    assert published.has_tables_of(MADE)
    assert not published.has_tables_of(msgspec.structs.replace(MADE, versions=("4.1",)))
    assert not published.has_tables_of(None)


def test_engines_may_be_missing() -> None:
    content = MADE.to_dict()
    del content["engines"]
    assert parse(content).engines == {}


def test_each_partition_has_a_line() -> None:
    lines = manifest_text(MADE).text.decode().splitlines()
    assert [sum(name in line for line in lines) for name in ('"00000"', '"00001-01"')] == [1, 1]
    assert any("é.csv" in line for line in lines)


@pytest.mark.parametrize("number", [2, 3, 4, 5])
def test_many_partitions_are_in_shards(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two in each; a change of one partition changes one shard."""
    monkeypatch.setattr(module, "PARTITIONS_PER_SHARD", 2)
    later = tuple(record(f"{k:05}", k, "extract", "reduce") for k in range(1, number))
    manifest = msgspec.structs.replace(MADE, partitions=(RECORDS[0], *later))
    text = manifest_text(manifest)
    assert len(text.shards) == (0 if number == 2 else -(-number // 2))
    assert list(shard_names(text.text)) == list(text.shards)
    read: list[str] = []

    def read_shard(name: str) -> bytes:
        read.append(name)
        return text.shards[name]

    assert parse_manifest(text.text, NAME, read_shard) == manifest
    assert read == list(text.shards)
    assert parse(manifest_text(manifest, sharded=False).text) == manifest
    changed = msgspec.structs.replace(manifest.partitions[-1], content="11" * 8)
    other = msgspec.structs.replace(manifest, partitions=(*manifest.partitions[:-1], changed))
    assert len(manifest_text(other).shards.keys() - text.shards.keys()) == bool(text.shards)


def test_a_missing_or_damaged_shard_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PARTITIONS_PER_SHARD", 1)
    text = manifest_text(MADE)
    first, second = text.shards
    with pytest.raises(pf.PolyframeError, match=f"{NAME}: {first} is missing; run `polyframe run` again"):
        parse(text.text)
    for content in (b"", b"[", b"{}", b"[1]", text.shards[second]):
        with pytest.raises(pf.PolyframeError, match=f"{NAME}: ") as caught:
            parse_manifest(text.text, NAME, {**text.shards, first: content}.__getitem__)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", [name for name in Manifest.__struct_fields__ if name not in OPTIONAL])
def test_a_missing_key_is_named(name: str) -> None:
    short = {key: value for key, value in MADE.to_dict().items() if key != name}
    message = rf"json: missing required field {name} \(damaged, or written by"
    with pytest.raises(pf.PolyframeError, match=message):
        parse(short)


def test_a_manifest_of_an_earlier_checkout_is_said_to_be_one() -> None:
    """It had a key that is unknown now, and lacked a setting."""
    content = msgspec.to_builtins(MADE.to_dict()) | {"has_large_subject": False}
    del content["settings"]["subtask_extractors"]
    hint = r"unknown field has_large_subject \(damaged, or written by another version\); run `polyframe run`"
    with pytest.raises(pf.PolyframeError, match=hint):
        parse(content)


PARTITION = msgspec.to_builtins(RECORDS[0])
DAMAGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "another version": (lambda given: given | {"schema_version": 99}, "another version"),
    "an earlier version": (lambda _: {"schema_version": 1, "sources": []}, "another version"),
    "an engine of a stage without one": (
        lambda given: given | {"engines": {"extract": "shapely"}},
        "engines: 'extract' is not a stage with an engine",
    ),
    "an unknown engine": (
        lambda given: given | {"engines": {"reduce": "auto"}},
        r"engines\[...\]: invalid enum value 'auto'",
    ),
    "a list": (lambda given: [given], "another version"),
    "no merged tables": (
        lambda given: given | {"merged": {}},
        "merged: expected one size for each of volunteers",
    ),
    "merged tables of a stage without any": (
        lambda given: given | {"merged": given["merged"] | {"extract": given["merged"]["reduce"]}},
        "merged: expected one size for each of volunteers",
    ),
    "a number of partitions": (
        lambda given: given | {"partitions": 3},
        "partitions: expected array, got int",
    ),
    "partitions of strings": (lambda given: given | {"partitions": ["x"]}, r"partitions\[0\]"),
    "a partition without a name": (lambda given: given | {"partitions": [{}]}, r"partitions\[0\]: missing"),
    "a name that is a path": (
        lambda given: given | {"partitions": [PARTITION | {"name": "../00000"}]},
        r"partitions\[0\]\.name: expected str matching",
    ),
    "a name with a line feed": (
        lambda given: given | {"partitions": [PARTITION | {"name": "00000\n"}]},
        r"partitions\[0\]\.name: expected str matching",
    ),
    "a version that nobody chose": (
        lambda given: given | {"version_chosen_by": "me"},
        "version_chosen_by: invalid enum value 'me'",
    ),
    "a stage with more": (
        lambda given: given | {"partitions": [PARTITION | {"stages": {"extract": {"more": 1}}}]},
        r"partitions\[0\]\.stages.*unknown field more",
    ),
    "a stage that is missing": (
        lambda given: given | {"partitions": [PARTITION | {"stages": {}}]},
        r"partitions\[0\]\.stages: expected extract, reduce",
    ),
    "a number that is too large": (
        lambda given: given | {"last_subject": 10**400},
        "last_subject: expected int <= 9223372036854775807",
    ),
    "no counts": (lambda given: given | {"accounting": {}}, "accounting: missing required field"),
    "a fraction of rows": (
        lambda given: given | {"accounting": {"rows_read": 0.5}},
        "accounting.rows_read: expected int, got float",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_manifest_is_one_clear_line(damage: str) -> None:
    change, message = DAMAGES[damage]
    with pytest.raises(pf.PolyframeError, match=message) as caught:
        parse(change(MADE.to_dict()))
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert text.startswith(f"{NAME}: ")
    assert text.endswith("`polyframe run`" if "another version" in message else "run `polyframe run` again")


BOMBS = {
    "empty": "",
    "an open brace": "{",
    "a null byte": "\x00",
    "a deep list": "[" * 100_000,
    "deep below a key": '{"schema_version": ' + "[" * 100_000,
    "deep below the settings": '{"schema_version": 3, "settings": ' + "[" * 100_000,
    "a long number": '{"schema_version": ' + "9" * 100_000 + "}",
    "not a number": '{"schema_version": NaN}',
    "bytes that are not UTF-8": '"\udc80"',
    "a name that is not UTF-8": '{"schema_version": 3, "polyframe_version": "\udc80"}',
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_manifest_that_is_not_json_is_one_line(bomb: str) -> None:
    with pytest.raises(
        pf.PolyframeError, match=r"polyframe\.json: (cannot be read|made by another)"
    ) as caught:
        parse(BOMBS[bomb].encode("utf-8", "surrogateescape"))
    assert len(str(caught.value).splitlines()) == 1
    assert not shard_names(BOMBS[bomb].encode("utf-8", "surrogateescape"))
