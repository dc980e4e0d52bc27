"""Volunteers in what is written: as they are, as keyed hashes, or left out, for output that is published."""

import hashlib
import hmac
import os
from typing import Final

import polars as pl

from polyframe.core.errors import UsageError
from polyframe.core.settings import Settings
from polyframe.panoptes.cells import REPLACEMENT

KEY_VARIABLE: Final = "POLYFRAME_VOLUNTEERS_KEY"

_HASH_BYTES: Final = 16
#: Numbers stay positive whole numbers of 64 bits.
_LARGEST_NUMBER: Final = 2**63 - 1


def volunteers_key(settings: Settings) -> bytes:
    """Return the secret with which volunteers are hashed; empty where `volunteers` is not `hash`.

    Raises
    ------
    UsageError
        Where it is needed and the environment has none.
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
    """Return the secret that the environment has; empty where it has none."""
    return os.environ.get(KEY_VARIABLE, "").encode("utf-8", "surrogateescape")


def shows_cells(settings: Settings) -> bool:
    """Tell whether `rejects` may show cells as they are; one that cannot be read may hold a name."""
    return settings.volunteers == "keep"


def as_published(frame: pl.DataFrame, settings: Settings, key: bytes) -> pl.DataFrame:
    """Return a table with its volunteers as `volunteers` says.

    Parameters
    ----------
    frame : polars.DataFrame
        Any table; `volunteer` and `user_name` (text) and `user_id` (i64) are changed where it has them.
    settings : Settings
        `volunteers`: `keep`, `hash` or `drop`.
    key : bytes
        From `volunteers_key`.

    Returns
    -------
    polars.DataFrame
        With `hash`: names as 32 hexadecimal digits, numbers as other positive numbers (HMAC-SHA256, RFC
        2104). Names that were not UTF-8 become missing: different ones may have become the same. With `drop`:
        all missing.
    """
    columns = [name for name in ("volunteer", "user_name", "user_id") if name in frame.columns]
    if settings.volunteers == "keep" or not columns:
        return frame
    if settings.volunteers == "drop":
        return frame.with_columns(pl.lit(None, frame.schema[name]).alias(name) for name in columns)
    return frame.with_columns(_hashed(frame[name], key) for name in columns)


def _hashed(column: pl.Series, key: bytes) -> pl.Series:
    known = column.drop_nulls().unique()
    hashes = [_digest(value, key) for value in known.to_list()]
    found: list[str | int | None]
    if column.dtype == pl.String:
        found = [
            None if REPLACEMENT in name else value.hex() for name, value in zip(known, hashes, strict=True)
        ]
    else:
        found = [int.from_bytes(value[:8], "big") & _LARGEST_NUMBER for value in hashes]
    return column.replace_strict(
        known, pl.Series(found, dtype=column.dtype), default=None, return_dtype=column.dtype
    )


def _digest(value: str | int, key: bytes) -> bytes:
    return hmac.new(key, str(value).encode(), hashlib.sha256).digest()[:_HASH_BYTES]
