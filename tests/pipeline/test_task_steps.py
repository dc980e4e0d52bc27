"""How much of a partition task is done, by its steps."""

import pytest

from polyframe.core.callbacks import Running
from polyframe.core.choices import EngineName
from polyframe.core.task_reports import TaskReport
from polyframe.pipeline.task_steps import TaskSteps, running_tasks

ALL = ("extract", "reduce", "contours")
STEPS = ("rows", "cells", "outlines", "write-extract", "pairs", "averages", "write-reduce", "contours")


@pytest.mark.parametrize("engine", ["shapely", "compiled"])
@pytest.mark.parametrize("stages", [("extract",), ("reduce",), ("contours",), ALL])
def test_the_share_grows_from_0_to_1(stages: tuple[str, ...], engine: EngineName) -> None:
    steps = TaskSteps(100, stages, engine)
    own = ["rows", "outlines", *(["cells", "write-extract"] if "extract" in stages else [])]
    own += ["pairs"] if stages != ("extract",) else []
    own += ["averages", "write-reduce"] if "reduce" in stages else []
    own += ["contours", "write-contours"] if "contours" in stages else []
    in_order = sorted(own, key=[*STEPS, "write-contours"].index)
    shares = [steps.share_done(TaskReport(step, 9, share)) for step in in_order for share in (0, 0.5, 1)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, pytest.approx(1))
    # The end of a step is the beginning of the next one.
    assert shares[2:-1:3] == pytest.approx(shares[3::3])


def test_the_rows_of_running_tasks_add_up() -> None:
    tasks = {"00000": TaskSteps(100, ALL, "shapely"), "00001": TaskSteps(40, ALL, "shapely")}
    half = TaskReport("contours", 7300, 0.5)
    share = tasks["00000"].share_done(half)
    running = running_tasks({"00001": half, "00000": half, "probe": half}, tasks)
    assert running.rows == pytest.approx(140 * share)
    assert running.doing == "drawing contours: 3,650 of 7,300 clusters"


def test_a_task_may_finish_while_somebody_asks() -> None:
    class Finishing(dict[str, TaskSteps]):
        def get(self, name: str, default: object = None) -> TaskSteps | None:  # type: ignore[override]
            return self.pop(name, None)

        def __contains__(self, name: object) -> bool:
            return self.pop(str(name), None) is not None

    report = TaskReport("rows", 5, 0.0)
    tasks = Finishing({"a": TaskSteps(1, ALL, "compiled")})
    assert running_tasks({"a": report, "b": report}, tasks).doing == "reading: 0 of 5 rows"
    assert not tasks


@pytest.mark.parametrize(
    ("report", "doing"),
    [
        (TaskReport("rows", 5, 0.0), "reading: 0 of 5 rows"),
        (TaskReport("write-extract", 0, 0.0), "writing extractions"),
        (TaskReport("contours", 0, 0.0), "drawing contours"),
    ],
)
def test_what_is_being_done(report: TaskReport, doing: str) -> None:
    assert running_tasks({"a": report}, {"a": TaskSteps(1, ALL, "compiled")}).doing == doing


def test_reports_of_other_work_are_ignored() -> None:
    other = {"a": TaskReport("unknown", 5, 0.5)}
    assert running_tasks(other, {"a": TaskSteps(1, ALL, "compiled")}) == Running()
    assert running_tasks({}, {}) == Running()
