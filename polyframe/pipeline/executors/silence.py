"""Silence the libraries of clusters, whose log would stand beside our own lines."""

import contextlib
import logging
from collections.abc import Iterator


@contextlib.contextmanager
def silenced(library: str) -> Iterator[None]:
    """Return a context manager that silences a logger, and those below it that have no level of their own.

    Parameters
    ----------
    library : str
        The name of the logger, such as `ray`.
    """
    logger = logging.getLogger(library)
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
