"""Write the tables of a public function: those of an export, or of one later stage."""

from collections.abc import Sequence
from pathlib import Path

from polyframe.consensus.clustering_notes import ignored_eps_notes
from polyframe.core.addresses import Place
from polyframe.core.callbacks import Progress, Say, no_progress
from polyframe.core.clusters import Cluster
from polyframe.core.errors import PolyframeError, UsageError, no_such_file
from polyframe.core.notes import Information
from polyframe.panoptes.classifications.sources import SourceLike
from polyframe.pipeline.configure import ResolvedSettings
from polyframe.pipeline.from_extractions import run_extractions_csv
from polyframe.pipeline.load_marks import InputMarks, place_of_marks
from polyframe.pipeline.run import run_export, run_extractions
from polyframe.pipeline.summary import Summary
from polyframe.store.output import Output
from polyframe.store.recorded_settings import not_default, settings_for_stage
from polyframe.store.versions import read_manifest


def write_tables(
    stages: Sequence[str],
    sources: Sequence[SourceLike],
    output: Place,
    configured: ResolvedSettings,
    say: Say,
    progress: Progress | None,
    *,
    force: bool = False,
    cluster: Cluster | None = None,
) -> Summary:
    """Write the tables of an export.

    Parameters
    ----------
    stages : sequence of str
        `extract`, optionally followed by `reduce` and `contours`.
    sources : sequence
        The export, from `polyframe.pipeline.in_memory.export_sources`.
    output : Path or Address
        The output directory.
    configured, say, progress, force, cluster
        As for `write_stage`.

    Raises
    ------
    UsageError, PolyframeError
        If the export cannot be used or the output cannot be written.
    """
    return run_export(
        sources,
        output,
        configured.settings,
        stages,
        say,
        progress or no_progress,
        force=force,
        explicit=configured.explicit,
        flagged=configured.flagged,
        cluster=cluster,
    )


def write_stage(
    stage: str,
    marks: InputMarks,
    output: Place,
    configured: ResolvedSettings,
    say: Say,
    progress: Progress | None,
    *,
    force: bool = False,
    cluster: Cluster | None = None,
) -> Summary:
    """Write the tables of `reduce` or `contours`.

    Parameters
    ----------
    stage : {"reduce", "contours"}
        The stage to run.
    marks : path
        The output directory itself; for `reduce`, also a CSV file of extractions.
    output : Path or Address
        The output directory.
    configured : ResolvedSettings
        The settings of the call.
    say : callable
        Receives notes.
    progress : callable or None
        Receives the numbers of rows processed and to process.
    force : bool
        Rebuild parts that are up to date.
    cluster : str, distributed.Client or module, optional
        Where the workers are, see `polyframe.core.clusters`.

    Raises
    ------
    UsageError
        If tables of these marks cannot be written to this directory.
    PolyframeError
        If the marks cannot be read or the tables cannot be written.
    """
    progress = progress or no_progress
    source = place_of_marks(marks)
    if source is None:
        raise UsageError(
            f"output: marks in memory cannot be written as tables; first write the extractions with "
            f"extract(..., output={str(output)!r}), then pass {str(output)!r} as marks"
        )
    if isinstance(source, Path) and source.is_file():
        if stage != "reduce":
            raise UsageError(f"{source}: is not an output directory; first run reduce on it, then {stage}")
        return run_extractions_csv(
            source,
            output,
            configured.settings,
            say,
            progress,
            force=force,
            explicit=configured.explicit,
            flagged=configured.flagged,
            cluster=cluster,
        )
    elsewhere = not _are_same(source, output)
    if isinstance(source, Path) and not source.exists() and (elsewhere or source.suffix.lower() == ".csv"):
        raise PolyframeError(no_such_file(source))
    if elsewhere:
        raise UsageError(
            f"output: the tables of {source} belong in {source}, not in {output}; another output directory "
            "is only for a CSV file of extractions"
        )
    return _rerun(stage, output, configured, say, progress, force, cluster)


def _are_same(source: Place, output: Place) -> bool:
    if isinstance(source, Path) and isinstance(output, Path):
        return source.resolve() == output.resolve()
    return str(source) == str(output)


def _rerun(
    stage: str,
    output: Place,
    configured: ResolvedSettings,
    say: Say,
    progress: Progress,
    force: bool,
    cluster: Cluster | None,
) -> Summary:
    settings = settings_for_stage(read_manifest(Output(output)), stage, configured.explicit)
    inherited = not_default(settings, without=configured.explicit)
    say(Information(f"other settings are those of {output}: {inherited or 'the defaults'}"))
    for note in ignored_eps_notes(settings, configured.explicit):
        say(note)
    return run_extractions(
        output, settings, stage, say, progress, force=force, flagged=configured.flagged, cluster=cluster
    )
