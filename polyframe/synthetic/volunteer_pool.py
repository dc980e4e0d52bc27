"""Generate the volunteers of a synthetic project: their names, their screens and how they draw."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from polyframe.core.arrays import Flags, Floats
from polyframe.synthetic.random_numbers import CARELESS, VOLUNTEERS, bell_shaped, integers, stream, uniform
from polyframe.synthetic.synth_options import SynthOptions

_ADJECTIVES: Final = (
    *("amber", "brisk", "calm", "dusty", "eager", "faint", "gentle", "hazy", "ivory", "jolly", "keen"),
    *("lunar", "misty", "nimble", "olive", "patient", "quiet", "rusty", "silver", "tidy", "umber", "vivid"),
)
_NOUNS: Final = (
    *("badger", "comet", "curlew", "dormouse", "fern", "gannet", "heron", "kestrel", "lichen", "linnet"),
    *("marten", "moss", "newt", "otter", "plover", "puffin", "quark", "rook", "sedge", "stoat", "wren"),
)
#: How much further off the outlines of careless volunteers are than those of others.
_CARELESSNESS: Final = 4.0

_WEBKIT: Final = "AppleWebKit/537.36 (KHTML, like Gecko)"
_BROWSERS: Final = (
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:134.0) Gecko/20100101 Firefox/134.0",
    f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_WEBKIT} Chrome/132.0.0.0 Safari/537.36",
    f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_WEBKIT} Chrome/131.0.0.0 Safari/537.36",
)


@dataclass(frozen=True)
class VolunteerPool:
    """The volunteers of a project, one entry each in every attribute."""

    name: tuple[str, ...]
    user_id: tuple[str, ...]  # empty for visitors who are not logged in
    ip: tuple[str, ...]
    session: tuple[str, ...]
    browser: tuple[str, ...]
    viewport: tuple[tuple[int, int], ...]  # of the browser window, in pixels
    screen_width: Floats  # of an image on the screen; marks lie on whole screen pixels
    scribbler: Flags  # whether the volunteer always scribbles
    pace: Floats  # vertices of a freehand mark, as a multiple of the option
    care: Floats  # distance of marks from the truth, as a multiple of the usual distance
    bias: Floats  # how much too wide (positive) or too tight the volunteer draws, as a fraction of the radius


def make_volunteers(options: SynthOptions) -> VolunteerPool:
    """Return the volunteers of a project."""
    n = options.pool_size
    bits = stream(options.seed, VOLUNTEERS)
    raw = np.asarray(bits.random_raw(8 * n), dtype=np.uint64).reshape(n, 8).tolist()
    ip = tuple(f"{r[0]:016x}{r[1] >> 48:04x}" for r in raw)
    anonymous = uniform(bits, n) < 0.35
    name = tuple(
        f"not-logged-in-{ip[i]}"
        if anonymous[i]
        else f"{_ADJECTIVES[r[6] % len(_ADJECTIVES)]}_{_NOUNS[r[7] % len(_NOUNS)]}_{i + 1}"
        for i, r in enumerate(raw)
    )
    window = 900 + integers(bits, 1000, n)
    pool = VolunteerPool(
        name=name,
        user_id=tuple("" if anonymous[i] else str(2_000_000 + 17 * i) for i in range(n)),
        ip=ip,
        session=tuple(f"{r[2]:016x}{r[3]:016x}{r[4]:016x}{r[5]:016x}" for r in raw),
        browser=tuple(_BROWSERS[i] for i in integers(bits, len(_BROWSERS), n).tolist()),
        viewport=tuple((w, w * 9 // 16) for w in window.tolist()),
        # Quarters of a pixel: exact in binary, and short when written.
        screen_width=np.round(window * 0.62 * 4) / 4,
        scribbler=_choose_share(uniform(bits, n), options.scribblers),
        pace=0.8 + 0.4 * uniform(bits, n),
        care=0.7 + 0.7 * uniform(bits, n),
        bias=0.022 * bell_shaped(bits, n),
    )
    return pool if options.careless == 0 else _with_careless(pool, options)


def _with_careless(pool: VolunteerPool, options: SynthOptions) -> VolunteerPool:
    """Let a share of the volunteers be careless, scribblers last; the others stay as they are."""
    chance = uniform(stream(options.seed, CARELESS), len(pool.name)) + pool.scribbler
    factor = np.where(_choose_share(chance, options.careless), _CARELESSNESS, 1.0)
    return replace(pool, care=pool.care * factor, bias=pool.bias * factor)


def _choose_share(chance: Floats, share: float) -> Flags:
    """Choose a share of the volunteers, rounded, but at least one unless the share is 0: the least first."""
    rank = np.argsort(np.argsort(chance, kind="stable"), kind="stable")
    chosen: Flags = rank < (max(1, round(share * len(chance))) if share > 0 else 0)
    return chosen
