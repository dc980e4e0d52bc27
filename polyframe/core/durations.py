"""Read and write ages and other durations, such as `30d`, `26h` or `1d12h`."""

import re
from datetime import timedelta
from typing import Final

from polyframe.core.errors import UsageError, short_repr

#: Seconds of each unit, the largest first. There are no months, whose lengths differ.
_SECONDS: Final = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_TERM: Final = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([wdhms])", re.IGNORECASE)


def parse_duration(value: str | timedelta, name: str) -> timedelta:
    """Return a duration from text such as `30d`, `26h`, `90m`, `1.5h` or `1d12h`.

    Parameters
    ----------
    value : str or timedelta
        Numbers with a unit each: `w` (weeks), `d` (days), `h` (hours), `m` (minutes) or `s` (seconds), in
        any case, with or without spaces. Units add up. A `timedelta` is returned as it is.
    name : str
        The option or parameter, for the message.

    Returns
    -------
    timedelta
        0 or longer.

    Raises
    ------
    UsageError
        If the text is not such a duration, for example without a unit, or if it is negative or too long.

    Examples
    --------
    >>> parse_duration("1d12h", "--keep")
    datetime.timedelta(days=1, seconds=43200)
    """
    if isinstance(value, timedelta) and value >= timedelta(0):
        return value
    text = value.strip() if isinstance(value, str) else ""
    terms = list(_TERM.finditer(text))
    if not text or "".join(term[0] for term in terms) != text:
        raise UsageError(f"{name} must be a duration such as 30d, 26h or 90m (got {short_repr(value)})")
    try:
        return timedelta(seconds=sum(float(term[1]) * _SECONDS[term[2].lower()] for term in terms))
    except OverflowError:
        raise UsageError(f"{name} is longer than any calendar (got {short_repr(value)})") from None


def format_duration(duration: timedelta) -> str:
    """Return a duration with its two largest units, rounded down, such as `1d 12h`, `5m 3s` or `0s`.

    `parse_duration` reads it. A negative duration, which two clocks can give, is `0s`.
    """
    rest = max(int(duration.total_seconds()), 0)
    counts = []
    for unit, seconds in _SECONDS.items():
        if unit == "w":
            continue  # `45d` is easier to compare with a limit in days than `6w 3d`
        count, rest = divmod(rest, seconds)
        counts.append((count, unit))
    first = next((i for i, (count, _) in enumerate(counts) if count), len(counts) - 1)
    shown = [f"{count}{unit}" for count, unit in counts[first : first + 2] if count]
    return " ".join(shown) or "0s"
