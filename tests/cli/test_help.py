"""Help: every command shows examples that work on `data/`; flags and commands are in order."""

import itertools
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from edited_tasks import complete, write
from exports import ROOT, Done

import polyframe as pf
from polyframe.cli.app import cli
from polyframe.cli.help import wrap_example

Call = Callable[..., Done]

FIRST = "polyframe run data/classifications.csv -c data/config.yaml -o out"


def shown(text: str) -> list[str]:
    """Return the calls that a help text shows."""
    joined = text.replace("\\\n", " ")
    return [" ".join(line.split()) for line in joined.splitlines() if re.match(r" +polyframe [a-z]", line)]


def examples(name: str, width: int, monkeypatch: pytest.MonkeyPatch, polyframe: Call) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    done = polyframe(name, "--help")
    assert done.code == 0
    return shown(done.out[done.out.rindex("\nExample") :] if "\nExample" in done.out else "")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `data/` and the output of the first example."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "data").symlink_to(ROOT / "data")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        cli([*shlex.split(FIRST)[1:], "-q"], standalone_mode=False)
        # Those of `import-corrections`.
        sizes = {"classifications": "data/classifications.csv"}
        pf.export("out", "coco", "coco.json", **sizes)  # type: ignore[arg-type]
        pf.export("out", "labelstudio", "labelstudio.json", **sizes)  # type: ignore[arg-type]
        tasks = json.loads(Path("labelstudio.json").read_text(encoding="utf-8"))
        for number, task in enumerate(tasks):
            complete({**task, "id": number, "annotations": task.setdefault("annotations", [])})
        write(tasks, Path("labelstudio.json"))
    return folder


@pytest.mark.parametrize("name", cli.commands)
def test_every_example_works(
    name: str, checkout: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = examples(name, 80, monkeypatch, polyframe)
    assert calls, f"add an example that works on data/: @command('polyframe {name} ...')"
    assert examples(name, 110, monkeypatch, polyframe) == calls
    monkeypatch.chdir(checkout)
    for example in calls:
        program, command, *arguments = shlex.split(example)
        assert (program, command) == ("polyframe", name)
        done = polyframe(command, *arguments)
        assert done.code == 0, (example, done.err)
        for flag, path in itertools.pairwise(arguments):
            assert flag != "-o" or Path(path).exists(), example


def test_the_examples_of_the_main_help_work(
    tmp_path: Path, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    steps = shown(polyframe("--help").out)
    assert steps[:2] == ["polyframe demo demo", FIRST]
    assert len(steps) == 5
    for step in steps:
        done = polyframe(*shlex.split(step)[1:])
        assert done.code == 0, (step, done.err)


@pytest.mark.parametrize("width", [80, 110])
def test_help_fits_the_terminal_and_nothing_is_cut(
    width: int, polyframe: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width + 2))
    for name in (None, *cli.commands):
        text = polyframe(*filter(None, [name, "-h"])).out
        assert text == polyframe(*filter(None, [name, "--help"])).out
        assert max(map(len, text.splitlines())) <= width
        assert "\b" not in text
        assert name or "..." not in text.split("Prepare:")[1]


def test_every_command_is_listed_once_under_a_heading(polyframe: Call) -> None:
    listed = re.findall(r"^  ([a-z][a-z-]*) {2,}[A-Z]", polyframe("--help").out, re.MULTILINE)
    assert listed == list(cli.commands)
    assert listed.index("run") < listed.index("extract") < listed.index("status") < listed.index("export")
    assert "reduce" in listed


def test_every_flag_is_listed_once_and_settings_by_topic(polyframe: Call) -> None:
    for name, command in cli.commands.items():
        # The description above them may mention a flag, also at the start of a line.
        _, _, options = polyframe(name, "--help").out.partition("\n\nOptions:\n")
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                flag = max(parameter.opts, key=len)
                assert len(re.findall(rf"^  (-\w, )?{flag}\b(?!-)", options, re.MULTILINE)) == 1, (name, flag)
    text = polyframe("run", "--help").out
    places = [text.index(part) for part in ("Options:", "--output", "Input:", "--task")]
    places += [text.index(part) for part in ("Clusters and averages:", "--eps", "Contours:", "--smoothing")]
    places += [text.index(part) for part in ("Computation:", "--jobs", "Examples:")]
    assert places == sorted(places)


def test_commands_of_jobs_have_the_options_for_logs() -> None:
    for name, command in cli.commands.items():
        flags = {flag for parameter in command.params for flag in parameter.opts}
        assert ("--log-format" in flags) == bool(flags & {"--quiet", "--json"}), name
        assert "--progress" not in flags or "--quiet" in flags, name


def test_help_states_at_most_one_default(polyframe: Call) -> None:
    for name in cli.commands:
        for option in re.split(r"\n  (?=-)", polyframe(name, "--help").out):
            assert option.partition("\n\n")[0].count("default:") <= 1, option


def test_a_long_example_is_wrapped_before_a_flag() -> None:
    example = "polyframe plot out " + " ".join(f"--flag{n} {'x' * 20}" for n in range(5)) + " -o y.png"
    lines = wrap_example(example)
    assert len(lines) > 1
    assert all(len(line) <= 78 for line in lines)
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert all(line.startswith("    -") for line in lines[1:])
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(example)
    assert wrap_example("polyframe status out") == ["polyframe status out"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reduec", "out"], "no command 'reduec'; did you mean 'reduce'?"),
        (["xyzzy"], "no command 'xyzzy'; known: demo, config, synth, run"),
        (["run"], f"Missing argument 'CLASSIFICATIONS...'; for example: {FIRST}"),
        (["run", "a.csv"], f"Missing option '-o' / '--output'; for example: {FIRST}"),
        (["status"], "Missing argument 'OUT'; for example: polyframe status out"),
        (["export", "out", "-o", "x"], "levels; for example: polyframe export out --to"),
        (["run", "a", "-o", "b", "--epps", "1"], "--eps"),
        (["run", "a", "-o", "b", "--xyzzy"], "No such option '--xyzzy'; see `polyframe run --help`"),
        (["--xyzzy"], "No such option '--xyzzy'; see `polyframe --help`"),
        (["run", "a", "-o", "b", "--eps", "abc"], "'abc' is not a valid float; see `polyframe run --help`"),
        (["run", "a", "-o", "b", "--average", "mean"], "'mean' is not one of 'median', 'majority'"),
        (["run", "a", "-o", "b", "--eps"], "Option '--eps' requires an argument; see `polyframe run --help`"),
        (["status", "out", "more"], "unexpected extra argument (more); see `polyframe status --help`"),
        (["completion"], "Choose from: bash, zsh, fish"),
        (["completion", "cmd"], "'cmd' is not one of 'bash', 'zsh', 'fish'"),
    ],
)
def test_the_message_of_a_wrong_call_names_the_next_step(
    arguments: list[str], message: str, polyframe: Call
) -> None:
    done = polyframe(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("polyframe: error: ")
    assert len(done.err.splitlines()) == 1
    assert message in re.sub(r"\s+", " ", done.err)
