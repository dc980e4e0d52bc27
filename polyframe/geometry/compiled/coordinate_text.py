"""Read lists of coordinates as text in JSON (compiled).

A decimal number of few digits is the quotient or product of two numbers that float64 represents exactly, so
one division or multiplication rounds it correctly. Numbers of more digits are copied out of the text, for
the caller to parse.

References
----------
W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990: the fast case.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Flags, Floats, Ints
from polyframe.geometry.compiled.numba_jit import compiled

#: Integers up to here, and powers of ten up to that one, are exact in float64.
_LARGEST_EXACT = 1 << 53
_LARGEST_POWER = 22
_POWERS = np.array([float(f"1e{power}") for power in range(_LARGEST_POWER + 1)])

#: An integer of so many digits is less than 2**63.
_MOST_DIGITS = 18
#: Larger exponents are read as this one, so that they cannot overflow.
_MOST_EXPONENT = 10_000

_COMMA, _MINUS, _PLUS, _POINT, _SPACE, _ZERO, _EXPONENT = (ord(character) for character in ",-+. 0e")
_OPEN, _CLOSE, _QUOTE, _COLON, _X, _Y = (ord(character) for character in '{}":xy')


class ListNumbers(NamedTuple):
    """The numbers of n lists, of points x and y in turn.

    Attributes
    ----------
    is_usual : ndarray of bool, shape (n,)
        Whether a list has the usual form: numbers as in JSON or points `{"x": 1, "y": 2}`, at least one, with
        at most one space after a comma or a colon.
    counts : ndarray of int64, shape (n,)
        How many numbers it has; 0 if it is not usual.
    values : ndarray of float64, shape (v,)
        Correctly rounded; -0 is 0. Those of long numbers are not set.
    long_numbers : ndarray of int64, shape (k,)
        The positions in `values` of numbers of many digits or with large exponents.
    long_text : ndarray of uint8, shape (b,)
        Their text, each with a comma after it.
    """

    is_usual: Flags
    counts: Ints
    values: Floats
    long_numbers: Ints
    long_text: NDArray[np.uint8]


def read_lists(text: NDArray[np.uint8], begins: Ints, ends: Ints, is_points: Flags) -> ListNumbers:
    """Read lists of numbers or points.

    Parameters
    ----------
    text : ndarray of uint8
    begins, ends : ndarray of int64, shape (n,)
        List i is the text from `begins[i]` to `ends[i]`; its first character is `[`, its last one `]`.
    is_points : ndarray of bool, shape (n,)
        Whether a list is one of points.
    """
    # A number and its comma or bracket have at least two characters, and one of many digits is longer.
    most = int((ends - begins).sum()) // 2
    values, long_numbers, long_text = (
        np.empty(most),
        np.empty(most, np.int64),
        np.empty(2 * most + 1, np.uint8),
    )
    is_usual, counts = np.zeros(len(begins), np.bool_), np.zeros(len(begins), np.int64)
    sizes = np.zeros(3, np.int64)
    text = text[:]
    text.flags.writeable = False  # the type for which the loop is compiled
    _read(
        text,
        begins,
        ends,
        is_points,
        _POWERS,
        is_usual,
        counts,
        values,
        long_numbers,
        long_text,
        sizes,
    )
    return ListNumbers(is_usual, counts, values[: sizes[0]], long_numbers[: sizes[1]], long_text[: sizes[2]])


@compiled
def _read(
    text: NDArray[np.uint8],
    begins: Ints,
    ends: Ints,
    is_points: Flags,
    powers: Floats,
    is_usual: Flags,
    counts: Ints,
    values: Floats,
    long_numbers: Ints,
    long_text: NDArray[np.uint8],
    sizes: Ints,
) -> None:
    # One function, since each call of another one with arrays takes longer than a number. The text at `stop`
    # is a bracket, which ends all loops.
    n = n_long = n_text = 0
    for i in range(len(begins)):
        at, stop = begins[i] + 1, ends[i] - 1
        first, first_long, first_text = n, n_long, n_text
        while True:
            if is_points[i]:
                key = _X
                if (n - first) & 1:
                    key = _Y
                elif text[at] == _OPEN:
                    at += 1
                else:
                    break
                if at + 4 >= stop or text[at] != _QUOTE or text[at + 1] != key:
                    break
                if text[at + 2] != _QUOTE or text[at + 3] != _COLON:
                    break
                at += 4
                if text[at] == _SPACE:
                    at += 1

            start = at
            negative = text[at] == _MINUS
            if negative:
                at += 1
            begin, integer, exponent = at, 0, 0
            digit = int(text[at]) - _ZERO
            starts_with_zero = digit == 0
            while 0 <= digit <= 9:
                integer = 10 * integer + digit
                at += 1
                digit = int(text[at]) - _ZERO
            digits = at - begin
            if digits == 0 or (starts_with_zero and digits > 1):
                break
            if text[at] == _POINT:
                at += 1
                begin = at
                digit = int(text[at]) - _ZERO
                while 0 <= digit <= 9:
                    integer = 10 * integer + digit
                    at += 1
                    digit = int(text[at]) - _ZERO
                exponent = begin - at
                if exponent == 0:
                    break
                digits -= exponent
            if text[at] | 32 == _EXPONENT:
                at += 1
                sign = 1
                if text[at] == _MINUS or text[at] == _PLUS:
                    sign = -1 if text[at] == _MINUS else 1
                    at += 1
                begin, power = at, 0
                digit = int(text[at]) - _ZERO
                while 0 <= digit <= 9:
                    power = min(10 * power + digit, _MOST_EXPONENT)
                    at += 1
                    digit = int(text[at]) - _ZERO
                if at == begin:
                    break
                exponent += sign * power
            # With more digits, the integer may have overflowed.
            if digits <= _MOST_DIGITS and integer <= _LARGEST_EXACT and abs(exponent) <= _LARGEST_POWER:
                value = float(integer)
                value = value / powers[-exponent] if exponent < 0 else value * powers[exponent]
                values[n] = -value if negative and integer > 0 else value
            else:
                long_numbers[n_long] = n
                n_long += 1
                for place in range(start, at):
                    long_text[n_text] = text[place]
                    n_text += 1
                long_text[n_text] = _COMMA
                n_text += 1
            n += 1

            if is_points[i] and (n - first) & 1 == 0:
                if text[at] != _CLOSE:
                    break
                at += 1
            if at == stop:
                is_usual[i] = not is_points[i] or (n - first) & 1 == 0
                break
            if text[at] != _COMMA:
                break
            at += 1
            if text[at] == _SPACE:
                at += 1
        if is_usual[i]:
            counts[i] = n - first
        else:
            n, n_long, n_text = first, first_long, first_text
    sizes[0], sizes[1], sizes[2] = n, n_long, n_text
