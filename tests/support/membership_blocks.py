"""Put blocks of memberships together."""

import numpy as np

from polyframe.geometry.memberships import MembershipBlock


def together(blocks):
    """Return one block of several clusters, of as many words as the largest one needs."""
    words = max(block.bits.shape[1] for block in blocks)
    bits = [np.pad(block.bits, ((0, 0), (0, words - block.bits.shape[1]))) for block in blocks]
    return MembershipBlock(
        np.concatenate([block.areas for block in blocks]),
        np.concatenate(bits),
        np.concatenate([block.cluster for block in blocks]),
    )
