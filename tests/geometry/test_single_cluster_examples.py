"""Test that the examples in the docstrings of the public functions are right."""

import doctest

import pytest

from polyframe import geometry


@pytest.mark.parametrize("name", geometry.__all__)
def test_examples(name):
    function = getattr(geometry, name)
    (examples,) = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    assert examples.examples
    assert doctest.DocTestRunner().run(examples).failed == 0
