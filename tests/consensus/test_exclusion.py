"""Digests of excluded volunteers, and the rows that they exclude."""

import hashlib
import hmac

import polars as pl
import pytest

from polyframe.consensus.exclusion import (
    check_can_exclude,
    digests_by_name,
    excluded_names,
    is_digest,
    is_excluded,
    needs_secret,
    unknown_names_notes,
    with_digests,
)
from polyframe.core.environment import KEY_VARIABLE
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings

FRAME = pl.DataFrame(
    {
        "volunteer": ["anna", "bert", "not-logged-in-1/a", "not-logged-in-1/b", None],
        "user_name": ["anna", "bert", "not-logged-in-1", "not-logged-in-1", None],
        "gold_standard": [True, False, None, True, False],
    }
)


def digested(*names: str, **options: object) -> Settings:
    settings = Settings(exclude_volunteers=names).replace(options)
    return with_digests(settings, digests_by_name(settings))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), [0, 0, 0, 0, 0]),
        (("anna",), [1, 0, 0, 0, 0]),
        (("Anna",), [0, 0, 0, 0, 0]),
        (("not-logged-in-1",), [0, 0, 1, 1, 0]),
        (("not-logged-in-1/b", "bert"), [0, 1, 0, 1, 0]),
    ],
)
def test_names_exclude_volunteers_or_their_sessions(names: tuple[str, ...], expected: list[int]) -> None:
    assert is_excluded(FRAME, digested(*names)).tolist() == [bool(flag) for flag in expected]


def test_gold_standards_are_excluded_if_they_are_known_to_be() -> None:
    excluded = is_excluded(FRAME, Settings(gold_standard="exclude"))
    assert excluded.tolist() == [True, False, False, True, False]


def test_digests_are_sorted_keyed_and_kept() -> None:
    settings = digested("bert", "anna")
    one, other = settings.exclude_volunteers
    assert one < other
    assert is_digest(one)
    assert not is_digest("anna")
    plain = {function(b"anna").hexdigest()[:32] for function in (hashlib.sha256, hashlib.blake2b)}
    assert not plain & {digest.partition(":")[2] for digest in settings.exclude_volunteers}
    assert with_digests(settings, digests_by_name(settings)) == settings
    assert digested("anna", "bert") == settings
    assert set(excluded_names(FRAME, settings)) == {"anna", "bert"}


def test_hashed_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "secret")
    key = b"secret"

    def hashed(name: str | None) -> str | None:
        return name and hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:32]

    columns = {name: list(map(hashed, FRAME[name].to_list())) for name in ("volunteer", "user_name")}
    published = FRAME.with_columns(pl.Series(name, values) for name, values in columns.items())
    settings = digested("not-logged-in-1", volunteers="hash")
    expected = [False, False, True, True, False]
    assert is_excluded(published, settings).tolist() == expected
    # Before names are hashed.
    assert is_excluded(FRAME, settings, key).tolist() == expected
    by_hash = digested(str(hashed("bert")), volunteers="hash")
    assert is_excluded(published, by_hash).tolist() == [False, True, False, False, False]
    assert is_excluded(FRAME, by_hash, key).tolist() == [False, True, False, False, False]
    # The digests of the same name differ by the secret.
    assert settings != digested("not-logged-in-1")
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(UsageError, match=f"set the secret in the environment variable {KEY_VARIABLE}"):
        digested("anna", volunteers="hash")
    # Hashes, and digests of an earlier run, do not need it.
    assert digested(str(hashed("bert")), *settings.exclude_volunteers, volunteers="hash") == with_digests(
        by_hash, {"not-logged-in-1": {*settings.exclude_volunteers}}
    )


def test_only_with_hashed_volunteers_a_name_of_hexadecimal_digits_is_a_hash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = "0123456789abcdef" * 2
    frame = FRAME[:1].with_columns(pl.lit(name).alias("user_name"))
    for key in (None, "secret"):
        monkeypatch.setenv(KEY_VARIABLE, key) if key else monkeypatch.delenv(KEY_VARIABLE, raising=False)
        for volunteers in ("keep", "hash"):
            settings = Settings(exclude_volunteers=(name,), volunteers=volunteers)
            assert needs_secret(settings) is False
            assert is_excluded(frame, with_digests(settings, digests_by_name(settings))).all()
        assert needs_secret(Settings(exclude_volunteers=(name.upper(),), volunteers="hash"))


def test_dropped_names_cannot_be_excluded() -> None:
    check_can_exclude(Settings(volunteers="drop"))
    with pytest.raises(UsageError, match="volunteers is drop"):
        check_can_exclude(Settings(volunteers="drop", exclude_volunteers=("anna",)))


def test_unknown_names_are_listed_in_one_line() -> None:
    settings = Settings(exclude_volunteers=("zoe", "anna", "carl"))
    names = digests_by_name(settings)
    found = set(excluded_names(FRAME, with_digests(settings, names)).values())
    assert unknown_names_notes(names, found) == (
        "exclude_volunteers: there is no classification by carl, zoe",
    )
    assert unknown_names_notes({}, found) == ()
