"""Drawings of marks, averages and contours: their colours, titles, legends and limits."""

import dataclasses
from typing import Any

import numpy as np
import pytest
import shapely
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from plotted_groups import box, squares_group

import polyframe as pf
from polyframe.core.colours import MAJORITY, MAJORITY_RIM
from polyframe.core.errors import PolyframeError, UsageError
from polyframe.plot import MarkGroup
from polyframe.plot.line_styles import ON_IMAGE, ON_WHITE, OUTLIER_ON_IMAGE, OUTLIER_ON_WHITE, cluster_style
from polyframe.synthetic import toy_cluster

IMAGE = np.zeros((80, 120, 3), dtype=np.uint8)


def lines(ax: Axes, gid: str) -> list:
    return [line for line in ax.lines if line.get_gid() == gid]


def patches(ax: Axes, gid: str) -> list:
    return [patch for patch in ax.patches if patch.get_gid() == gid]


def title(ax: Axes) -> str:
    """The title in one line."""
    return " ".join(ax.get_title(loc="left").split())


def legend(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_marks_are_coloured_by_cluster_and_outliers_dashed(ax: Axes) -> None:
    assert pf.plot.marks(squares_group(2, outliers=2), ax) is ax
    drawn = lines(ax, "mark")
    assert [to_hex(line.get_color()).upper() for line in drawn] == [ON_WHITE[0]] * 3 + [ON_WHITE[1]] * 3
    assert {line.get_linestyle() for line in drawn} == {"-"}
    outliers = lines(ax, "outlier")
    assert len(outliers) == 2
    assert {line.get_linestyle() for line in outliers} == {"--"}
    assert {to_hex(line.get_color()) for line in outliers} == {OUTLIER_ON_WHITE}
    assert np.array_equal(drawn[0].get_xydata(), box(0, 0))


@pytest.mark.parametrize("draw", [pf.plot.marks, pf.plot.averages, pf.plot.agreement])
def test_axes_have_the_limits_of_the_image(draw, ax: Axes) -> None:
    draw(squares_group(), ax, image=IMAGE)
    assert ax.get_xlim() == (0, 120)
    assert ax.get_ylim() == (80, 0)
    assert ax.get_aspect() == 1
    assert ax.images[0].get_extent() == [0, 120, 80, 0]


@pytest.mark.parametrize("draw", [pf.plot.marks, pf.plot.averages, pf.plot.agreement])
def test_without_an_image_the_limits_are_around_the_marks(draw, ax: Axes) -> None:
    draw(squares_group(), ax)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < 0 < 32 < right < 40
    assert top < 0 < 50 < bottom < 60
    assert ax.get_aspect() == 1
    assert not ax.images
    assert to_hex(ax.get_facecolor()) == "#ffffff"


def test_a_correction_beyond_the_marks_is_not_cut_off(ax: Axes) -> None:
    group = squares_group(1)
    cluster = dataclasses.replace(
        group.clusters[0],
        average=np.array([[-50.0, 0], [100, 0], [100, 90], [-50, 0]]),
        average_type="corrected",
    )
    pf.plot.averages(dataclasses.replace(group, clusters=[cluster]), ax)
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    assert left < -50
    assert right > 100
    assert top < 0
    assert bottom > 90
    assert "corrected, consensus" in " ".join(legend(ax)[0].split())


def test_on_an_image_lines_are_light_with_a_dark_rim(ax: Axes) -> None:
    pf.plot.marks(squares_group(1), ax, image=IMAGE)
    (line, *_), (outlier,) = lines(ax, "mark"), lines(ax, "outlier")
    assert to_hex(line.get_color()).upper() == ON_IMAGE[0]
    assert to_hex(outlier.get_color()).upper() == OUTLIER_ON_IMAGE
    assert line.get_path_effects()


@pytest.mark.parametrize("draw", [pf.plot.marks, pf.plot.averages, pf.plot.agreement])
def test_titles_describe_the_drawing(draw, ax: Axes) -> None:
    draw(squares_group(2), ax)
    text = title(ax)
    assert "Subject 7, frame 1, T0_toolIndex2" in text
    assert "7 marks of 3 volunteers, 2 clusters (consensus 0.50 to 0.51), 1 outlier" in text
    draw(squares_group(1), ax, title="Mine")
    assert title(ax) == "Mine"


def test_a_dollar_sign_in_a_task_is_not_mathematics(ax: Axes) -> None:
    pf.plot.marks(dataclasses.replace(squares_group(), tool="$x$\\frac$_tool0"), ax)
    ax.figure.draw_without_rendering()
    assert "$x$\\frac$_tool0" in title(ax)


def test_legends_name_clusters_and_outliers(ax: Axes) -> None:
    pf.plot.marks(squares_group(2, outliers=3), ax)
    expected = ["cluster 0: 3 marks, consensus 0.50", "cluster 1: 3 marks, consensus 0.51", "3 outliers"]
    assert legend(ax) == expected


def test_legends_are_bounded(ax: Axes) -> None:
    pf.plot.marks(squares_group(30), ax)
    assert len(legend(ax)) == 10
    assert legend(ax)[-2:] == ["and 22 more clusters", "1 outlier"]


def test_clusters_after_the_eighth_have_other_line_styles() -> None:
    styles = [cluster_style(label, on_image=False) for label in range(24)]
    assert len({(style.color, style.linestyle) for style in styles}) == 24
    assert "dashed" not in {style.linestyle for style in styles}


def test_averages_are_thick_over_faint_marks(ax: Axes) -> None:
    assert pf.plot.averages(squares_group(2), ax) is ax
    drawn = patches(ax, "average")
    assert [to_hex(patch.get_edgecolor()).upper() for patch in drawn] == [*ON_WHITE[:2]]
    assert np.array_equal(drawn[0].get_xy(), box(1, 1))
    faint = lines(ax, "mark")
    assert len(faint) == 6
    assert max(line.get_linewidth() for line in faint) < drawn[0].get_linewidth() / 2
    assert title(ax).startswith("Averaged polygons: median")


def test_an_empty_average_is_in_the_legend(ax: Axes) -> None:
    group = squares_group(1)
    empty = dataclasses.replace(group.clusters[0], average=np.zeros((0, 2)), average_type="intersection")
    pf.plot.averages(dataclasses.replace(group, clusters=[empty]), ax)
    assert not patches(ax, "average")
    assert legend(ax)[0] == "cluster 0: 3 marks, empty average"


def test_a_dropped_cluster_is_in_the_legend(ax: Axes) -> None:
    group = squares_group(1)
    dropped = dataclasses.replace(
        group.clusters[0], average=np.zeros((0, 2)), average_type=None, consensus=None, levels=[]
    )
    group = dataclasses.replace(group, clusters=[dropped])
    for draw in (pf.plot.marks, pf.plot.averages):
        draw(group, ax)
        assert legend(ax)[0] == "cluster 0: 3 marks, dropped (min_threshold, or a correction)"
    pf.plot.agreement(group, ax)


def majorities(group: MarkGroup, ax: Axes, **options: Any) -> list[shapely.Polygon]:
    pf.plot.agreement(group, ax, **options)
    return [shapely.Polygon(line.get_xydata()) for line in lines(ax, "majority")]


def test_agreement_has_the_outline_of_the_majority(ax: Axes) -> None:
    # Of three squares of 10 pixels, each 1 pixel further: two of them cover two squares of 9 pixels.
    first, second = majorities(squares_group(2), ax)
    expected = shapely.union(shapely.box(1, 1, 10, 10), shapely.box(2, 2, 11, 11))
    assert first.equals(expected)
    assert second.equals(shapely.affinity.translate(expected, 20))
    assert legend(ax) == ["majority: what more than half of the marks cover"]
    assert {to_hex(line.get_color()).upper() for line in lines(ax, "majority")} == {MAJORITY}
    (rim, _) = lines(ax, "majority")[0].get_path_effects()
    assert rim._gc["foreground"] == MAJORITY_RIM


def test_the_majority_of_two_marks_is_the_median(ax: Axes) -> None:
    group = squares_group(1)
    two = dataclasses.replace(group, marks=group.marks[1:], labels=np.array([0, 0, -1]))
    (outline,) = majorities(two, ax)
    assert outline.equals(shapely.box(1, 1, 11, 11))  # the first on ties


def test_clusters_without_a_majority_have_none(ax: Axes) -> None:
    group = squares_group(2)
    dropped = dataclasses.replace(group.clusters[0], consensus=None, levels=[])
    average = dataclasses.replace(group.clusters[1], average_type="majority", average=box(20, 0, 5))
    drawn = majorities(dataclasses.replace(group, clusters=[dropped, average]), ax, image=IMAGE)
    # An average of this kind is drawn as it is in the tables.
    assert [outline.bounds for outline in drawn] == [(20, 0, 25, 5)]
    assert ax.get_legend().get_frame_on()
    ax.clear()
    assert majorities(dataclasses.replace(group, clusters=[dropped]), ax) == []
    assert ax.get_legend() is None


def test_agreement_has_a_band_for_each_level_and_a_colour_bar(ax: Axes) -> None:
    assert pf.plot.agreement(squares_group(2), ax) is ax
    bands = [band for band in ax.collections if band.get_gid() == "agreement"]
    assert len(bands) == 2
    assert bands[0].get_array().tolist() == pytest.approx([1 / 3, 2 / 3, 1])
    assert bands[0].get_clim() == (0, 1)
    # Bands do not overlap: the second is a hole of the first.
    outer = bands[0].get_paths()[0]
    assert outer.contains_point((0.5, 0.5))
    assert not outer.contains_point((5, 5))
    (bar,) = ax.child_axes
    assert bar.get_ylabel() == "agreement"
    assert bar.get_ylim() == (0, 1)
    ax.figure.draw_without_rendering()
    assert [bar.get_yticklabels()[k].get_text() for k in (0, -1)] == ["0%", "100%"]


def test_a_level_is_drawn_for_clusters_that_have_it(ax: Axes) -> None:
    group = squares_group(2)
    flat = dataclasses.replace(group.clusters[1], levels=group.clusters[1].levels[:1])
    group = dataclasses.replace(group, clusters=[group.clusters[0], flat])
    assert pf.plot.level(group, ax, level=3) is ax
    (drawn,) = patches(ax, "level")
    assert np.array_equal(drawn.get_xy(), box(2, 2, 8))
    assert legend(ax)[:2] == ["cluster 0: 3 marks, level 3 of 3", "cluster 1: 3 marks, only 1 level"]
    assert title(ax).startswith("Contour level 3: where at least 3 marks of a cluster overlap")


def test_a_share_is_another_level_in_clusters_of_other_sizes(ax: Axes) -> None:
    group = squares_group(3)
    clusters = [
        dataclasses.replace(cluster, n_marks=n_marks)
        for cluster, n_marks in zip(group.clusters, (3, 2, 9), strict=True)
    ]
    pf.plot.level(dataclasses.replace(group, clusters=clusters), ax, level="50%")
    assert [patch.get_xy().tolist() for patch in patches(ax, "level")] == [
        box(1, 1, 9).tolist(),
        box(20, 0, 10).tolist(),
    ]
    assert legend(ax)[:3] == [
        "cluster 0: 3 marks, level 2 of 3",
        "cluster 1: 2 marks, level 1 of 3",
        "cluster 2: 9 marks, only 3 levels",
    ]
    assert title(ax).startswith("Contour level 50%: where at least 50% of the marks of a cluster overlap")


def test_a_too_high_level_gives_a_note(ax: Axes) -> None:
    pf.plot.level(squares_group(1), ax, level=9)
    assert not patches(ax, "level")
    assert [text.get_text() for text in ax.texts] == ["no cluster has level 9; the highest is 3"]
    with pytest.raises(UsageError, match="level: 0"):
        pf.plot.level(squares_group(1), ax, level=0)


@pytest.mark.parametrize(
    "draw", [pf.plot.marks, pf.plot.averages, pf.plot.agreement, lambda g, a: pf.plot.level(g, a, level=2)]
)
def test_a_group_without_clusters_or_marks_can_be_drawn(draw, ax: Axes) -> None:
    assert draw(squares_group(0), ax) is ax
    assert "0 clusters, 1 outlier" in title(ax)
    draw(squares_group(0, outliers=0), Figure().add_subplot())


def test_missing_contours_are_an_error(ax: Axes) -> None:
    for draw in (pf.plot.agreement, lambda g, a: pf.plot.level(g, a, level=1)):
        with pytest.raises(PolyframeError, match="polyframe contours OUT"):
            draw(squares_group(1, levels=False), ax)


def test_nothing_is_drawn_through_pyplot() -> None:
    import subprocess
    import sys

    code = "import sys, polyframe.plot; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_last_is_the_mark_of_the_last_volunteer(ax: Axes) -> None:
    cluster = toy_cluster(n_sides=5, n_marks=6, spread=0.1, seed=3)
    pf.plot.toy(cluster, ax, eps=0.9, average_type="last")
    (average,) = patches(ax, "average")
    drawn = np.unique(np.round(average.get_path().vertices, 6), axis=0)
    expected = 100 * np.stack([cluster.xs[-1], cluster.ys[-1]], axis=1)
    assert np.array_equal(drawn, np.unique(np.round(expected, 6), axis=0))
