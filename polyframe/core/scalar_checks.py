"""Check and convert single values from callers."""

from typing import Any, Final

#: The largest index of a tool or a frame: the tables store them as i32.
LARGEST_INDEX: Final = 2**31 - 1


def is_integer(value: object) -> bool:
    """Return whether a value is an integer; True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool)


def as_builtin(value: Any) -> Any:
    """Return a scalar of another library, such as NumPy, as Python's own type."""
    return value.item() if hasattr(value, "item") and not hasattr(value, "__len__") else value
