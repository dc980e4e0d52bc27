"""Who the volunteers of a synthetic project are: their names, their screens and how they draw."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.synthetic.random_numbers import VOLUNTEERS, bell, stream, uniform, whole
from polyframe.synthetic.synth_options import SynthOptions

_ADJECTIVES: Final = (
    *("amber", "brisk", "calm", "dusty", "eager", "faint", "gentle", "hazy", "ivory", "jolly", "keen"),
    *("lunar", "misty", "nimble", "olive", "patient", "quiet", "rusty", "silver", "tidy", "umber", "vivid"),
)
_NOUNS: Final = (
    *("badger", "comet", "curlew", "dormouse", "fern", "gannet", "heron", "kestrel", "lichen", "linnet"),
    *("marten", "moss", "newt", "otter", "plover", "puffin", "quark", "rook", "sedge", "stoat", "wren"),
)
_BROWSERS: Final = (
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:134.0) Gecko/20100101 Firefox/134.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/132.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
)


@dataclass(frozen=True)
class Volunteers:
    """The people of a project; every array has one entry for each.

    Attributes
    ----------
    name, user_id, ip, session, browser : tuple of str
        As in an export; `user_id` is empty for those not logged in.
    viewport : tuple of (int, int)
        Width and height of the browser's window, in pixels.
    screen_width : float64 array
        Width of an image on the screen, in screen pixels. Marks lie on whole screen pixels.
    scribbler : bool array
        Draws scribbles, whatever there is to be seen.
    pace : float64 array
        Vertices of a freehand mark, as a multiple of what the options say.
    care : float64 array
        How far marks are from the truth, as a multiple of the usual.
    bias : float64 array
        How much too wide (positive) or too tight this person draws, as a fraction of the radius.
    """

    name: tuple[str, ...]
    user_id: tuple[str, ...]
    ip: tuple[str, ...]
    session: tuple[str, ...]
    browser: tuple[str, ...]
    viewport: tuple[tuple[int, int], ...]
    screen_width: Floats
    scribbler: Flags
    pace: Floats
    care: Floats
    bias: Floats


def make_volunteers(options: SynthOptions) -> Volunteers:
    """Return the people of a project."""
    n = options.pool_size
    bits = stream(options.seed, VOLUNTEERS)
    raw = np.asarray(bits.random_raw(8 * n), dtype=np.uint64).reshape(n, 8).tolist()
    ip = tuple(f"{r[0]:016x}{r[1] >> 48:04x}" for r in raw)
    session = tuple(f"{r[2]:016x}{r[3]:016x}{r[4]:016x}{r[5]:016x}" for r in raw)
    anonymous = uniform(bits, n) < 0.35
    name = tuple(
        f"not-logged-in-{ip[i]}"
        if anonymous[i]
        else f"{_ADJECTIVES[raw[i][6] % len(_ADJECTIVES)]}_{_NOUNS[raw[i][7] % len(_NOUNS)]}_{i + 1}"
        for i in range(n)
    )
    user_id = tuple("" if anonymous[i] else str(2_000_000 + 17 * i) for i in range(n))
    window: Ints = 900 + whole(bits, 1000, n)
    return Volunteers(
        name=name,
        user_id=user_id,
        ip=ip,
        session=session,
        browser=tuple(_BROWSERS[i] for i in whole(bits, len(_BROWSERS), n).tolist()),
        viewport=tuple((w, w * 9 // 16) for w in window.tolist()),
        # Quarters of a pixel: exact in binary, and short when written.
        screen_width=np.round(window * 0.62 * 4) / 4,
        scribbler=_some(bits, n, options.scribblers),
        pace=0.8 + 0.4 * uniform(bits, n),
        care=0.7 + 0.7 * uniform(bits, n),
        bias=0.022 * bell(bits, n),
    )


def _some(bits: np.random.PCG64, n: int, share: float) -> Flags:
    """Choose a share of n, rounded, but at least one where the share is not 0."""
    rank = np.argsort(np.argsort(uniform(bits, n), kind="stable"), kind="stable")
    chosen: Flags = rank < (max(1, round(share * n)) if share > 0 else 0)
    return chosen
