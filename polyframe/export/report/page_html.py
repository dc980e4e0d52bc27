"""The page of the report: its fixed parts from the files in `page/`, numbers as HTML, data as JSON.

Nothing is loaded from elsewhere: the page forbids it to itself, and allows no script but its own, by its
hash. All text from the data is escaped, or stands in JSON that cannot end its element.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib import resources
from string import Template
from typing import Any, Final

from polyframe.core import colours
from polyframe.core.reasons import REASONS
from polyframe.core.settings import Settings
from polyframe.export.report.key_figures import BARS, Headline
from polyframe.pipeline.summary import counts_lines
from polyframe.store.recorded_settings import shown

#: One script each, in the order in which they need one another.
_SCRIPTS: Final = ("data.js", "pictures.js", "cards.js", "filters.js", "details.js", "start.js")
_IMAGES: Final = "<!-- images -->"
_CHART: Final = 150  # the height of the tallest bar, in pixels
_BOTTOM: Final = 168  # where the bars stand
_MEANINGS: Final = {reason.code: reason.meaning for reason in REASONS}


def document(
    headline: Headline, notes: Iterable[str], data: dict[str, Any], images: Mapping[int, str]
) -> Iterator[str]:
    """Make the page, piece by piece.

    Parameters
    ----------
    headline : Headline
        What is told of the output as a whole.
    notes : iterable of str
        What is missing or left out, in words.
    data : dict
        From `polyframe.export.report.page_data.page_data`.
    images : mapping of int to str
        Data addresses by position among the images of `data`.

    Yields
    ------
    str
        Pieces of HTML.
    """
    script = "\n".join(_file(name) for name in _SCRIPTS)
    style = _colours() + _file("report.css")
    before, after = _file("report.html").split(_IMAGES)
    manifest = headline.manifest
    workflow = f"Workflow {manifest.settings.workflow_id}"
    versions = f"version {', '.join(text.strip() for text in manifest.versions)}"
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
        "title": escape(f"{workflow}, {versions}"),
        "made": escape(f"polyframe {manifest.polyframe_version}"),
        "sources": escape(_listed(manifest.sources)),
        "tiles": _tiles(headline),
        "notes": "".join(f"<li>{escape(note)}</li>" for note in notes),
        "chart": _chart(headline.bars),
        "chart_told": escape(_chart_told(headline)),
        "chart_scale": repr(_CHART / (max(headline.bars) or 1)),
        "chart_bottom": str(_BOTTOM),
        "chart_rows": _chart_rows(headline.bars),
        "accounting": "".join(f"<li>{escape(line)}</li>" for line in counts_lines(headline.accounting)),
        "rejects": _rejects(headline),
        "settings": _settings(headline),
        "data": _json(data),
    }
    yield Template(before).substitute(values)
    for position, address in images.items():
        yield f'<script type="text/plain" id="image-{position}">{address}</script>\n'
    yield Template(after).substitute(values)


def _file(name: str) -> str:
    return resources.files("polyframe.export.report").joinpath("page", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _json(data: Any) -> str:
    """Write JSON that no browser takes for the end of its element, or for a comment."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _colours() -> str:
    """Return the colours of `polyframe.core.colours` as variables of CSS."""
    named = {
        "outline-on-white": colours.ON_WHITE[0],
        "average-on-white": colours.ON_WHITE[1],
        "other-on-white": colours.ON_WHITE[2],
        "outlier-on-white": colours.OUTLIER_ON_WHITE,
        "outline-on-image": colours.ON_IMAGE[0],
        "average-on-image": colours.ON_IMAGE[1],
        "other-on-image": colours.ON_IMAGE[3],
        "outlier-on-image": colours.OUTLIER_ON_IMAGE,
        "heat": f"linear-gradient(to right, {', '.join(colours.HEAT_STEPS)})",
    }
    return f":root {{ {' '.join(f'--{name}: {colour};' for name, colour in named.items())} }}\n"


def _tiles(headline: Headline) -> str:
    counts = headline.accounting
    rejected = counts.rows_rejected + counts.marks_rejected
    taking_part = counts.marks_clustered + counts.marks_outliers
    dropped = counts.clusters - headline.clusters
    median = headline.median_consensus
    tiles = (
        ("Subjects", headline.subjects, f"{headline.subjects_with_clusters:,} with a cluster"),
        ("Classifications", counts.rows_used, f"of {counts.rows_read:,} rows read"),
        ("Marks", taking_part, f"of {counts.marks_seen:,} seen"),
        (
            "Clusters",
            headline.clusters,
            f"{dropped:,} more below min_threshold" if dropped else f"in {counts.groups:,} groups",
        ),
        ("Outliers", counts.marks_outliers, f"{_share(counts.marks_outliers, taking_part)} of the marks"),
        ("Rejected", rejected, "rows and marks, see below" if rejected else "nothing"),
        ("Median consensus", "none" if median is None else f"{median:.2f}", "from 0 to 1"),
    )
    return "".join(
        f"<div><dt>{escape(name)}</dt>"
        f"<dd><strong>{number if isinstance(number, str) else format(number, ',')}</strong>"
        f"<small>{escape(told)}</small></dd></div>"
        for name, number, told in tiles
    )


def _chart(bars: list[int]) -> str:
    """Draw the bars: places in percent, so that letters keep their size on a small screen."""
    tallest = max(bars) or 1
    width = 100 / BARS
    drawn = []
    for k, number in enumerate(bars):
        height = number / tallest * _CHART
        place = f'x="{k * width + 0.06 * width:.2f}%" width="{0.88 * width:.2f}%"'
        drawn.append(
            f'<g class="bar" data-step="{k}"><title>{_step(k)}: {_clusters(number)}</title>'
            f'<rect class="all" {place} y="{_BOTTOM - height:.1f}" height="{height:.1f}"/>'
            f'<rect class="chosen" {place} y="{_BOTTOM - height:.1f}" height="{height:.1f}"/></g>'
        )
    most = f'<text x="0" y="12">{_clusters(max(bars))}</text>' if any(bars) else ""
    return "".join(drawn) + most


def _chart_told(headline: Headline) -> str:
    """Say what the bars show, for those who do not see them; the table below has all of them."""
    if headline.median_consensus is None:
        return "Bars of clusters by consensus; there are no clusters."
    tallest = max(range(BARS), key=headline.bars.__getitem__)
    return (
        f"Bars of {_clusters(headline.clusters)} by consensus; half of them have at least "
        f"{headline.median_consensus:.2f}; most, {headline.bars[tallest]:,}, are from {_step(tallest)}."
    )


def _chart_rows(bars: list[int]) -> str:
    return "".join(f"<tr><td>{_step(k)}</td><td>{number:,}</td></tr>" for k, number in enumerate(bars))


def _step(position: int) -> str:
    return f"{position / BARS:.2f} to {(position + 1) / BARS:.2f}"


def _rejects(headline: Headline) -> str:
    if not headline.accounting.reasons:
        return "<p>No row and no mark was rejected.</p>"
    return _table(
        ("reason", "number", "what it means"),
        (
            (reason, f"{number:,}", _MEANINGS.get(reason, "").replace("`", ""))
            for reason, number in headline.accounting.reasons.items()
        ),
    )


def _settings(headline: Headline) -> str:
    used, usual = headline.manifest.settings, Settings()
    return _table(
        ("setting", "value", ""),
        (
            (
                name,
                shown(getattr(used, name)),
                "" if getattr(used, name) != getattr(usual, name) else "default",
            )
            for name in used.affecting("extract", "reduce", "contours", "carried")
        ),
    )


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    def cells(tag: str) -> Callable[[tuple[str, ...]], str]:
        return lambda row: f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in row)}</tr>"

    body = "".join(map(cells("td"), rows))
    return f"<table><thead>{cells('th')(heads)}</thead><tbody>{body}</tbody></table>"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0 %"


def _clusters(number: int) -> str:
    return f"{number:,} cluster{'' if number == 1 else 's'}"


def _listed(names: Sequence[str], most: int = 5) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
