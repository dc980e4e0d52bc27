"""Remove the content of cells from the details of rejects: types and positions stay, values do not.

A cell that cannot be decoded may contain anything, even a name, so only our own words are kept.
"""

import re
from typing import Final

#: Replaces a detail in no known form.
NOT_SHOWN: Final = "not shown, as volunteers are not"

_NUMBER: Final = r"[0-9][0-9,]*"
_KEY: Final = "`(?:points|pathX|pathY|path)`"
_TYPES: Final = ("an object", "a list", "a string", "true or false", "null", "a number", "missing")
_TYPE: Final = rf"(?:{'|'.join(_TYPES)})"
#: Details that contain no value of the cell.
_OWN_WORDS: Final = re.compile(
    rf"the cell is empty|nested too deeply|more than {_NUMBER} characters|{_NUMBER} points"
    rf"|not UTF-8 at byte {_NUMBER}|got {_TYPE}, expected a list of objects with a `task`"
    rf"|entry {_NUMBER} is {_TYPE}, expected an object with a `task`"
    rf"|`task` of entry {_NUMBER} has {_NUMBER} characters, expected a string such as T0"
    rf"|a nested `task` has more than {_NUMBER} characters"
    rf"|{_NUMBER} (?:marks|points), expected at most {_NUMBER}"
    rf"|`points` is {_TYPE}, `pathX` is {_TYPE}, `pathY` is {_TYPE}(?:, `path` is {_TYPE})?"
    rf"|`pathX` has {_NUMBER} numbers?, `pathY` has {_NUMBER}|copy of mark {_NUMBER}"
    rf"|{_KEY}(?: and {_KEY})* (?:is|are) empty|`path` draws {_NUMBER} outlines, expected one"
    rf"|`path` is not an SVG path at character {_NUMBER}"
)
#: Details with one value of the cell between our own words.
_ONE_VALUE: Final = re.compile(
    rf"(got |`task` of entry {_NUMBER} is |`(?:tool|toolIndex|frame)` is |[xy] of point {_NUMBER} is "
    r"|a coordinate is |`points` has )(.+?)(, expected (?:an object|a string such as T0|an integer|a number"
    r"|objects with x and y))?",
    re.DOTALL,
)
#: Replacements of details by their first words.
_BY_FIRST_WORDS: Final = {
    "its keys are ": "its keys are not those of an outline",
    "`path` has ": "`path` is not an SVG path of one outline",
    "`path` begins with ": "`path` is not an SVG path of one outline",
}
_ANSWERS: Final = re.compile(rf"(copy of mark {_NUMBER}; its answers).*", re.DOTALL)
_NOT_JSON: Final = re.compile(rf".* at character ({_NUMBER})", re.DOTALL)
#: Types by the first character of a Python literal.
_TYPES_BY_CHARACTER: Final = {
    "'": "a string",
    '"': "a string",
    "[": "a list",
    "{": "an object",
    "-": "a number",
}


def redact_detail(detail: str) -> str:
    """Return a detail of a reject without the content of the cell.

    Parameters
    ----------
    detail : str
        From `polyframe.panoptes.annotations.decode` or `polyframe.consensus.extract`.

    Returns
    -------
    str
        Values are replaced by their types, such as `frame is a string, expected an integer`; `NOT_SHOWN` if
        the form of the detail is not known.
    """
    if _OWN_WORDS.fullmatch(detail):
        return detail
    if match := _ONE_VALUE.fullmatch(detail):
        return f"{match[1]}{_type_of(match[2])}{match[3] or ''}"
    if match := _ANSWERS.fullmatch(detail):
        return f"{match[1]} are lost"
    for first_words, replacement in _BY_FIRST_WORDS.items():
        if detail.startswith(first_words):
            return replacement
    if match := _NOT_JSON.fullmatch(detail):
        return f"not JSON at character {match[1]}"
    return NOT_SHOWN


def _type_of(value: str) -> str:
    if value in _TYPES or value in ("nan", "inf", "-inf"):
        return value
    if value in ("True", "False"):
        return "true or false"
    known = _TYPES_BY_CHARACTER.get(value[0], "a value")
    return "a number" if value[0] in "0123456789" else known
