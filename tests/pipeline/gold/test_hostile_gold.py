"""Any JSON gives outlines or a one-line error."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyframe as pf
from polyframe.core.settings import Settings
from polyframe.pipeline.gold.project import Project
from polyframe.pipeline.gold.read_gold import GoldSource, read_gold

NUMBERS = st.one_of(
    st.integers(-20, 20), st.floats(), st.sampled_from([10**30, -(2**63), 1e308, True, None, "5", "x", ""])
)
POINTS = st.lists(st.lists(NUMBERS, max_size=3), max_size=5)
VALUES = st.recursive(
    NUMBERS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "id", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)
RINGS = st.lists(POINTS, max_size=3)
GEOMETRIES = st.one_of(
    VALUES,
    st.fixed_dictionaries({"type": st.just("Polygon"), "coordinates": RINGS | VALUES}),
    st.fixed_dictionaries(
        {"type": st.just("MultiPolygon"), "coordinates": st.lists(RINGS, max_size=2) | VALUES}
    ),
)
PROPERTIES = st.fixed_dictionaries(
    {"subject_id": st.sampled_from([1, 2, "1", 7]) | VALUES},
    optional={
        "frame": st.sampled_from([0, 1]) | VALUES,
        "tool": st.sampled_from(["T0_toolIndex0", "cat\n"]) | VALUES,
    },
)
FEATURES = VALUES | st.fixed_dictionaries({"properties": PROPERTIES | VALUES, "geometry": GEOMETRIES})
IMAGES = VALUES | st.fixed_dictionaries(
    {
        "id": st.sampled_from([1, 2]) | VALUES,
        "file_name": st.sampled_from(["1-0.png", "x 2.png", "a\nb\u2028" + "c" * 999]) | VALUES,
    },
    optional={"subject_id": VALUES, "frame": VALUES},
)
ANNOTATIONS = VALUES | st.fixed_dictionaries(
    {
        "image_id": st.sampled_from([1, 2]) | VALUES,
        "category_id": st.sampled_from([1, 2]) | VALUES,
        "segmentation": st.lists(st.lists(NUMBERS, max_size=8), max_size=2) | VALUES,
    },
    optional={"iscrowd": VALUES},
)
CATEGORIES = VALUES | st.fixed_dictionaries(
    {"id": VALUES, "name": st.sampled_from(["cat\n", "T0_toolIndex0"]) | VALUES}
)
CONTENTS = st.one_of(
    VALUES,
    st.fixed_dictionaries({"type": st.just("FeatureCollection"), "features": st.lists(FEATURES, max_size=3)}),
    st.fixed_dictionaries(
        {
            "images": st.lists(IMAGES, max_size=3),
            "annotations": st.lists(ANNOTATIONS, max_size=3),
            "categories": st.lists(CATEGORIES, max_size=2) | VALUES,
        }
    ),
)


@pytest.mark.parametrize("tools", [{}, {"T0_toolIndex0": "T0"}, {"T0_toolIndex0": "T0", "T1_tool3": "T1"}])
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(CONTENTS)
def test_any_content(tools: dict[str, str], tmp_path: Path, content: Any) -> None:
    path = tmp_path / "gold.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    notes: list[str] = []

    def no_rows() -> Any:
        raise AssertionError

    try:
        gold = read_gold(
            GoldSource(path), Project("out", 7, frozenset({1, 2}), tools), Settings(), no_rows, notes.append
        )
    except pf.PolyframeError as error:
        notes.append(str(error))
    else:
        outlines = gold.outlines.outlines
        assert (outlines.areas > 0).all()
        assert set(outlines.keys["subject_id"]) <= set(gold.outlines.subjects) <= {1, 2}
        assert len(gold.outlines.covers(outlines.keys)) == len(outlines.areas)
    assert all(len(note.splitlines()) == 1 and len(note) < 500 for note in notes)
