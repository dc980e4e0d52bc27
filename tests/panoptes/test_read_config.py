import json
import re
import subprocess

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import polyframe as pf
from polyframe import UsageError
from polyframe.core.drawing_tasks import DrawingTask
from polyframe.core.settings import Settings
from polyframe.core.tables import EXTRACTIONS
from polyframe.panoptes.config.read_config import read_config


@pytest.fixture
def config(tmp_path):
    """Write texts to files a.yaml, b.yaml, ... and read them together."""

    def read(*texts, overridden=()):
        paths = [tmp_path / f"{name}.yaml" for name, _ in zip("abcdef", texts, strict=False)]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_config(paths, overridden)

    return read


def refusal(read, *texts):
    with pytest.raises(UsageError) as caught:
        read(*texts)
    message = str(caught.value)
    assert "\n" not in message
    assert "a.yaml" in message
    return message


EXTRACTOR = """
workflow_id: 28090
workflow_version: '13.19'
extractor_config:
    polygon_extractor:
    -   task: T0
"""
REDUCER = "reducer_config: {polygon_reducer: {average_type: union, eps: 0.4, min_samples: 3}}"
CONTOURS = "reducer_config: {polygon_reducer_contours: {eps: 0.4, min_samples: 3, rasterisation: true}}"


def test_several_files_are_one_configuration(config):
    assert config(EXTRACTOR, REDUCER, CONTOURS).values == {
        "workflow_id": 28090,
        "workflow_version": "13.19",
        "drawing_tasks": (DrawingTask("T0", None, "polygon"),),
        "average_type": "union",
        "eps": 0.4,
        "min_samples": 3,
        "contour_method": "raster",
    }


def test_the_cat_project_files_work_unchanged_alone_and_together(cat_project):
    extractor, reducer, contours = (
        cat_project / f"cat_project_{name}config.yaml"
        for name in ("extractor_", "reducer_", "reducer_contours_")
    )
    alone = [read_config([path]) for path in (extractor, reducer, contours)]
    assert alone[0].values == {
        "workflow_id": 28090,
        "workflow_version": "13.19",
        "drawing_tasks": (DrawingTask("T0"),),
    }
    assert alone[1].values == {"average_type": "median", "eps": 0.5, "min_samples": 2}
    assert alone[2].values == {"eps": 0.5, "min_samples": 2, "contour_method": "exact"}
    together = read_config([extractor, reducer, contours])
    assert together.values == {**alone[0].values, **alone[1].values, **alone[2].values}
    assert together.notes == ()


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "null", "eps:", "reducer_config: {polygon_reducer: }"]
)
def test_empty_configurations_change_nothing(config, text):
    assert config(text).values == {}


def test_no_files():
    assert read_config([]).values == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13.10", "13.10"),
        ("'13.10'", "13.10"),
        ("13", "13"),
        ("13.0", "13"),
        ("4..13.19", "4..13.19"),
        ("{min: 4.10, max: 13.20}", "4.10..13.20"),
        ("{min: '4'}", "4.."),
    ],
)
def test_a_version_keeps_its_original_text(config, text, expected):
    assert config(f"workflow_version: {text}").values == {"workflow_version": expected}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("workflow_version: latest", "workflow_version: 'latest'"),
        ("workflow_version: [13, 14]", "workflow_version: a list"),
        ("workflow_version: {minimum: 4}", "workflow_version.minimum'; did you mean 'min'"),
        ("workflow_version: {min: x}", "workflow_version.min: 'x'"),
    ],
)
def test_a_malformed_version_is_an_error(config, text, place):
    assert place in refusal(config, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{polygon_extractor: [{task: T0, tools: [1, 0]}]}", [DrawingTask("T0", (0, 1))]),
        ("{polygon_extractor: {task: T0, tools: 2}}", [DrawingTask("T0", (2,))]),
        (
            "{polygon_extractor: [{task: T1}, {task: T0, tools: [0]}], "
            "bezier_extractor: [{task: T0, tools: [1]}]}",
            [DrawingTask("T0", (1,), "bezier"), DrawingTask("T0", (0,)), DrawingTask("T1")],
        ),
        (
            "{polygon_extractor: [{task: T0, tools: [0]}, {task: T0, tools: ['3']}]}",
            [DrawingTask("T0", (0, 3))],
        ),
        ("{polygon_extractor: [{task: T0, tools: [0]}, {task: T0}]}", [DrawingTask("T0")]),
        ("{polygon_extractor: [{task: T0}, {task: T0, tools: [0]}]}", [DrawingTask("T0")]),
    ],
)
def test_extractors_become_drawing_tasks(config, text, expected):
    assert config(f"extractor_config: {text}").values["drawing_tasks"] == tuple(expected)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{polygon_extractor: [{task: T0}], bezier_extractor: [{task: T0}]}", "all tools of task T0"),
        (
            "{polygon_extractor: [{task: T0, tools: [0, 1]}], bezier_extractor: [{task: T0, tools: [1]}]}",
            "tools [1] of task T0",
        ),
        (
            "{polygon_extractor: [{task: T0}], bezier_extractor: [{task: T0, tools: [2]}]}",
            "tools [2] of task T0",
        ),
        ("{question_extractor: [{task: T1}], survey_extractor: []}", "question_extractor, survey_extractor"),
        ("{}", "it contains: none"),
        ("", "it contains: none"),
        ("[polygon_extractor]", "extractor_config: a list is not a mapping"),
        ("{polygn_extractor: [{task: T0}]}", "contains: polygn_extractor; did you mean 'polygon_extractor'"),
        ("{polygon_extractor: []}", "extractor_config.polygon_extractor: an empty list"),
        ("{polygon_extractor: [T0]}", "extractor_config.polygon_extractor[0]: 'T0' is not a mapping"),
        ("{polygon_extractor: [{tools: [0]}]}", "extractor_config.polygon_extractor[0]: the key `task`"),
        ("{polygon_extractor: [{task: T0}, {taks: T0}]}", "polygon_extractor[1]: the key `task` is missing"),
        (f"{{polygon_extractor: [{{task: T0, tools: [0, {2**31}]}}]}}", "is not a list of tool indices"),
        ("{polygon_extractor: [{task: 0}]}", "[0].task: 0 is not a task key"),
        ("{polygon_extractor: [{task: all}]}", "name a task such as T0"),
        ("{polygon_extractor: [{task: T0, tools: []}]}", "[0].tools: [] is not a list of tool indices"),
        ("{polygon_extractor: [{task: T0, tools: [-1]}]}", "[0].tools: [-1] is not a list of tool indices"),
        ("{polygon_extractor: [{task: T0, tools: [x]}]}", "[0].tools[0]: 'x' is not an integer"),
    ],
)
def test_an_invalid_extractor_config_is_an_error(config, text, part):
    assert part in refusal(config, f"extractor_config: {text}")


def test_the_details_of_a_reducer_from_the_reference_tool(config):
    result = config(
        "reducer_config: {polygon_reducer: {details: {T0_tool0: [question_reducer, null]}, eps: 0.4}}"
    )
    assert result.values == {"eps": 0.4}
    assert [".polygon_reducer.details is ignored; answers" in note for note in result.notes] == [True]


def test_skipped_and_ignored_keys_give_notes(config):
    result = config(
        "extractor_config: {polygon_extractor: [{task: T0, details: {}, pluck: {}}], "
        "question_extractor: [{task: T1}]}\n"
        "reducer_config: {question_reducer: {}}"
    )
    assert result.values == {"drawing_tasks": (DrawingTask("T0"),)}
    for name in ("pluck", "question_extractor", "question_reducer"):
        assert sum(f".{name} is " in note for note in result.notes) == 1


def test_details_of_an_extractor_name_the_extractors_of_sub_tasks(config):
    result = config(
        "extractor_config:\n"
        "  polygon_extractor:\n"
        "  - {task: T0, details: {T0_tool0: [question_extractor, null, text_extractor],\n"
        "                         T0_toolIndex1_subtask0: slider_extractor}}\n"
        "  - {task: T1, details: {}}\n"
        "  bezier_extractor: {task: T2, details: {T2_tool0: [point_extractor], T2: dropdown_extractor}}"
    )
    assert result.values["subtask_extractors"] == (
        "T0_tool0_subtask0=question_extractor",
        "T0_tool0_subtask1=none",
        "T0_tool0_subtask2=text_extractor",
        "T0_toolIndex1_subtask0=slider_extractor",
        "T2_tool0_subtask0=none",
    )
    skipped, ignored = result.notes
    assert (
        "bezier_extractor[0].details.T2_tool0[0]: 'point_extractor' is skipped; answers are exported by"
        in skipped
    )
    assert "details.T2 is ignored; expected `T0_tool0: [question_extractor]` or" in ignored


#: From its registry, without the two that polyframe has: facts of panoptes_aggregation 5.3.1.
OTHER_EXTRACTORS = [
    "all_tasks_empty_extractor",
    "dropdown_extractor",
    "i2a_extractor",
    "line_text_extractor",
    "nfn_extractor",
    "pluck_and_split_extractor",
    "point_extractor",
    "point_extractor_by_frame",
    "poly_line_text_extractor",
    "question_extractor",
    "rectangle_extractor",
    "shape_extractor",
    "shortcut_extractor",
    "slider_extractor",
    "survey_extractor",
    "sw_extractor",
    "sw_graphic_extractor",
    "sw_variant_extractor",
    "text_extractor",
    "survey_whitelist_extractor",
    "shape_extractor_rectangle",
    "shape_extractor_rotateRectangle",
    "shape_extractor_circle",
    "shape_extractor_ellipse",
    "shape_extractor_line",
    "shape_extractor_column",
    "shape_extractor_fullWidthLine",
    "shape_extractor_fullHeightLine",
    "shape_extractor_triangle",
    "shape_extractor_fan",
]
OTHER_REDUCERS = [
    "dropdown_reducer",
    "first_n_false_reducer",
    "first_n_true_reducer",
    "optics_line_text_reducer",
    "point_reducer",
    "point_reducer_dbscan",
    "point_reducer_hdbscan",
    "poly_line_text_reducer",
    "question_consensus_reducer",
    "question_reducer",
    "rectangle_reducer",
    "shape_reducer_dbscan",
    "shape_reducer_hdbscan",
    "shape_reducer_optics",
    "shortcut_reducer",
    "slider_reducer",
    "subject_difficulty_reducer",
    "survey_reducer",
    "sw_variant_reducer",
    "temporal_point_reducer_dbscan",
    "temporal_point_reducer_hdbscan",
    "tess_gold_standard_reducer",
    "tess_reducer_column",
    "text_reducer",
    "user_skill_reducer",
]


def test_other_extractors_and_reducers_are_skipped_with_a_note(config):
    others = "".join(f", {name}: [{{task: T1, shape: x, any_key: 1}}]" for name in OTHER_EXTRACTORS)
    reducers = "".join(f", {name}: {{any_key: 1}}" for name in OTHER_REDUCERS)
    result = config(
        f"extractor_config: {{polygon_extractor: [{{task: T0}}]{others}}}\n"
        f"reducer_config: {{polygon_reducer: {{eps: 0.4}}{reducers}}}"
    )
    assert result.values == {"drawing_tasks": (DrawingTask("T0"),), "eps": 0.4}
    assert len(result.notes) == len(OTHER_EXTRACTORS) + len(OTHER_REDUCERS)
    for name in (*OTHER_EXTRACTORS, *OTHER_REDUCERS):
        assert sum(f".{name} is skipped; polyframe has polygon_" in note for note in result.notes) == 1


def test_the_reference_tool_has_no_other_extractors_and_reducers(reference_python):
    asked = (
        "import json; from panoptes_aggregation import extractors, reducers;"
        "print(json.dumps([sorted(extractors.extractors), sorted(reducers.reducers)]))"
    )
    done = subprocess.run([reference_python, "-c", asked], check=True, capture_output=True, text=True)
    extractors, reducers = json.loads(done.stdout.splitlines()[-1])
    assert set(extractors) - {"polygon_extractor", "bezier_extractor"} <= set(OTHER_EXTRACTORS)
    assert set(reducers) - {"polygon_reducer", "polygon_reducer_contours"} <= set(OTHER_REDUCERS)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("epps: 0.5", "unknown key 'epps' is ignored; did you mean 'eps'?"),
        ("workflow: 3", "unknown key 'workflow' is ignored; did you mean 'workflow_id'?"),
        ("anything: [1, {a: b}]", "unknown key 'anything' is ignored"),
        (
            "reducer_config: {polygon_reducer: {esp: 0.3}}",
            "unknown key 'reducer_config.polygon_reducer.esp' is ignored; did you mean 'eps'?",
        ),
        (
            "reducer_config: {polygon_reducer_contours: {mode: x}}",
            "unknown key 'reducer_config.polygon_reducer_contours.mode' is ignored",
        ),
        (
            "extractor_config: {polygon_extractor: [{task: T0, toolz: [1]}]}",
            "unknown key 'extractor_config.polygon_extractor[0].toolz' is ignored; did you mean 'tools'?",
        ),
        (
            "extractor_config: {bezier_extractor: [{task: T0}], polygn_extractor: [{task: T1}]}",
            "unknown key 'extractor_config.polygn_extractor' is ignored; did you mean 'polygon_extractor'?",
        ),
    ],
)
def test_keys_that_the_reference_tool_ignores_give_notes_with_the_nearest_name(config, text, note):
    result = config(f"{text}\nworkflow_id: 7\n")
    assert {key: value for key, value in result.values.items() if key != "drawing_tasks"} == {
        "workflow_id": 7
    }
    assert [said.split("a.yaml: ")[1] for said in result.notes] == [note]


def test_in_memory_a_note_is_a_warning(tmp_path):
    (tmp_path / "config.yaml").write_text("eps: 0.5\nmin_sample: 2\n")
    with pytest.warns(UserWarning, match=r"'min_sample' is ignored; did you mean 'min_samples'") as caught:
        pf.reduce(EXTRACTIONS.empty(), tmp_path / "config.yaml")
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=r"'min_sample' is ignored") as caught:
        pf.contours(EXTRACTIONS.empty(), tmp_path / "config.yaml")
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("eps: '0.5'", {"eps": 0.5}),
        ("eps: 1", {"eps": 1.0}),
        ("eps: 1e-1", {"eps": 0.1}),
        ("min_samples: '3'", {"min_samples": 3}),
        ("min_samples: 3.0", {"min_samples": 3}),
        ("min_threshold: 0", {"min_threshold": 0.0}),
        ("collab: 'True'", {"collab": True}),
        (
            "{step_key: S1, task_index: 2, tool_type: polygon}",
            {"step_key": "S1", "task_index": 2, "tool_type": "polygon"},
        ),
        ("rasterization: true", {"contour_method": "raster"}),
        ("rasterisation: auto", {"contour_method": "exact"}),
        ("rasterisation: 'False'", {"contour_method": "exact"}),
        ("{num_grid_points: 50, smoothing: rounded}", {"num_grid_points": 50, "smoothing": "rounded"}),
    ],
)
@pytest.mark.parametrize("reducer", ["polygon_reducer", "polygon_reducer_contours"])
def test_reducer_options_become_settings(config, text, expected, reducer):
    options = text if text.startswith("{") else f"{{{text}}}"
    assert config(f"reducer_config: {{{reducer}: {options}}}").values == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("eps: true", "eps: True is not a number"),
        ("eps: abc", "eps: 'abc' is not a number"),
        ("eps: [0.5]", "eps: a list is not a single value"),
        ("eps: 0", "eps must be > 0 and <= 1 (got 0.0)"),
        ("eps: .nan", "eps must be > 0 and <= 1 (got nan)"),
        ("eps: .inf", "eps must be > 0 and <= 1 (got inf)"),
        ("min_samples: 2.5", "min_samples: 2.5 is not an integer"),
        ("min_samples: 0", "min_samples must be an integer >= 1 (got 0)"),
        ("min_samples: 2020-01-01", "min_samples: datetime.date"),
        (
            "average_type: mean",
            "average_type must be one of median, majority, union, intersection, last (got 'mean')",
        ),
        ("average_type: 3", "average_type: 3 is not a string"),
        ("collab: 3", "collab: 3 is not true or false"),
        ("rasterisation: 1", "rasterisation: 1 is not one of true, false, auto"),
    ],
)
def test_an_invalid_reducer_option_is_an_error_with_its_place(config, text, part):
    message = refusal(config, f"reducer_config: {{polygon_reducer: {{{text}}}}}")
    assert part in message
    assert "a.yaml: " in message
    assert "reducer_config.polygon_reducer." in message


def test_settings_of_polyframe_at_the_top_level(config):
    text = "{filter: all, contour_method: raster, jobs: 2, task: T0, tool: [0, 1], engine: shapely, eps: 0.3}"
    assert config(text).values == {
        "filter": "all",
        "contour_method": "raster",
        "jobs": 2,
        "task": ("T0",),
        "tool": (0, 1),
        "engine": "shapely",
        "eps": 0.3,
    }


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("workflow: 3", "unknown key 'workflow'; did you mean 'workflow_id'?"),
        ("filter: newest", "a.yaml: filter must be one of first, last, all (got 'newest')"),
        ("workflow_id: abc", "a.yaml: workflow_id: 'abc' is not an integer"),
        ("workflow_id: -1", "a.yaml: workflow_id must be an integer >= 0 (got -1)"),
        ("tool: [0, x]", "a.yaml: tool[1]: 'x' is not an integer"),
        ("task: [0]", "a.yaml: task[0]: 0 is not a string"),
        ("drawing_tasks: []", "unknown key 'drawing_tasks'"),
        ("reducer_config: {polygon_reducr: {}}", "did you mean 'polygon_reducer'?"),
        ("reducer_config: [polygon_reducer]", "reducer_config: a list is not a mapping"),
        ("reducer_config: {polygon_reducer: 3}", "reducer_config.polygon_reducer: 3 is not a mapping"),
    ],
)
def test_an_invalid_key_or_value_at_the_top_level_is_an_error(config, text, part):
    assert part in refusal(config, text)


def both(first, second):
    return f"reducer_config: {{polygon_reducer: {{{first}}}, polygon_reducer_contours: {{{second}}}}}"


@pytest.mark.parametrize("pair", [("eps: 0.5", "eps: 0.4"), ("min_samples: 2", "min_samples: 3")])
def test_two_clusterings_need_two_output_directories(config, pair):
    assert "two output directories" in refusal(config, both(*pair))


def test_two_clusterings_in_two_files(config):
    message = refusal(config, REDUCER, CONTOURS.replace("0.4", "0.3"))
    assert "two output directories" in message
    assert "b.yaml: reducer_config.polygon_reducer_contours.eps sets it to 0.3" in message


def test_overridden_settings_may_contradict_each_other(config):
    result = config(both("eps: 0.5, min_samples: 3", "eps: 0.4"), "eps: 0.2", overridden=["eps"])
    assert result.values == {"min_samples": 3}
    (note,) = result.notes
    assert "min_samples 3 applies to" in note
    assert config(both("eps: 0.3", "min_samples: 2"), overridden={"eps"}).notes == ()
    assert (
        config(EXTRACTOR, "workflow_id: 2", overridden=("workflow_id",)).values["workflow_version"] == "13.19"
    )
    with pytest.raises(UsageError, match="sets min_samples to 2, "):
        config(both("min_samples: 2", "min_samples: 3"), overridden=["eps"])
    with pytest.raises(UsageError, match=r"eps must be > 0 and <= 1 \(got 7\.0\)"):
        config("eps: 7", overridden=["eps"])


def test_eps_of_one_reducer_applies_to_both_with_a_note(config):
    result = config(both("eps: 0.3", "min_samples: 2"))
    assert result.values == {"eps": 0.3, "min_samples": 2}
    (note,) = result.notes
    assert re.search(r"polygon_reducer\.eps: eps 0\.3 applies to polygon_reducer_contours too", note)


def test_a_contradiction_names_both_files(config):
    message = refusal(config, "workflow_id: 1", "workflow_id: 2")
    assert "a.yaml: workflow_id sets" in message
    assert "b.yaml: workflow_id sets it to 2" in message
    assert "b.yaml" in refusal(config, EXTRACTOR, EXTRACTOR.replace("T0", "T1"))
    assert "keep one" in refusal(config, "eps: 0.2\nreducer_config: {polygon_reducer: {eps: 0.3}}")
    assert "keep one" in refusal(config, both("min_threshold: 0.1", "min_threshold: 0.2"))


def test_equal_values_do_not_contradict_each_other(config):
    assert config(EXTRACTOR, EXTRACTOR.replace("'13.19'", "13.19")).values["workflow_version"] == "13.19"


LAUGHS = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 10))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[1, 2]", "a list is not a mapping"),
        ("just words", "'just words' is not a mapping"),
        ("eps: 0.5\n  min_samples: 2\n", "not YAML at line 2"),
        ("eps: [0.5", "not YAML at line 1"),
        ("a: 1\n---\nb: 2\n", "not YAML at line 2"),
        ("eps: 0.5\x07", "not YAML"),
        (b"eps: 0.5\nstep_key: \xff\n", "not UTF-8 at line 2"),
        ("reducer_config: {polygon_reducer: {<<: {eps: 0.3}}}", "line 1: the merge key '<<'"),
        ("eps: 0.5\nmin_samples: 2\neps: 0.5", "line 3: the key 'eps' occurs twice"),
        (
            "reducer_config:\n  polygon_reducer: {eps: 1, eps: 1}",
            "the key 'reducer_config.polygon_reducer.eps' occurs twice",
        ),
        (LAUGHS, "aliases"),
        ("task: &a [*a]", "contains itself"),
        ("eps: !!python/object/apply:os.system [true]", "the YAML tag"),
        ("eps: !!python/name:os.system", "not YAML at line 1"),
        ("eps: !!int abc", "line 1: "),
        ("? [a]\n: 1", "a key must be a plain scalar"),
        ("task: " + "[" * 5000 + "]" * 5000, "nested too deeply"),
        ("#" * 1_000_001, "larger than 1 MB"),
        ("workflow_id: " + "9" * 5000, "line 1"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_not_a_configuration_is_an_error_of_one_line(config, text, part):
    assert part in refusal(config, text)


def test_a_few_aliases_are_allowed(config):
    text = "reducer_config: {polygon_reducer: &db {eps: 0.3}, polygon_reducer_contours: *db}"
    assert config(text).values == {"eps": 0.3}


def test_a_byte_order_mark_is_allowed(config):
    assert config(b"\xef\xbb\xbfeps: 0.5").values == {"eps": 0.5}


def test_a_missing_file_and_a_directory_are_errors(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml: no such file"):
        read_config([tmp_path / "none.yaml"])
    with pytest.raises(UsageError, match="is a directory"):
        read_config([tmp_path])


keys = st.sampled_from(
    [
        "eps",
        "min_samples",
        "workflow_id",
        "extractor_config",
        "reducer_config",
        "polygon_reducer",
        "task",
        "tools",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
trees = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=8
)


@given(st.dictionaries(keys, trees, max_size=3) | trees | st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_any_file_gives_settings_or_an_error_of_one_line(config, tree):
    text = tree if isinstance(tree, str) else yaml.safe_dump(tree)
    message = ""
    try:
        result = config(text.encode("utf-8", "surrogatepass"))
        Settings().replace(result.values)
    except UsageError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1
