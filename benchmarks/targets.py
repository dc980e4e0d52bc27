"""List what must be reached: each measure with its target, and what the version before took."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """What one measure must reach.

    Attributes
    ----------
    most : float or None
        Largest amount: seconds, or MB of memory.
    before : float or None
        The amount of the earlier version on the machine where `most` was set. If the earlier version is
        measured too (`--before`), `most` is adjusted to the speed of this machine.
    least_ratio, most_ratio : float or None
        Smallest or largest ratio; ratios do not depend on the machine.
    in_scale : bool
        Whether `scale.py` measures it; otherwise `run.py` does.
    """

    most: float | None = None
    before: float | None = None
    least_ratio: float | None = None
    most_ratio: float | None = None
    in_scale: bool = False


#: Seconds of processor time of all processes, unless the name says otherwise.
TARGETS = {
    "first run on data/": Target(most=2.5, before=35),
    "compiling": Target(most=20, before=36),
    "first large run, elapsed": Target(most=12),
    "synth": Target(most=3.5, before=5.3),
    "synth, second run": Target(most=2.5, before=3.3),
    "synth, start-up": Target(most=1.0, before=2.0),
    "jittered, second run": Target(most=3.5, before=8.2),
    "bu-bil": Target(most=1.5, before=4.1),
    "clicked": Target(most=8, before=17.5),
    "synth, without numba": Target(most=15, before=23),
    "synth, extract + reduce": Target(least_ratio=55),
    "jittered, extract + reduce": Target(least_ratio=55),
    "synth, all tables": Target(least_ratio=170),
    "jittered, all tables": Target(least_ratio=170),
    "two workers": Target(least_ratio=1.75),
    "5,000 marks": Target(most=120),
    "5,000 marks, memory": Target(most=2000),
    "5,000 marks of one object": Target(most=120),
    "5,000 marks of one object, memory": Target(most=2000),
    "100,000 identical marks": Target(most=60),
    "100,000 identical marks, memory": Target(most=2000),
    "second run / floor": Target(most_ratio=1.2),
    "with estimates / without": Target(most_ratio=1.3),
    "1 GB, elapsed": Target(most=35, before=49, in_scale=True),
    "1 GB, memory": Target(most=1500, in_scale=True),
    "10 GB, elapsed": Target(most=350, before=491, in_scale=True),
    "10 GB, memory": Target(most=1500, in_scale=True),
}
