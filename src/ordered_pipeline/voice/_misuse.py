"""What the voice layer refuses, and how it is said."""


def check_count(name: str, value: object, way_out: str) -> None:
    """Check that *value* is a whole number of at least 1.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is less.
    """
    if type(value) is not int:
        raise TypeError(f"{name} must be a whole number, got {value!r}; {way_out}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, got {value!r}; {way_out}")


def check_positive(name: str, value: object, way_out: str) -> None:
    """Check that *value* is a number above 0.

    Raises:
        TypeError: It is no number.
        ValueError: It is not above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a number, got {value!r}; {way_out}")
    if not value > 0:
        raise ValueError(f"{name} must be above 0, got {value!r}; {way_out}")


def check_kind(name: str, value: object, kind: type | tuple[type, ...], what: str, way_out: str = "") -> None:
    """Check that *value* is of a *kind*, which is said as *what*.

    Raises:
        TypeError: It is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {what}, got {value!r}" + (f"; {way_out}" if way_out else ""))
