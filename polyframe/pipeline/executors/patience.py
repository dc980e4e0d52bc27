"""Decide how long to wait for a cluster that has no workers."""

import time
from typing import Final

from polyframe.core.errors import PolyframeError

#: Seconds without a worker after which a run ends with an error.
_LONGEST_WITHOUT_WORKERS: Final = 60.0


class Patience:
    """Waits a limited time for workers.

    Parameters
    ----------
    cluster : str
        Names the cluster in messages.
    """

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._since: float | None = None

    def check(self, workers: int) -> None:
        """Take note of the number of workers.

        Raises
        ------
        PolyframeError
            If there have been none for too long.
        """
        now = time.monotonic()
        if workers:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since > _LONGEST_WITHOUT_WORKERS:
            raise PolyframeError(
                f"{self._cluster}: has had no worker for {_LONGEST_WITHOUT_WORKERS:.0f} seconds; start some, "
                "then run the command again"
            )
