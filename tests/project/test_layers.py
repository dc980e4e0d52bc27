"""The layers: the package has exactly these folders, and they import only downwards."""

import ast
from collections.abc import Iterator
from pathlib import Path

from exports import ROOT
from layers import LAYERS

PACKAGE = ROOT / "polyframe"
#: The files of the package beside its folders.
TOP_FILES = {"__init__.py", "__main__.py", "api.py", "py.typed"}
MOST_FLOORS = 9


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports_of(path: Path) -> Iterator[str]:
    """Yield the modules of the package that a module imports, also inside of functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names if name.name.partition(".")[0] == "polyframe")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "polyframe":
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in MODULES else str(node.module)


def layer_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else None


def test_the_package_has_the_folders_of_the_layers_and_no_others() -> None:
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders == set(LAYERS) - {"api"}
    assert {path.name for path in PACKAGE.iterdir() if path.is_file()} == TOP_FILES


def test_imports_go_downwards_only() -> None:
    upwards = [
        (module, imported)
        for module, path in MODULES.items()
        for imported in imports_of(path)
        if layer_of(module) and layer_of(imported)
        if LAYERS.index(str(layer_of(imported))) < LAYERS.index(str(layer_of(module)))
    ]
    assert upwards == []


def test_number_of_floors() -> None:
    """Count the longest chain of folders that import one another."""
    below: dict[str, set[str]] = {layer: set() for layer in LAYERS}
    for module, path in MODULES.items():
        layer = layer_of(module)
        if layer:
            below[layer] |= {str(layer_of(name)) for name in imports_of(path) if layer_of(name)} - {layer}
    floors: dict[str, int] = {}
    for layer in reversed(LAYERS):
        floors[layer] = 1 + max((floors[lower] for lower in below[layer]), default=0)
    assert max(floors.values()) <= MOST_FLOORS, floors


def test_modules_do_not_import_in_circles() -> None:
    graph = {
        module: {name for name in imports_of(path) if name != module}
        for module, path in MODULES.items()
        if module != "polyframe"
    }
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module in graph and module not in done:
            for imported in sorted(graph[module]):
                visit(imported, (*path, module))
            done.add(module)

    for module in graph:
        visit(module, ())


def test_geometry_does_not_import_polars() -> None:
    for path in (PACKAGE / "geometry").rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [n.name for node in ast.walk(tree) if isinstance(node, ast.Import) for n in node.names]
        names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert not [name for name in names if name.partition(".")[0] == "polars"], path


#: What the command line imports beside the API: its own modules, `core`, pictures, and the declarations of
#: options. Ctrl-C removes temporary files at once, whatever the API is doing. The example project is for
#: people who try polyframe, and no part of the API. Commands print in the words of the project; what the API
#: returns has keys.
USED_BY_COMMANDS = (
    "polyframe",
    "polyframe.api",
    "polyframe.cli",
    "polyframe.core",
    "polyframe.plot",
    "polyframe.export.export_options",
    "polyframe.export.load.target_kinds",
    "polyframe.export.report",
    "polyframe.export.words",
    "polyframe.synthetic.example",
    "polyframe.synthetic.synth_options",
    "polyframe.store.work_directory",
)


def test_commands_call_only_the_api() -> None:
    others = [
        (module, imported)
        for module, path in MODULES.items()
        if layer_of(module) == "cli"
        for imported in imports_of(path)
        if imported not in USED_BY_COMMANDS
        and not imported.startswith(("polyframe.cli.", "polyframe.core.", "polyframe.plot."))
    ]
    assert others == []
