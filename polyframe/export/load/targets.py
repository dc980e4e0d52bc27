"""Open the target of a load from its address, such as `duckdb:///project.duckdb`."""

import importlib
import re
from collections.abc import Mapping
from typing import Any, Final

from polyframe.core.errors import PolyframeError, UsageError
from polyframe.core.extras import install_command
from polyframe.core.local_paths import type_name
from polyframe.core.suggestions import did_you_mean
from polyframe.export.load.target import Target
from polyframe.export.load.target_kinds import EXAMPLES, TARGET_KINDS

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")
#: Parts of the names of parameters whose values are secret.
_SECRET: Final = r"[\w.-]*(?:pass|pwd|secret|token|key|sig|credential)[\w.-]*"
#: What is removed from addresses and errors, with its replacement.
_PASSWORDS: Final = (
    # `user:password@`, up to the last @, since the password may contain characters that should be encoded.
    (re.compile(r"(//[^/?#@:\s]*):.*@", re.DOTALL), r"\1@"),
    # In the query of a URL.
    (re.compile(rf"([?&]{_SECRET}=)[^&]*", re.IGNORECASE), r"\1***"),
    # In a connection string of libpq, which allows blanks around the equals sign.
    (
        re.compile(
            rf"(?<![\w.?&-])({_SECRET}\s*=\s*)('(?:\\.|[^'\\])*'?|(?:\\.|[^\s\\])*)",
            re.IGNORECASE | re.DOTALL,
        ),
        r"\1***",
    ),
)


def open_target(address: Any, storage_options: Mapping[str, str] | None = None) -> Target:
    """Open a target.

    Parameters
    ----------
    address : str
        Its address; the part before the colon says what kind of target it is.
    storage_options : mapping, optional
        Credentials, endpoint and so on of a bucket; what is missing is read from the environment.

    Raises
    ------
    UsageError
        If it is not the address of a target.
    PolyframeError
        If the extra for this kind of target is not installed, or the target cannot be opened.
    """
    if not isinstance(address, str):
        raise UsageError(f"to: expected an address such as {EXAMPLES}, got {type_name(address)}")
    match = _SCHEME.match(address)
    name = match[1].lower() if match else ""
    kind = TARGET_KINDS.get(name)
    if kind is None:
        suggestion = did_you_mean(name, TARGET_KINDS)
        # Any part of an address of another kind may be secret.
        shown = f"{name}:..." if name else without_password(address)
        raise UsageError(
            f"to: {shown!r} is not the address of a warehouse{suggestion}; expected one such as {EXAMPLES}"
        )
    try:
        module = importlib.import_module(f"polyframe.export.load.{kind.module}")
    except ImportError:
        raise PolyframeError(f"load into {name} needs an extra: {install_command(kind.extra)}") from None
    target: Target = (
        module.open_target(address, storage_options) if kind.in_store else module.open_target(address)
    )
    return target


def without_password(address: str) -> str:
    """Return an address for messages: without a password or key.

    Examples
    --------
    >>> without_password("postgresql://ann:secret@localhost/project")
    'postgresql://ann@localhost/project'
    """
    for pattern, replacement in _PASSWORDS:
        address = pattern.sub(replacement, address)
    return address
