"""Excluded volunteers and gold standards: results equal those of an export without their rows."""

import hashlib
import hmac
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest
from exports import Done
from polars.testing import assert_frame_equal

import polyframe as pf
from polyframe.consensus.anonymize import KEY_VARIABLE
from polyframe.core.errors import UsageError
from polyframe.pipeline import plan
from polyframe.synthetic import SynthOptions, write_export

Call = Callable[..., Done]
REDUCED = ("groups", "labels", "reductions", "contours")
EXTRACTED = ("classifications", "extractions", "rejects")


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Volunteers classify subjects again; every seventh row is a gold standard."""
    path = tmp_path_factory.mktemp("export") / "classifications.csv"
    write_export(path, SynthOptions(subjects=12, volunteers=7, vertices=30, repeats=0.3, seed=5))
    rows = pl.read_csv(path, infer_schema=False).with_row_index()
    is_gold = pl.when(pl.col("index") % 7 == 3).then(pl.lit("true")).otherwise(pl.lit("false"))
    rows.with_columns(gold_standard=is_gold).drop("index").write_csv(path)
    return path


@pytest.fixture(scope="module")
def worst(export: Path) -> list[str]:
    """Two volunteers with many classifications, some of them repeats."""
    names = pl.read_csv(export, infer_schema=False)["user_name"].value_counts(sort=True)
    return [name for name in names["user_name"].to_list() if not name.startswith("not-logged-in")][:2]


@pytest.fixture
def partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "_MEGABYTE", 20_000)


def tables(out: Path, names: tuple[str, ...] = REDUCED) -> dict[str, pl.DataFrame]:
    return {name: pf.scan(out, name).collect() for name in names}


def check_same(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> None:
    for name, table in one.items():
        assert_frame_equal(table, other[name])


def expected(export: Path, keep: pl.Expr, folder: Path, **options: Any) -> dict[str, pl.DataFrame]:
    """Return the tables of an export that lacks the excluded rows."""
    pl.read_csv(export, infer_schema=False).filter(keep).write_csv(folder / "rest.csv")
    pf.run(folder / "rest.csv", folder / "rest", jobs=1, engine="shapely", **options)
    return tables(folder / "rest")


@pytest.mark.parametrize("repeats", ["first", "last", "all"])
@pytest.mark.usefixtures("partitions")
def test_results_are_those_without_the_rows(
    export: Path, worst: list[str], tmp_path: Path, repeats: Any
) -> None:
    out, options = tmp_path / "out", {"filter": repeats, "engine": "shapely", "jobs": 1}
    both = {"exclude_volunteers": worst, "gold_standard": "exclude"}
    summary = pf.run(export, out, **options, **both)
    keep = ~pl.col("user_name").is_in(worst) & (pl.col("gold_standard") == "false")
    check_same(tables(out), expected(export, keep, tmp_path, filter=repeats))
    assert pf.validate(out) == []
    # Extractions keep all rows.
    pf.extract(export, output=tmp_path / "all", jobs=1)
    check_same(tables(out, EXTRACTED), tables(tmp_path / "all", EXTRACTED))
    counts = summary.accounting
    n_rows, n_marks = (
        pf.scan(out, name).filter(pl.col("user_name").is_in(worst) | pl.col("gold_standard")).collect().height
        for name in ("classifications", "extractions")
    )
    assert (counts.rows_excluded, counts.marks_excluded) == (n_rows, n_marks)
    assert counts.marks_clustered + counts.marks_outliers + n_marks + counts.marks_set_aside == (
        counts.marks_seen - counts.marks_rejected
    )
    assert f" outliers + {n_marks} excluded\n" in str(summary)
    assert f"classifications excluded {n_rows}\n" in str(summary)


@pytest.mark.parametrize("option", [{"gold_standard": "exclude"}, {"exclude_volunteers": "@worst"}])
@pytest.mark.usefixtures("partitions")
def test_later_stages_reuse_the_settings(
    export: Path, worst: list[str], tmp_path: Path, option: dict[str, Any]
) -> None:
    option = {k: worst if v == "@worst" else v for k, v in option.items()}
    pf.run(export, tmp_path / "whole", jobs=1, engine="shapely", **option)
    out = tmp_path / "steps"
    pf.extract(export, output=out, jobs=1, engine="shapely")
    pf.reduce(out, output=out, jobs=1, engine="shapely", **option)
    notes: list[str] = []
    pf.contours(out, output=out, jobs=1, engine="shapely", say=notes.append)
    check_same(tables(out), tables(tmp_path / "whole"))
    said = "exclude_volunteers 2 volunteers" if "exclude_volunteers" in option else "gold_standard exclude"
    assert said in notes[0]
    for table in REDUCED:
        for part in (out / table).iterdir():
            assert part.read_bytes() == (tmp_path / "whole" / table / part.name).read_bytes()
    # A later reduction with another eps excludes the same, also in memory.
    pf.reduce(out, output=out, jobs=1, eps=0.3, engine="shapely")
    in_memory = pf.reduce(pf.extract(export), eps=0.3, engine="shapely", **option)
    assert_frame_equal(pf.scan(out, "labels").collect(), in_memory.labels)
    assert_frame_equal(pf.reduce(out).reductions, in_memory.reductions)
    with pytest.raises(UsageError, match="contradicts"):
        pf.contours(out, output=out, exclude_volunteers="somebody", gold_standard="use")
    # The same again is no contradiction.
    pf.contours(out, output=out, jobs=1, **option)


def test_frames_in_memory_and_tune(export: Path, worst: list[str]) -> None:
    extraction = pf.extract(export)
    frame = extraction.extractions
    rest = frame.filter(~pl.col("user_name").is_in(worst) & ~pl.col("gold_standard"))
    options: dict[str, Any] = {"exclude_volunteers": worst, "gold_standard": "exclude"}
    one, other = pf.reduce(frame, **options), pf.reduce(rest)
    for name in ("groups", "labels", "reductions"):
        assert_frame_equal(getattr(one, name), getattr(other, name))
    assert_frame_equal(pf.contours(frame, **options), pf.contours(rest))
    grid: dict[str, Any] = {"eps": "0.3,0.5", "min_samples": 2}
    assert_frame_equal(pf.tune(frame, **grid, **options), pf.tune(rest, **grid))


def test_tune_uses_the_settings_of_the_output(export: Path, worst: list[str], tmp_path: Path) -> None:
    out, notes = tmp_path / "out", list[str]()
    pf.run(export, out, jobs=1, exclude_volunteers=worst, contours=False)
    row = pf.tune(out, eps=0.5, min_samples=2, jobs=1, say=notes.append).row(0, named=True)
    assert row["marks"] == pf.scan(out, "labels").collect().height
    assert notes[0].endswith("min_threshold 0.0, exclude_volunteers 2 volunteers")
    other = pf.tune(out, eps=0.5, min_samples=2, jobs=1, exclude_volunteers="nobody", say=notes.append)
    assert other["marks"].item() > row["marks"]
    assert notes[-1] == "exclude_volunteers: there is no classification by nobody"


def recorded_texts(out: Path) -> str:
    """Return the manifest of the newest version, and the metadata of its files."""
    texts = [(out / "polyframe.json").read_text(encoding="utf-8")]
    for part in sorted(out.glob("[!.]*/*.parquet")):
        metadata = pq.read_schema(part).metadata or {}
        texts += [value.decode("latin-1") for value in metadata.values()]
    return "\n".join(texts)


@pytest.mark.parametrize("volunteers", ["keep", "hash"])
def test_names_are_recorded_as_digests(
    export: Path, worst: list[str], tmp_path: Path, volunteers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    out = tmp_path / "out"
    pf.run(export, out, jobs=1, volunteers=volunteers, exclude_volunteers=worst)
    texts = recorded_texts(out)
    assert not [name for name in worst if name in texts]
    digests = json.loads((out / "polyframe.json").read_text())["settings"]["exclude_volunteers"]
    assert len(digests) == 2
    assert all(digest.startswith("hmac-sha256:") for digest in digests)
    monkeypatch.setenv(KEY_VARIABLE, "another secret")
    pf.run(export, tmp_path / "other", jobs=1, volunteers=volunteers, exclude_volunteers=worst)
    others = json.loads((tmp_path / "other" / "polyframe.json").read_text())["settings"]
    assert (set(others["exclude_volunteers"]) == set(digests)) == (volunteers == "keep")


@pytest.mark.usefixtures("partitions")
def test_hashed_volunteers(
    export: Path, worst: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    keep = ~pl.col("user_name").is_in(worst)
    rest = expected(export, keep, tmp_path, volunteers="hash")
    options: dict[str, Any] = {"jobs": 1, "engine": "shapely"}
    pf.run(export, tmp_path / "at-once", volunteers="hash", exclude_volunteers=worst, **options)
    check_same(tables(tmp_path / "at-once"), rest)
    assert pf.validate(tmp_path / "at-once") == []
    out = tmp_path / "later"
    pf.run(export, out, volunteers="hash", **options)
    by_name = (~keep).alias("excluded")
    names = pl.read_csv(export, infer_schema=False).select("classification_id", by_name)
    table = (
        pf.scan(out, "classifications").collect().with_columns(pl.col("classification_id").cast(pl.String))
    )
    hashes = table.join(names.filter("excluded"), on="classification_id")["volunteer"].unique().to_list()
    assert len(hashes) == 2
    # By name, or by the hashes in the tables; then also in memory.
    for chosen in (worst, hashes):
        pf.reduce(out, output=out, exclude_volunteers=chosen, **options)
        assert_frame_equal(pf.scan(out, "labels").collect(), rest["labels"])
        extraction = pf.extract(export, volunteers="hash")
        assert_frame_equal(pf.reduce(extraction, exclude_volunteers=chosen).labels, rest["labels"])
    monkeypatch.delenv(KEY_VARIABLE)
    assert_frame_equal(pf.reduce(out).labels, rest["labels"])
    with pytest.raises(UsageError, match=r"exclude_volunteers: .* set the secret .* or give the hashes"):
        pf.reduce(out, exclude_volunteers=worst)


@pytest.mark.usefixtures("partitions")
def test_a_hash_from_a_table_needs_no_secret(
    export: Path, tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    hash_of = {
        name: hmac.new(b"a secret", name.encode(), hashlib.sha256).hexdigest()[:32]
        for name in pf.extract(export).classifications["volunteer"].unique()
    }
    options: dict[str, Any] = {"volunteers": "hash", "engine": "shapely", "jobs": 1}
    out, whole = tmp_path / "out", tmp_path / "whole"
    pf.run(export, out, **options)
    extraction = pf.extract(export, volunteers="hash")

    # Somebody else, who has the tables only, copies the first hash that the command prints.
    monkeypatch.delenv(KEY_VARIABLE)
    worst = polyframe("volunteers", out, "--limit", 1).out.splitlines()[2].split()[0]
    (name,) = [name for name, hashed in hash_of.items() if hashed == worst]
    stages = (["reduce", out, "--exclude-volunteers", worst], ["contours", out])
    for stage in stages:
        done = polyframe(*stage, "--engine", "shapely", "--jobs", 2, "-q")
        assert (done.code, done.err) == (0, "")
    assert pf.validate(out) == []
    in_memory = [
        pf.reduce(marks, exclude_volunteers=worst, engine="shapely").labels for marks in (out, extraction)
    ]
    tuned = pf.tune(out, eps=0.5, min_samples=2, jobs=1, exclude_volunteers=worst)

    # The owner of the secret gets the same by the name, from the export, and nothing is out of date.
    monkeypatch.setenv(KEY_VARIABLE, "a secret")
    pf.run(export, whole, exclude_volunteers=name, **options)
    for path in whole.rglob("*.parquet"):
        assert path.read_bytes() == (out / path.relative_to(whole)).read_bytes()
    assert pf.run(export, out, exclude_volunteers=worst, **options).made == 0
    labels = pf.scan(whole, "labels").collect()
    assert all(one.equals(labels) for one in in_memory)
    assert tuned["marks"].item() == labels.height

    # Another secret would give other hashes.
    monkeypatch.setenv(KEY_VARIABLE, "another secret")
    with pytest.raises(UsageError, match="is not the one that hashed the volunteers of this output"):
        pf.reduce(out, exclude_volunteers=name)
    pf.reduce(out, output=out, exclude_volunteers=worst, force=True, engine="shapely", jobs=1)
    for path in whole.rglob("*.parquet"):
        assert path.read_bytes() == (out / path.relative_to(whole)).read_bytes()


@pytest.mark.parametrize(
    ("before", "after", "next_step"),
    [
        (("keep", ""), ("hash", "a secret"), "name them again for the next reduce"),
        (("hash", "a secret"), ("hash", "another secret"), "name them again for the next reduce"),
        (("keep", ""), ("drop", ""), "they count in the next reduce, since the tables have no names"),
    ],
)
def test_an_extraction_under_other_names_forgets_the_excluded_volunteers(
    before: Any,
    after: Any,
    next_step: str,
    export: Path,
    worst: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"jobs": 1, "engine": "shapely", "say": (said := []).append}

    def extract(volunteers: Any, secret: str) -> None:
        monkeypatch.setenv(KEY_VARIABLE, secret)
        said.clear()
        pf.extract(export, output=out, volunteers=volunteers, jobs=1, say=said.append)

    monkeypatch.setenv(KEY_VARIABLE, before[1])
    pf.run(export, out, volunteers=before[0], exclude_volunteers=worst, **options)
    # The same names: the volunteers stay excluded.
    extract(*before)
    assert not [note for note in said if "exclude_volunteers" in note]
    assert len(json.loads((out / "polyframe.json").read_text())["settings"]["exclude_volunteers"]) == 2

    extract(*after)
    beginning = "exclude_volunteers: the excluded volunteers were recorded under other names; "
    assert [note for note in said if "exclude_volunteers" in note] == [beginning + next_step]
    assert "hmac-sha256" not in recorded_texts(out)
    extract(*after)
    assert not [note for note in said if "exclude_volunteers" in note]
    if after[0] == "hash":
        pf.reduce(out, output=out, exclude_volunteers=worst, **options)
        rest = expected(export, ~pl.col("user_name").is_in(worst), tmp_path, volunteers="hash")
        assert_frame_equal(pf.scan(out, "labels").collect(), rest["labels"])


def test_visitors_are_excluded_by_name_or_session(tmp_path: Path) -> None:
    from exports import drawing, export_row, export_text, square

    rows = [
        export_row(
            k,
            drawing(square(0.1 * k, 0)),
            user_name="not-logged-in-1a",
            user_id=None,
            metadata=json.dumps({"session": f"s{k % 2}"}),
            subject_ids=1 + k // 2,
        )
        for k in range(4)
    ]
    path = tmp_path / "export.csv"
    path.write_text(export_text([*rows, export_row(9, drawing(square(0, 0)))]), encoding="utf-8")
    marks = pf.extract(path)
    assert pf.reduce(marks).labels.height == 5
    one = pf.reduce(marks, exclude_volunteers="not-logged-in-1a/s1").labels
    assert one["volunteer"].to_list() == ["not-logged-in-1a/s0", "volunteer9", "not-logged-in-1a/s0"]
    assert pf.reduce(marks, exclude_volunteers="not-logged-in-1a").labels["volunteer"].to_list() == [
        "volunteer9"
    ]


def test_without_names_nobody_can_be_excluded(export: Path, worst: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="exclude_volunteers: volunteers is drop"):
        pf.run(export, tmp_path / "out", volunteers="drop", exclude_volunteers=worst)
    assert not (tmp_path / "out").exists()
    pf.run(export, tmp_path / "out", volunteers="drop", contours=False, jobs=1)
    for call in (pf.reduce, pf.tune):
        with pytest.raises(UsageError, match="exclude_volunteers: volunteers is drop"):
            call(tmp_path / "out", exclude_volunteers=worst, filter="all")
    dropped = pf.extract(export, volunteers="drop")
    with pytest.raises(UsageError, match="the Extraction has no volunteers, so nobody can be excluded"):
        pf.reduce(dropped, exclude_volunteers=worst)
    # Gold standards need no names.
    gold = pf.reduce(dropped, filter="all", gold_standard="exclude").labels
    assert gold.height == dropped.extractions.filter(~pl.col("gold_standard")).height


def test_names_in_files(export: Path, worst: list[str], tmp_path: Path, polyframe: Call) -> None:
    (tmp_path / "names.txt").write_text(f"\ufeff{worst[0]}\r\n\n  {worst[1]} \nnobody\n", encoding="utf-8")
    out = tmp_path / "out"
    call = ["run", export, "-o", out, "--jobs", "1", "--no-contours"]
    done = polyframe(*call, "--exclude-volunteers", tmp_path / "names.txt")
    assert done.code == 0
    assert "exclude_volunteers: there is no classification by nobody" in done.err
    assert " excluded\n" in done.out
    by_file = pf.scan(out, "labels").collect()
    flags = [flag for name in worst for flag in ("--exclude-volunteers", name)]
    assert polyframe(*call[:3], tmp_path / "flags", *call[4:], *flags).code == 0
    assert_frame_equal(pf.scan(tmp_path / "flags", "labels").collect(), by_file)
    # In a configuration, a path refers to the folder of the file.
    for value in ("names.txt", "[" + ", ".join(worst) + "]"):
        (tmp_path / "config.yaml").write_text(f"exclude_volunteers: {value}\n", encoding="utf-8")
        labels = pf.reduce(pf.extract(export), tmp_path / "config.yaml", say=lambda _: None).labels
        assert_frame_equal(labels, by_file)
    done = polyframe(*call, "--exclude-volunteers", tmp_path / "missing.txt")
    assert (done.code, "missing.txt: no such file" in done.err) == (2, True)
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    done = polyframe(*call, "--exclude-volunteers", tmp_path / "binary.txt")
    assert done.code == 2
    assert "binary.txt: not UTF-8, expected one name per line" in done.err


def test_a_name_may_look_like_a_number(export: Path, tmp_path: Path) -> None:
    rows = pl.read_csv(export, infer_schema=False)
    renamed = rows.with_columns(
        user_name=pl.when(pl.col("user_name") == rows["user_name"][0])
        .then(pl.lit("0042"))
        .otherwise("user_name")
    )
    renamed.write_csv(tmp_path / "export.csv")
    (tmp_path / "config.yaml").write_text("exclude_volunteers: 0042\n", encoding="utf-8")
    labels = pf.reduce(pf.extract(tmp_path / "export.csv"), tmp_path / "config.yaml").labels
    expected = pf.reduce(pf.extract(tmp_path / "export.csv"), exclude_volunteers="0042").labels
    assert_frame_equal(labels, expected)
    assert "0042" not in labels["user_name"].to_list()


def test_experts_that_are_excluded_may_judge(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    pf.run(export, out, jobs=1, contours=False)
    with pytest.raises(
        pf.PolyframeError, match=rf"`polyframe reduce {re.escape(str(out))} --gold-standard exclude`"
    ):
        pf.score(out, gold="gold_standard")
    pf.reduce(out, output=out, gold_standard="exclude")
    by_setting = pf.score(out, gold="gold_standard")
    assert by_setting.height > 0
    tuned = pf.tune(out, eps=0.5, min_samples=2, gold="gold_standard", jobs=1)
    assert tuned["gold_recall"].is_not_null().all()
    # By name too: here the experts are everybody who has a gold standard.
    experts = pf.scan(out, "classifications").filter("gold_standard").collect()["volunteer"].unique()
    pf.reduce(out, output=out, gold_standard="use", exclude_volunteers=experts.to_list()[:1])
    with pytest.raises(pf.PolyframeError, match="took part in its clusters"):
        pf.score(out, gold="gold_standard")
    pf.reduce(out, output=out, gold_standard="use", exclude_volunteers=experts.to_list(), max_shrink=1)
    assert pf.score(out, gold="gold_standard").height > 0


def test_an_empty_list_or_file_excludes_nobody_again(
    export: Path, worst: list[str], tmp_path: Path, polyframe: Call
) -> None:
    out, empty = tmp_path / "out", tmp_path / "nobody.txt"
    empty.touch()
    (tmp_path / "config.yaml").write_text("exclude_volunteers: []\n", encoding="utf-8")
    everybody = pf.reduce(pf.extract(export)).labels
    pf.extract(export, output=out, jobs=1)
    for again in (["-c", tmp_path / "config.yaml"], ["--exclude-volunteers", empty]):
        done = polyframe("reduce", out, "--exclude-volunteers", worst[0], "-q")
        assert (done.code, done.err) == (0, "")
        assert pf.scan(out, "labels").collect().height < everybody.height
        assert polyframe("reduce", out, *again, "-q").code == 0
        assert_frame_equal(pf.scan(out, "labels").collect(), everybody)
