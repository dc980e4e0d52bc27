"""Show the log lines of a command as a terminal would show them."""

import re

_LINE = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (INFO|WARNING|ERROR) ", re.MULTILINE | re.ASCII)


def as_on_terminal(text: str) -> str:
    """Return standard error as it is on a terminal, without times and levels.

    The lines of a log vary with the time, and most tests are about what they say.
    """
    return _LINE.sub(lambda found: "polyframe: error: " if found[1] == "ERROR" else "polyframe: ", text)
