"""Records do what frozen dataclasses do."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property

import pytest

from kit.core.frozen import frozen


@frozen
class Point:
    """A place."""

    x: int
    y: int = 2
    names: list[str] = field(default_factory=list, repr=False)

    @cached_property
    def sum(self) -> int:
        return self.x + self.y


@frozen
class Hidden:
    key: bytes = field(repr=False)
    name: str = ""


@frozen
class Nothing:
    """No fields."""


@dataclass(frozen=True)
class Reference:
    """A frozen dataclass of the standard library."""

    key: bytes = field(repr=False)
    name: str = ""


def test_it_takes_its_fields_by_place_and_name_with_their_defaults() -> None:
    assert (Point(1).x, Point(1).y, Point(x=3, y=4).y) == (1, 2, 4)
    assert Point(1).names is not Point(1).names
    assert (Point.__name__, Point.__doc__, Hidden.__doc__) == ("Point", "A place.", "Hidden")


@pytest.mark.parametrize("kind", [Point, Hidden])
def test_a_field_that_is_missing_or_foreign_is_an_error(kind: type) -> None:
    for _ in range(2):  # the first time is another way than the second
        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            kind()
        with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
            kind(1, z=3)


def test_records_are_equal_by_kind_and_fields() -> None:
    assert Hidden(b"1", "a") == Hidden(b"1", "a") != Hidden(b"2", "a")
    assert Hidden(b"1", "a") != Reference(b"1", "a")
    assert len({Hidden(b"1"), Hidden(b"1"), Hidden(b"2")}) == 2
    assert Nothing() == Nothing() and len({Nothing(), Nothing()}) == 1


def test_what_was_worked_out_later_is_no_field() -> None:
    first, second = Point(1), Point(1)
    assert first.sum == 3
    assert first == second
    with pytest.raises(TypeError, match="unhashable"):
        hash(first)


def test_what_is_hidden_is_in_no_repr() -> None:
    assert repr(Hidden(b"secret", "a")) == repr(Reference(b"secret", "a")).replace("Reference", "Hidden")
    assert repr(Point(1, 2, ["a"])) == "Point(x=1, y=2)"
    assert repr(Nothing()) == "Nothing()"


def test_the_functions_of_dataclasses_know_it() -> None:
    assert [each.name for each in fields(Hidden)] == ["key", "name"]
    assert replace(Hidden(b"1", "a"), name="b") == Hidden(b"1", "b")
    assert asdict(Hidden(b"1", "a")) == {"key": b"1", "name": "a"}
    match Hidden(b"1", "a"):
        case Hidden(key, name):
            assert (key, name) == (b"1", "a")
