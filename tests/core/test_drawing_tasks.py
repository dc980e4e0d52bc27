"""Test that drawing tasks and tools of the same meaning are stored alike, whose meaning stays the same."""

from hypothesis import given
from hypothesis import strategies as st

from polyframe.core.drawing_tasks import DrawingTask, kinds_of_tools, normal_drawing_tasks, normal_tools
from polyframe.core.settings import Settings

TOOLS = st.none() | st.lists(st.integers(0, 3), max_size=4).map(tuple)
TASKS = st.lists(
    st.builds(DrawingTask, st.sampled_from(["T0", "T1"]), TOOLS, st.sampled_from(["polygon", "bezier"])),
    max_size=6,
)


@given(TASKS)
def test_normal_drawing_tasks_mean_the_same(drawing_tasks: list[DrawingTask]) -> None:
    normal = normal_drawing_tasks(drawing_tasks)
    assert kinds_of_tools(normal) == kinds_of_tools(drawing_tasks)
    assert normal_drawing_tasks(normal) == normal
    settings = Settings(drawing_tasks=tuple(drawing_tasks))
    assert settings.drawing_tasks == normal
    assert Settings().replace({"drawing_tasks": drawing_tasks}) == settings


@given(TASKS, st.randoms())
def test_the_order_of_drawing_tasks_does_not_matter(drawing_tasks: list[DrawingTask], random: object) -> None:
    # Unless a tool is of two kinds, of which the last counts.
    alike = [DrawingTask(drawing.task, drawing.tools) for drawing in drawing_tasks]
    other = [DrawingTask(drawing.task, drawing.tools and drawing.tools[::-1]) for drawing in alike]
    random.shuffle(other)  # type: ignore[attr-defined]
    assert normal_drawing_tasks(alike) == normal_drawing_tasks(other) == normal_drawing_tasks(alike * 2)


def test_normal_drawing_tasks_as_in_a_configuration() -> None:
    normal = (DrawingTask("T0", (0, 2), "bezier"), DrawingTask("T0", (1,)), DrawingTask("T1"))
    given = (
        *(DrawingTask("T1"), DrawingTask("T0", (2, 0, 2), "bezier")),
        *(DrawingTask("T0", (1,)), DrawingTask("T1", ())),
    )
    assert normal_drawing_tasks(given) == normal


def test_tools_are_written_alike() -> None:
    assert normal_tools(["T1:0", "02", " 2", "T0:11", "T0:2", "2"]) == ("2", "T0:2", "T0:11", "T1:0")
