"""The files for cron, Airflow, GitHub Actions and containers: their commands run, on the example project."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from doc_pages import DOCS, blocks
from exports import ROOT
from s3_server import Bucket

import polyframe as pf
from polyframe.cli.app import cli
from polyframe.core.environment import environment_notes

DEPLOY = DOCS / "deploy"

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these are files for POSIX systems")


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a shell that finds `polyframe`, in a folder with the example project."""
    shutil.copytree(ROOT / "data", tmp_path / "data")
    program = tmp_path / "bin" / "polyframe"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m polyframe "$@"\n', encoding="utf-8", newline="\n"
    )
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    paths = [str(program.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    return {
        **os.environ,
        "PATH": os.pathsep.join(paths),
        "PYTHONPATH": str(ROOT),
        "EXPORT": "data/classifications.csv",
        "CONFIG": "data/config.yaml",
        "OUT": "out",
    }


def run(script: str, environment: dict[str, str]) -> str:
    """Run a script as these programs do, and return what it prints."""
    done = subprocess.run(
        ["bash", "-e", "-c", script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (script, done.stderr)
    return done.stdout


def test_lines_of_the_crontab_print_nothing_if_all_is_well(shell: dict[str, str]) -> None:
    table = blocks(DOCS / "recipes" / "schedule.md", "text")[0]
    variables = dict(line.split("=", 1) for line in table.splitlines() if re.match(r"[A-Z_]+=", line))
    assert variables["POLYFRAME_JOBS"] == "4"
    lines = re.findall(r"^(?:[\d*]+ +){5}(.+)$", table, re.MULTILINE)
    assert len(lines) == 2
    shutil.copy("data/classifications.csv", "classifications.csv")
    subprocess.run(["gzip", "classifications.csv"], check=True)
    for line in lines:
        line = line.replace("/data/exports/", "").replace("/data/out", "out").replace("/data/", "data/")
        assert run(f"{line} 2>&1", shell | {"POLYFRAME_JOBS": "1"}) == ""
    assert pf.validate("out") == []


def test_commands_of_the_airflow_dag(shell: dict[str, str]) -> None:
    tree = ast.parse((DEPLOY / "airflow_dag.py").read_text(encoding="utf-8"))
    commands = [
        ast.literal_eval(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "bash_command"
    ]
    update, check, load = commands
    # Airflow parses the last line.
    assert json.loads(run(update, shell).splitlines()[-1])["parts_made"] == 9
    assert json.loads(run(update, shell).splitlines()[-1])["parts_made"] == 0
    run(check, shell)
    run(load, shell | {"TARGET": "duckdb:///project.duckdb"})
    assert Path("project.duckdb").exists()


def test_commands_of_the_workflow_of_github(shell: dict[str, str], bucket: Bucket) -> None:
    workflow = yaml.safe_load((DEPLOY / "github-actions.yml").read_text(encoding="utf-8"))
    steps = [step["run"] for step in workflow["jobs"]["tables"]["steps"] if "run" in step]
    install, *commands = steps
    assert extras_in(install) <= known_extras()
    shutil.copy("data/config.yaml", "config.yaml")
    bucket.write("exports/classifications.csv", Path("data/classifications.csv").read_bytes())
    store = {"EXPORT": f"{bucket.url}/exports/classifications.csv", "OUT": f"{bucket.url}/project"}
    for command in commands:
        run(command, shell | bucket.environment | store | {"GITHUB_STEP_SUMMARY": "page.md"})
    assert pf.validate(store["OUT"], storage_options=bucket.options) == []
    (content,) = re.findall(r"```json\n(.*)\n```", Path("page.md").read_text(encoding="utf-8"), re.DOTALL)
    assert json.loads(content)["accounting"]["rows_read"] == 131


def test_the_container_image() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    instructions = [line.split(" ", 1) for line in lines if re.match(r"[A-Z]+ ", line)]
    bases = [rest.split()[0] for name, rest in instructions if name == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", base) for base in bases)
    copied = [rest.split()[:-1] for name, rest in instructions if name == "COPY" and "--from" not in rest]
    assert all((ROOT / path).exists() for paths in copied for path in paths)
    users = [rest for name, rest in instructions if name == "USER"]
    assert users
    assert int(users[-1]) > 0
    assert extras_in("\n".join(lines)) <= known_extras()


def test_the_cluster_on_kubernetes() -> None:
    documents = yaml.safe_load_all((DEPLOY / "dask-cluster.yaml").read_text(encoding="utf-8"))
    cluster, autoscaler, job = sorted(documents, key=lambda document: document["kind"] == "CronJob")
    assert autoscaler["spec"]["cluster"] == cluster["metadata"]["name"] == "consensus"
    parts = [cluster["spec"][name]["spec"] for name in ("scheduler", "worker")]
    parts.append(job["spec"]["jobTemplate"]["spec"]["template"]["spec"])
    containers = [container for part in parts for container in part["containers"]]
    scheduler, worker, program = containers
    # A cluster works only if all have the same versions.
    assert len({container["image"] for container in containers}) == 1
    assert (scheduler["command"], worker["command"]) == (["dask", "scheduler"], ["dask", "worker"])
    context = cli.commands["run"].make_context("run", list(program["args"]))
    port = cluster["spec"]["scheduler"]["service"]["ports"][0]["port"]
    assert context.params["cluster"] == f"dask://consensus-scheduler:{port}"
    variables = {variable["name"]: "1" for variable in program["env"]}
    assert environment_notes([], variables) == []


def extras_in(text: str) -> set[str]:
    found = re.findall(r"(?:panoptes-polyframe|/src)\[([\w,]+)\]", text)
    assert found
    return {extra for extras in found for extra in extras.split(",")}


def known_extras() -> set[str]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return set(project["optional-dependencies"])
