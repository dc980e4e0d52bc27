"""Fingerprints: what a part file was made from, so that a later run knows whether it is still right."""

import hashlib
import json
from collections.abc import Mapping
from typing import Final

import polars as pl

from polyframe import __version__
from polyframe.core.settings import Settings
from polyframe.core.tables import SCHEMA_VERSION
from polyframe.store.stages import STAGE_TABLES, stage_settings

#: What else decides about the bytes of a part: the program, and the hashes that stand for the rows.
_MADE_BY: Final = ("polyframe", __version__, SCHEMA_VERSION, "polars", pl.__version__)
#: What is hashed to tell keys apart, without telling the key.
_PURPOSE: Final = b"polyframe volunteers"


def stage_fingerprints(content: str, settings: Settings, key: bytes = b"") -> Mapping[str, str]:
    """Return the fingerprint of what each stage makes of the rows of a partition.

    Parameters
    ----------
    content : str
        Stands for the rows of the export, see `polyframe.panoptes.classifications.selection.take_census`.
    settings : Settings
        Those that matter to a stage go into its fingerprint, and no others: another `eps` leaves that of the
        extraction as it is.
    key : bytes
        With which volunteers are hashed; another one gives other names, hence another fingerprint.

    Returns
    -------
    mapping of str to str
        32 hexadecimal digits for each stage.
    """
    secret = hashlib.blake2b(_PURPOSE, key=hashlib.sha256(key).digest()).hexdigest() if key else ""
    return {
        stage: _digest([*_MADE_BY, stage, content, secret, stage_settings(settings, stage)])
        for stage in STAGE_TABLES
    }


def places_fingerprint(places: str, sources: tuple[str, ...]) -> str:
    """Return the fingerprint of where the rows stand, by file and number, as `rejects` may tell it."""
    return _digest([places, sources if len(sources) > 1 else ()])


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
