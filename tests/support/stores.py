"""Find, compare and change the files of local outputs in tests."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from polyframe.core.errors import PolyframeError
from polyframe.core.tables import TABLES
from polyframe.store.manifest import Manifest
from polyframe.store.output import MANIFEST, MANIFESTS, STORE, WORK, Output, manifest_key, part_name
from polyframe.store.stages import tables_of_stages
from polyframe.store.versions import read_manifest, table_parts, version_numbers

#: What two manifests of the same tables may differ in.
OF_A_RUN = ("number", "finished_at", "host", "run")


def manifest_of(out: Path, number: int | None = None) -> Manifest:
    """Return the manifest of a version; the newest by default."""
    return read_manifest(Output(out), number)


def versions(out: Path) -> list[int]:
    """Return the numbers of the versions that are kept."""
    return version_numbers(Output(out))


def manifest_file(out: Path) -> Path:
    """Return the manifest of the newest version in the store."""
    return out / STORE / manifest_key(versions(out)[-1])


def stored(out: Path, table: str, partition: str = "00000") -> Path:
    """Return the file in the store that is a part of the newest version."""
    return table_parts(Output(out), manifest_of(out), table)[partition].path


def all_files(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def published(out: Path) -> dict[str, bytes]:
    """Return what the newest version consists of, to compare it with that of another run.

    That is all files outside the store and the work directory, the hidden tables in the store, and the
    manifest without what it says about the run.
    """
    shown = {
        name: content
        for name, content in all_files(out).items()
        if name.split("/")[0] not in (STORE, WORK) and name != MANIFEST
    }
    with contextlib.suppress(PolyframeError):
        manifest = manifest_of(out)
        for table in tables_of_stages(manifest.stages):
            for name, part in table_parts(Output(out), manifest, table).items():
                if table not in TABLES and part.path.exists():
                    shown[f"{table}/{part_name(name)}"] = part.path.read_bytes()
    with contextlib.suppress(OSError):
        shown[MANIFEST] = without_run((out / MANIFEST).read_bytes())
    return shown


def without_run(content: bytes) -> bytes:
    """Return a manifest without what it says about the run; another file as it is."""
    try:
        manifest = json.loads(content)
    except ValueError:
        return content
    return json.dumps({key: value for key, value in manifest.items() if key not in OF_A_RUN}).encode()


def leftovers(out: Path) -> list[str]:
    """Return the temporary files of runs."""
    return [
        name
        for name in all_files(out)
        if name.startswith(f"{WORK}/") or (name.startswith(STORE) and Path(name).name.startswith("."))
    ]


def unneeded(out: Path) -> set[str]:
    """Return the files in the store that belong to no version."""
    needed = {out / STORE / MANIFESTS / "checked.json"}
    for number in versions(out):
        manifest = manifest_of(out, number)
        needed.add(out / STORE / manifest_key(number))
        for table in tables_of_stages(manifest.stages):
            needed |= {part.path for part in table_parts(Output(out), manifest, table).values()}
    there = {path for path in (out / STORE).rglob("*") if path.is_file()}
    return {str(path.relative_to(out)) for path in there - needed}


def copied(out: Path, to: Path) -> Path:
    """Copy an output with its hard links, as `cp -a` does."""
    first_copies: dict[int, str] = {}

    def copy(source: str, target: str) -> None:
        first = first_copies.setdefault(Path(source).lstat().st_ino, target)
        if first == target:
            shutil.copy2(source, target, follow_symlinks=False)
        else:
            os.link(first, target)

    return Path(shutil.copytree(out, to, copy_function=copy, symlinks=True))


def edit_manifest(out: Path, edit: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest of the newest version in place."""
    for path in (manifest_file(out), out / MANIFEST):
        manifest = json.loads(path.read_text("utf-8"))
        edit(manifest)
        path.write_text(json.dumps(manifest), "utf-8")


def without_store(out: Path) -> None:
    """Turn an output into one of an earlier release, which has no store and whose version has no number.

    Its parts can be written.
    """
    manifest = json.loads((out / MANIFEST).read_text("utf-8"))
    hidden = {
        table: table_parts(Output(out), manifest_of(out), table)
        for table in tables_of_stages(manifest_of(out).stages)
        if table not in TABLES
    }
    for table, parts in hidden.items():
        (out / table).mkdir()
        for name, part in parts.items():
            shutil.copy2(part.path, out / table / part_name(name))
    shutil.rmtree(out / STORE)
    for path in out.glob("*/*.parquet"):
        path.chmod(0o644)
    for record in [*manifest["partitions"], {"stages": manifest["merged"]}]:
        for stage in record["stages"].values():
            del stage["rows"]
    for name in OF_A_RUN:
        del manifest[name]
    (out / MANIFEST).write_text(json.dumps(manifest), "utf-8")
