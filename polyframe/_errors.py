"""The errors that a user can cause, each with a one-line message that names what to do next."""


class PolyframeError(Exception):
    """Something in the input or the surroundings stops the work; the message is one line.

    The command line prints the message and ends with exit code 1.
    """


class UsageError(PolyframeError):
    """The call itself is wrong: an unknown setting, a value out of range, settings that contradict.

    The command line prints the message and ends with exit code 2.
    """
