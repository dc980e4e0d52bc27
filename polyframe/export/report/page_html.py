"""Fill in the page of the report: fixed parts from the files in `page/`, numbers as HTML, data as JSON.

The page loads nothing: its content security policy forbids it, and allows only its own script, by hash. Text
from the data is escaped, or inside JSON that cannot end its element.
"""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any, Final

from polyframe.core import colours
from polyframe.core.plurals import counted
from polyframe.core.reasons import REASONS
from polyframe.core.settings import Settings
from polyframe.export.report.key_figures import BARS, KeyFigures
from polyframe.export.report.live_settings import LiveSettings
from polyframe.pipeline.summary import counts_lines
from polyframe.store.recorded_settings import format_setting

#: Parts of the script, in the order of their dependencies.
_SCRIPTS: Final = (
    "data.js",
    "clustering.js",
    "pictures.js",
    "live_settings.js",
    "tuning_curves.js",
    "volunteers.js",
    "cards.js",
    "subjects.js",
    "filters.js",
    "details.js",
    "paper.js",
    "start.js",
)
_IMAGES: Final = "<!-- images -->"
_CHART: Final = 150  # height of the tallest bar, in pixels
_BOTTOM: Final = 168  # y of the foot of the bars
_MAJORITY: Final = (
    "on contours: the majority, which more than half of the marks cover, or half and the median mark"
)
_MEANINGS: Final = {reason.code: reason.meaning for reason in REASONS}


def page_html(
    figures: KeyFigures,
    notes: Iterable[str],
    data: dict[str, Any],
    images: Mapping[int, str],
    live: LiveSettings,
) -> Iterator[str]:
    """Generate the page, piece by piece.

    Parameters
    ----------
    figures : KeyFigures
    notes : iterable of str
        Sentences about missing or omitted data.
    data : dict
        From `page_data`.
    images : mapping of int to str
        Data addresses by position among the images of `data`.
    live : LiveSettings
        With which the page clusters the marks again.

    Yields
    ------
    str
        Pieces of HTML.
    """
    script = "\n".join(_file(name) for name in _SCRIPTS)
    style = _colours() + _file("report.css")
    before, after = _file("report.html").split(_IMAGES)
    manifest = figures.manifest
    workflow = f"Workflow {manifest.settings.workflow_id}"
    if data["workflow"]:
        workflow = f"{data['workflow']} (w{workflow[1:]})"
    versions = [text.strip() for text in manifest.versions]
    values = {
        "policy": "; ".join(
            (
                "default-src 'none'",
                f"script-src {_hash(script)}",
                f"style-src {_hash(style)}",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            )
        ),
        "style": style,
        "script": script,
        "title": escape(data["title"] or f"Consensus: {workflow}, version {_listed(versions, 3)}"),
        "heading": escape(data["title"] or "Consensus of volunteers"),
        "description": escape(f"{workflow}, version {', '.join(versions)}"),
        "line": escape(data["level"] or "averaged polygon"),
        "majority": "" if data["level"] else f" <small>({_MAJORITY})</small>",
        "made": escape(f"polyframe {manifest.polyframe_version}"),
        "sources": escape(_listed(manifest.sources)),
        "tiles": _tiles(figures),
        "notes": "".join(f"<li>{_with_options(note)}</li>" for note in notes),
        "chart": _chart(figures.bars),
        "chart_label": escape(_chart_label(figures)),
        "chart_scale": repr(_CHART / (max(figures.bars) or 1)),
        "chart_bottom": str(_BOTTOM),
        "chart_table": _chart_table(figures.bars),
        "accounting": "".join(
            f"<li>{escape(_with_separators(line))}</li>" for line in counts_lines(figures.accounting)
        ),
        "rejects": _rejects(figures),
        "settings": _settings(figures),
        "settings_panel": _settings_panel(live),
        "data": _json(data),
    }
    yield Template(before).substitute(values)
    for name, content in live.arrays():
        yield f'<script type="text/plain" id="{name}">{content}</script>\n'
    for position, address in images.items():
        yield f'<script type="text/plain" id="image-{position}">{address}</script>\n'
    yield Template(after).substitute(values)


def _settings_panel(live: LiveSettings) -> str:
    notes = "".join(f'<p class="hint">{escape(note)}</p>' for note in live.notes())
    if live.distances is None:
        return f'<div class="box" id="settings">{notes}</div>'
    curves = "".join(
        f'<div class="curve"><p>{name} <span class="highest"></span></p>'
        f'<svg data-measure="{measure}" viewBox="0 0 240 44" preserveAspectRatio="none">'
        '<path class="track"/><line class="at-output" y1="0" y2="44"/><line class="at-tried" y1="0" y2="44"/>'
        "</svg></div>"
        for measure, name in (("clusters", "clusters"), ("outliers", "outliers"), ("consensus", "consensus"))
    )
    return Template(_file("settings_panel.html")).substitute(notes=notes, curves=curves)


def _file(name: str) -> str:
    return resources.files("polyframe.export.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: Any) -> str:
    """Return JSON in which no browser sees the end of its element, or a comment."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _with_separators(line: str) -> str:
    """Return a line of counts with thousands separators, as the other numbers of the page have them."""
    return re.sub(r"\d{4,}", lambda count: f"{int(count[0]):,}", line)


def _with_options(note: str) -> str:
    """Return a note as HTML whose options of the command line are not broken at their hyphens."""
    return re.sub("--[a-z-]+", r'<span class="option">\g<0></span>', escape(note))


def _colours() -> str:
    """Return the colours of `polyframe.core.colours` as CSS variables."""
    variables = {
        "outline-on-white": colours.ON_WHITE[0],
        "average-on-white": colours.ON_WHITE[1],
        "other-on-white": colours.ON_WHITE[3],
        "corrected-on-white": colours.ON_WHITE[4],
        "outlier-on-white": colours.OUTLIER_ON_WHITE,
        "outline-on-image": colours.ON_IMAGE[0],
        "average-on-image": colours.ON_IMAGE[1],
        "other-on-image": colours.ON_IMAGE[3],
        "corrected-on-image": colours.ON_IMAGE[4],
        "outlier-on-image": colours.OUTLIER_ON_IMAGE,
        "volunteer-on-white": colours.ON_WHITE[6],
        "volunteer-on-image": colours.ON_IMAGE[5],
        "majority": colours.MAJORITY,
        "majority-rim": colours.MAJORITY_RIM,
        "heat": f"linear-gradient(to right, {', '.join(colours.HEAT_STEPS)})",
    }
    return f":root {{ {' '.join(f'--{name}: {colour};' for name, colour in variables.items())} }}\n"


def _tiles(figures: KeyFigures) -> str:
    counts = figures.accounting
    rejected = counts.rows_rejected + counts.marks_rejected
    n_marks = counts.marks_clustered + counts.marks_outliers
    dropped = counts.clusters - figures.clusters - figures.removed
    median = figures.median_consensus
    corrections = [
        (number, name)
        for number, name in (
            (figures.corrected, "corrected"),
            (figures.removed, "removed"),
            (figures.stale, "stale"),
        )
        if number
    ]
    tiles = [
        ("Subjects", figures.subjects, f"{figures.subjects_with_clusters:,} with a cluster"),
        ("Classifications", counts.rows_used, f"of {counted(counts.rows_read, 'row')} read"),
        ("Marks", n_marks, f"of {counts.marks_seen:,} seen"),
        (
            "Clusters",
            figures.clusters,
            f"{dropped:,} more below min_threshold" if dropped else f"in {counted(counts.groups, 'group')}",
        ),
        ("Outliers", counts.marks_outliers, f"{_share(counts.marks_outliers, n_marks)} of the marks"),
        ("Rejected", rejected, "rows and marks, see below" if rejected else "nothing"),
        ("Median consensus", "none" if median is None else f"{median:.2f}", "from 0 to 1"),
    ]
    if corrections:
        hint = ", ".join(f"{number:,} {name}" for number, name in corrections)
        tiles.insert(4, ("Corrections", figures.corrected + figures.removed, hint))
    return "".join(
        f"<div><dt>{escape(name)}</dt>"
        f"<dd><strong>{number if isinstance(number, str) else format(number, ',')}</strong>"
        f"<small>{escape(hint)}</small></dd></div>"
        for name, number, hint in tiles
    )


def _chart(bars: list[int]) -> str:
    """Draw the bars, with positions in percent so that text keeps its size on a small screen."""
    tallest = max(bars) or 1
    width = 100 / BARS
    groups = []
    for k, number in enumerate(bars):
        height = number / tallest * _CHART
        place = f'x="{k * width + 0.06 * width:.2f}%" width="{0.88 * width:.2f}%"'
        groups.append(
            f'<g class="bar" data-step="{k}"><title>{_step(k)}: {counted(number, "cluster")}</title>'
            f'<rect class="all" {place} y="{_BOTTOM - height:.1f}" height="{height:.1f}"/>'
            f'<rect class="chosen" {place} y="{_BOTTOM - height:.1f}" height="{height:.1f}"/></g>'
        )
    most = f'<text x="0" y="12">{counted(max(bars), "cluster")}</text>' if any(bars) else ""
    return "".join(groups) + most


def _chart_label(figures: KeyFigures) -> str:
    """Describe the chart for screen readers; the table below it has all numbers."""
    if figures.median_consensus is None:
        return "Histogram of the consensus of clusters; there are no clusters."
    tallest = max(range(BARS), key=figures.bars.__getitem__)
    return (
        f"Histogram of the consensus of {counted(figures.clusters, 'cluster')}; the median is "
        f"{figures.median_consensus:.2f}; the tallest bar ({figures.bars[tallest]:,}) is {_step(tallest)}."
    )


def _chart_table(bars: list[int]) -> str:
    rows = ((_step(k), f"{number:,}") for k, number in enumerate(bars))
    return _table("Clusters by consensus", ("consensus", "clusters"), rows)


def _step(position: int) -> str:
    return f"{position / BARS:.2f} to {(position + 1) / BARS:.2f}"


def _rejects(figures: KeyFigures) -> str:
    if not figures.accounting.reasons:
        return "<p>No rows or marks were rejected.</p>"
    return _table(
        "Rejected rows and marks",
        ("reason", "number", "meaning"),
        (
            (reason, f"{number:,}", _MEANINGS.get(reason, "").replace("`", ""))
            for reason, number in figures.accounting.reasons.items()
        ),
    )


def _settings(figures: KeyFigures) -> str:
    used, default = figures.manifest.settings, Settings()
    return _table(
        "Settings",
        ("setting", "value", "note"),
        (
            (
                name,
                format_setting(getattr(used, name), name),
                "" if getattr(used, name) != getattr(default, name) else "default",
            )
            for name in used.affecting("extract", "reduce", "contours", "carried")
        ),
    )


def _table(name: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table that can be scrolled by keyboard on a small screen; the first cell of a row heads it."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in others)}</tr>"
        for first, *others in rows
    )
    return (
        f'<div class="wide" role="group" aria-label="{escape(name)}" tabindex="0"><table>'
        f'<caption><span class="unseen">{escape(name)}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0 %"


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
