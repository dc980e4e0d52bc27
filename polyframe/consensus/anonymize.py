"""Hash or drop the names and ids of volunteers in tables that are published."""

import hashlib
import hmac
import os
from typing import Final

import polars as pl

from polyframe.core.environment import KEY_VARIABLE
from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings
from polyframe.panoptes.classifications.column_parsers import REPLACEMENT

_HASH_BYTES: Final = 16
#: Hashed user ids are positive integers of 64 bits.
_LARGEST_ID: Final = 2**63 - 1


def volunteers_key(settings: Settings) -> bytes:
    """Return the secret with which volunteers are hashed; empty unless `volunteers` is `hash`.

    Raises
    ------
    UsageError
        If the secret is needed and the environment has none.
    """
    if settings.volunteers != "hash":
        return b""
    key = environment_key()
    if not key:
        raise UsageError(
            f"volunteers: hash needs a secret in the environment variable {KEY_VARIABLE}, "
            "for instance 32 random characters; the same secret gives the same hashes"
        )
    return key


def environment_key() -> bytes:
    """Return the secret in the environment; empty if there is none."""
    return os.environ.get(KEY_VARIABLE, "").encode("utf-8", "surrogateescape")


def may_show_cells(settings: Settings) -> bool:
    """Return whether `rejects` may quote cells: one that cannot be read may contain a name."""
    return settings.volunteers == "keep"


def anonymize(frame: pl.DataFrame, settings: Settings, key: bytes) -> pl.DataFrame:
    """Return a table with its volunteers as the setting `volunteers` says.

    Parameters
    ----------
    frame : polars.DataFrame
        Any table; its columns `volunteer` and `user_name` (str) and `user_id` (i64) are changed.
    settings : Settings
        `volunteers`: `keep`, `hash` or `drop`.
    key : bytes
        From `volunteers_key`.

    Returns
    -------
    polars.DataFrame
        With `hash`: names as 32 hexadecimal digits, ids as other positive integers (HMAC-SHA256, RFC 2104).
        Names that were not valid UTF-8 become missing: different ones may have become the same. With `drop`:
        all missing.
    """
    columns = [name for name in ("volunteer", "user_name", "user_id") if name in frame.columns]
    if settings.volunteers == "keep" or not columns:
        return frame
    if settings.volunteers == "drop":
        return frame.with_columns(pl.lit(None, frame.schema[name]).alias(name) for name in columns)
    return frame.with_columns(_hashed(frame[name], key) for name in columns)


def _hashed(column: pl.Series, key: bytes) -> pl.Series:
    values = column.drop_nulls().unique()
    digests = [_hmac(value, key) for value in values.to_list()]
    hashed: list[str | int | None]
    if column.dtype == pl.String:
        hashed = [None if REPLACEMENT in name else d.hex() for name, d in zip(values, digests, strict=True)]
    else:
        hashed = [int.from_bytes(digest[:8], "big") & _LARGEST_ID for digest in digests]
    return column.replace_strict(
        values, pl.Series(hashed, dtype=column.dtype), default=None, return_dtype=column.dtype
    )


def hashed_name(name: str, key: bytes) -> str | None:
    """Return a name as it is in tables with `hash`."""
    return None if REPLACEMENT in name else _hmac(name, key).hex()


def _hmac(value: str | int, key: bytes) -> bytes:
    return hmac.new(key, str(value).encode(), hashlib.sha256).digest()[:_HASH_BYTES]
