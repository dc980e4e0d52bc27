"""Write the classifications of a subject as lines of CSV in the format of a Panoptes export.

For speed, the content of quoted cells is written with doubled quotes from the start, and the text of
coordinates comes from a lookup table.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from polyframe.core.arrays import Ints
from polyframe.synthetic.drawing import BEZIER, FREEHAND, Drawings
from polyframe.synthetic.ground_truth import SIZES, Scene
from polyframe.synthetic.synth_options import SynthOptions
from polyframe.synthetic.volunteer_pool import VolunteerPool

#: Compared as strings, 7.9 is greater; compared as versions, 7.12 is newer.
OLD_VERSION: Final = "7.9"
NEW_VERSION: Final = "7.12"

WORKFLOW_NAME: Final = "Outline cells and crystals"

COLUMNS: Final = (
    *("classification_id", "user_name", "user_id", "user_ip", "workflow_id", "workflow_name"),
    *("workflow_version", "created_at", "gold_standard", "expert", "metadata", "annotations"),
    *("subject_data", "subject_ids"),
)

_FIRST_CLASSIFICATION: Final = 700_000_000
_START: Final = np.datetime64("2025-01-06T09:00:00")
_SECONDS_BETWEEN: Final = 3

_REMARKS: Final = (
    "",
    "a bit blurred, sorry",
    'is the bright spot a "cell"?',
    "très net",
    "one more at the edge, half outside",
)


def _quoted(text: str) -> bytes:
    return text.replace('"', '""').encode()


@dataclass(frozen=True)
class SubjectRows:
    """The classifications of a subject as lines of CSV, sorted by time."""

    slot: list[int]  # position of each line in time, unique in the export
    line: list[bytes]
    n_marks: int


def encode_rows(
    options: SynthOptions,
    scene: Scene,
    volunteers: VolunteerPool,
    drawings: Drawings,
    subject_id: int,
    slot: Ints,
) -> SubjectRows:
    """Write the classifications of a subject as lines of CSV.

    `slot` is the position of each row in time; classification IDs and times follow from it.
    """
    marks = _mark_texts(drawings)
    tools, rows = drawings.tool.tolist(), drawings.row
    first = np.searchsorted(rows, np.arange(len(slot) + 1)).tolist()
    finished = _START + _seconds(slot * _SECONDS_BETWEEN + (drawings.chance[:, 3] * 8).astype(np.int64))
    started = finished - _seconds(15 + (drawings.chance[:, 4] * 90).astype(np.int64))
    begins, ends = (np.datetime_as_string(t).tolist() for t in (started, finished))
    subject_data = _subject_data(subject_id, scene.n_frames)
    lines = []
    for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        person, old = int(drawings.volunteer[i]), bool(drawings.old[i])
        chance = drawings.chance[i].tolist()
        of_row = slice(first[i], first[i + 1])
        head = (
            f"{_FIRST_CLASSIFICATION + int(slot[i])},{volunteers.name[person]},{volunteers.user_id[person]},"
            f"{volunteers.ip[person]},{options.workflow_id},{WORKFLOW_NAME},"
            f"{OLD_VERSION if old else NEW_VERSION},{end.replace('T', ' ')} UTC,"
            f'{"true" if chance[5] < 0.02 else ""},,"'
        )
        cells = (
            head.encode(),
            _quoted(_metadata(scene, volunteers, person, old, begin, end, chance)),
            b'","',
            (_old_annotations if old else _new_annotations)(marks[of_row], tools[of_row], chance),
            b'","',
            subject_data,
            b'",%d\n' % subject_id,
        )
        lines.append(b"".join(cells))
    return SubjectRows(slot.tolist(), lines, len(tools))


def _subject_data(subject_id: int, n_frames: int) -> bytes:
    names = ",".join(f'"image_{f + 1}":"{image_name(subject_id, f)}"' for f in range(n_frames))
    return _quoted(f'{{"{subject_id}":{{"retired":null,{names},"origin":"synthetic"}}}}')


def image_name(subject_id: int, frame: int) -> str:
    """Return the file name of the image of a frame."""
    return f"{subject_id}-{frame}.png"


def _metadata(
    scene: Scene, volunteers: VolunteerPool, person: int, old: bool, begin: str, end: str, chance: list[float]
) -> str:
    width = float(volunteers.screen_width[person])
    size = (
        f'{{"clientWidth":{width:g},"clientHeight":{round(width * scene.height / scene.width)},'
        f'"naturalWidth":{scene.width},"naturalHeight":{scene.height}}}'
    )
    viewport = volunteers.viewport[person]
    ms = f"{int(chance[2] * 1000):03d}Z"
    return (
        f'{{"source":"api","session":"{volunteers.session[person]}","feedback":{{}},'
        f'"viewport":{{"width":{viewport[0]},"height":{viewport[1]}}},"started_at":"{begin}.{ms}",'
        f'"user_agent":"{volunteers.browser[person]}","utc_offset":"0","finished_at":"{end}.{ms}",'
        f'"live_project":true,"user_language":"en","user_group_ids":[],"subject_flagged":false,'
        + ("" if old else '"classifier_version":"2.0",')
        + f'"workflow_version":"{OLD_VERSION if old else NEW_VERSION}",'
        f'"subject_dimensions":[{",".join([size] * scene.n_frames)}],'
        f'"subject_selection_state":{{"retired":false,"selected_at":"{begin}.{ms}","already_seen":false,'
        f'"selection_state":"normal","finished_workflow":false,"user_has_finished_workflow":false}}}}'
    )


_NEW_T0: Final = _quoted('[{"task":"T0","task_label":"Outline every cell and every crystal.","value":[')
_OLD_T0: Final = _quoted('[{"task":"T0","task_label":"Outline every cell and crystal","value":[')
_OLD_T3: Final = _quoted(']},{"task":"T3","task_label":"Cells with curves","value":[')
_QUESTION: Final = "Is anything out of focus?"


def _new_annotations(marks: list[bytes], tools: list[int], chance: list[float]) -> bytes:
    """Join the tasks of a classification in the 2.x format: drawing, sub-tasks, question, remark."""
    certainty = int(chance[4] * 1000)
    subtasks = "".join(
        f',{{"task":"T0.0.0","taskType":"single","markIndex":{i},"value":{(certainty >> i % 8) % 3}}}'
        for i, tool in enumerate(tools)
        if tool == FREEHAND
    )
    answer = ("0", "1", "1", "1", "null")[int(chance[2] * 5)]
    remark = json.dumps(_REMARKS[int(chance[3] * len(_REMARKS))], ensure_ascii=False)
    rest = (
        f']}}{subtasks},{{"task":"T1","taskType":"single","task_label":"{_QUESTION}","value":{answer}}}'
        f',{{"task":"T2","taskType":"text","task_label":"Remarks","value":{remark}}}]'
    )
    return b"".join((_NEW_T0, b",".join(marks), _quoted(rest)))


def _old_annotations(marks: list[bytes], tools: list[int], chance: list[float]) -> bytes:
    """Join the tasks of a classification in the 1.x format: drawing, Bezier task T3, question."""
    plain = b",".join(m for m, tool in zip(marks, tools, strict=True) if tool != BEZIER)
    curves = b",".join(m for m, tool in zip(marks, tools, strict=True) if tool == BEZIER)
    answer = ('"Yes"', '"No"', '"No"', '"No"', "null")[int(chance[2] * 5)]
    rest = f']}},{{"task":"T1","task_label":"{_QUESTION}","value":{answer}}}]'
    return b"".join((_OLD_T0, plain, _OLD_T3, curves, _quoted(rest)))


_NEW_ENDS: Final = (
    _quoted('],"details":[{"task":"T0.0.0"}],"toolType":"freehandLine","toolIndex":0,"tool_label":null}'),
    _quoted('],"details":[],"toolType":"polygon","toolIndex":1,"tool_label":null}'),
)
_OLD_ENDS: Final = (
    _quoted('],"closed":true,"details":[{"value":1}],"tool_label":"Cell"}'),
    _quoted('],"closed":true,"details":[],"tool_label":"Crystal"}'),
    _quoted('],"closed":true,"details":[],"tool_label":"Curved cell"}'),
)


def _mark_texts(drawings: Drawings) -> list[bytes]:
    """Write marks as JSON with doubled quotes: paths for new freehand marks, points for all others."""
    path, point_x, point_y = _number_tables()
    x, y = drawings.x, drawings.y
    bounds = drawings.offset.tolist()
    old_of_mark = drawings.old[drawings.row].tolist()
    texts = []
    marks = zip(drawings.tool.tolist(), drawings.frame.tolist(), old_of_mark, strict=True)
    for i, (tool, frame, old) in enumerate(marks):
        part = slice(bounds[i], bounds[i + 1])
        if tool == FREEHAND and not old:
            xs = path[x[part]].tobytes().translate(None, b"\0")[:-1]
            ys = path[y[part]].tobytes().translate(None, b"\0")[:-1]
            body = b'{""frame"":%d,""pathX"":[%b],""pathY"":[%b' % (frame, xs, ys)
        else:
            pairs = np.stack([point_x[x[part]], point_y[y[part]]], axis=1)
            points = pairs.tobytes().translate(None, b"\0")[:-1]
            if old:
                # Bezier marks belong to another task, in which their tool is the first.
                body = b'{""tool"":%d,""frame"":%d,""points"":[%b' % (tool % BEZIER, frame, points)
            else:
                body = b'{""frame"":%d,""points"":[%b' % (frame, points)
        texts.append(body + (_OLD_ENDS if old else _NEW_ENDS)[tool])
    return texts


@cache
def _number_tables() -> tuple[NDArray[np.uint64], NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the text of every coordinate, by hundredths of a pixel: in a path, and as x and y of a point.

    Texts are padded with zero bytes and viewed as numbers, which are faster to look up.
    """
    most = 100 * max(max(size) for size in SIZES)
    texts = [f"{n // 100}.{n % 100:02d}".rstrip("0").rstrip(".") for n in range(most + 1)]
    path = np.array([f"{t},".encode() for t in texts], dtype="S8")
    point_x = np.array([f'{{""x"":{t},'.encode() for t in texts], dtype="S16")
    point_y = np.array([f'""y"":{t}}},'.encode() for t in texts], dtype="S16")
    return path.view(np.uint64), point_x.view(np.complex128), point_y.view(np.complex128)


def _seconds(counts: Ints) -> NDArray[np.timedelta64]:
    return counts.astype("timedelta64[s]")
