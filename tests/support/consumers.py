"""The programs that were seen to open our files: the table on the page "Programs that open the outputs".

Tests install the versions here, so each is written once. Add a program with the test that runs it, or without
one if it was tried by hand, and only what was seen.
"""

from dataclasses import dataclass

#: Tests of the readers that are installed with the extra `test` anyway, in any version.
_READABLE = "tests/end_to_end/test_readable.py"
_READERS = "tests/consumers/test_parquet_readers.py"
_GIS = "tests/consumers/test_gis.py"
_TRAINING = "tests/consumers/test_training_sets.py"
_PAGE = "tests/export/report/test_accessibility.py"


@dataclass(frozen=True)
class Consumer:
    """A program that opens our files.

    Attributes
    ----------
    program : str
        Its name.
    version : str
        The version that was run.
    opens : str
        Which files, in Markdown.
    how : str
        How to open them, and what to know, in Markdown.
    test : str or None
        The file and the function that runs it; None if it was tried by hand.
    package : str or None
        The distribution on PyPI that a test installs into an environment of its own.
    """

    program: str
    version: str
    opens: str
    how: str
    test: str | None
    package: str | None = None

    @property
    def requirement(self) -> str:
        """The package in this version, for pip."""
        return f"{self.package}=={self.version}"


PARQUET_READERS = (
    Consumer(
        "pandas", "3.1.1", "all tables", '`pandas.read_parquet("out/labels")`', f"{_READABLE}::test_pandas"
    ),
    Consumer(
        "Polars", "2.1.0", "all tables", '`polars.read_parquet("out/labels")`', f"{_READABLE}::test_polars"
    ),
    Consumer(
        "PyArrow",
        "26.0.1",
        "all tables",
        '`pyarrow.dataset.dataset("out/labels")`',
        f"{_READABLE}::test_pyarrow",
    ),
    Consumer("DuckDB", "2.0.1", "all tables", "`FROM 'out/labels/*.parquet'`", f"{_READABLE}::test_duckdb"),
    Consumer(
        "DuckDB spatial",
        "1.5.5",
        "`reductions`, `contours`",
        "after `LOAD spatial`, `geometry` is a shape",
        f"{_READABLE}::test_duckdb_spatial",
        "duckdb-extension-spatial",
    ),
    Consumer(
        "DuckDB delta",
        "1.5.5",
        "Delta tables",
        "`FROM delta_scan('tables/labels')`; for `geometry`, `LOAD spatial` or "
        "`SET enable_geoparquet_conversion = false` before",
        f"{_READERS}::test_duckdb_delta",
        "duckdb-extension-delta",
    ),
    Consumer(
        "deltalake, Polars",
        "1.6.6",
        "Delta tables",
        '`polars.scan_delta("tables/labels")`',
        "tests/export/load/test_delta_target.py::test_tables_have_the_rows_of_the_files",
    ),
    Consumer(
        "GeoPandas",
        "1.2.0",
        "`reductions`, `contours`",
        '`geopandas.read_parquet("out/reductions")`',
        f"{_READABLE}::test_geopandas",
    ),
    Consumer(
        "geoparquet-io",
        "1.6.0",
        "`reductions`, `contours`, `levels`",
        "`gpio check spec` complains only that pixels are not degrees, and in 1.7.0 (by hand) of nothing; "
        "`gpio check` also advises a column of boxes, spatial order and larger row groups",
        f"{_READERS}::test_geoparquet_io",
        "geoparquet-io",
    ),
    Consumer(
        "ClickHouse (chDB)",
        "4.4.0",
        "all tables but `rejects`",
        "`CREATE TABLE ... ENGINE = MergeTree ORDER BY` the keys, without `created_at`, which may be "
        "missing, from `file('out/labels/*.parquet')`",
        f"{_READERS}::test_clickhouse",
        "chdb",
    ),
    Consumer(
        "fastparquet",
        "2026.9.0",
        "all tables but `contours`",
        "it reads lists of lists as `None`, without an error",
        f"{_READERS}::test_fastparquet",
        "fastparquet",
    ),
    Consumer(
        "DataFusion",
        "55.0.0",
        "all tables",
        '`SessionContext().register_parquet("labels", "out/labels/")`, then SQL',
        None,
    ),
    Consumer(
        "hyparquet (JavaScript)",
        "1.31.5",
        "all tables",
        "with hyparquet-compressors; `geometry` becomes GeoJSON",
        None,
    ),
)

GIS = (
    Consumer(
        "GeoPandas",
        "1.2.0",
        "`geojson`, `gpkg`",
        '`geopandas.read_file("averages.gpkg")`, in pixels',
        f"{_GIS}::test_geopandas_reads_pixels",
    ),
    Consumer(
        "GDAL (of pyogrio)",
        "3.12.4",
        "`geojson`, `gpkg`",
        "areas and validity by SQL (`-dialect sqlite`), in pixels",
        f"{_GIS}::test_gdal",
    ),
    Consumer(
        "fastparquet",
        "2026.9.0",
        "`levels`",
        "instead of `contours`",
        f"{_GIS}::test_fastparquet_reads_levels",
    ),
    Consumer(
        "DuckDB",
        "2.0.1",
        "`levels`",
        "`FROM 'levels.parquet'` or `'levels.csv'`",
        f"{_GIS}::test_duckdb_reads_levels",
    ),
    Consumer(
        "GDAL (Debian)",
        "3.6.2",
        "`geojson`, `gpkg`, `levels.csv`",
        '`ogrinfo -dialect sqlite -sql "SELECT sum(st_area(geometry)) FROM reductions" averages.gpkg`',
        None,
    ),
    Consumer(
        "QGIS",
        "3.22.16",
        "`geojson`, `gpkg`, `levels.csv`",
        "`$area` is in square pixels; Debian's build has no driver for Parquet",
        None,
    ),
    Consumer(
        "R's sf",
        "1.0.9",
        "`geojson`, `gpkg`, `levels.csv`",
        '`st_read("averages.gpkg")`; `st_area` and `st_is_valid` are those of a plane',
        None,
    ),
    Consumer("mapshaper", "0.7.70", "`geojson`", "`mapshaper averages.geojson -info`", None),
)

TRAINING_SETS = (
    Consumer(
        "pycocotools",
        "2.0.11",
        "`coco`",
        "`COCO`; `loadRes` and `COCOeval` take the annotations as results, by their `score`",
        "tests/export/test_coco.py::test_annotations_are_results_for_an_evaluation",
    ),
    Consumer(
        "supervision",
        "0.31.2",
        "`coco`, `yolo`",
        "`DetectionDataset.from_coco`, `DetectionDataset.from_yolo`",
        f"{_TRAINING}::test_supervision",
        "supervision",
    ),
    Consumer(
        "Ultralytics",
        "8.4.190",
        "`yolo`",
        "`yolo segment train data=yolo/data.yaml` (by hand); tests run its check of the labels, from its "
        "source without PyTorch",
        f"{_TRAINING}::test_ultralytics",
        "ultralytics",
    ),
    Consumer(
        "Ultralytics",
        "8.4.190",
        "`coco`",
        "its converter makes the labels of `yolo` from them",
        f"{_TRAINING}::test_ultralytics_converter",
    ),
    Consumer(
        "Ultralytics",
        "8.4.190",
        "`masks` of classes",
        "semantic segmentation, from the folder `yolo/masks` (by hand); tests run its check of the masks",
        f"{_TRAINING}::test_ultralytics_masks",
    ),
    Consumer(
        "datumaro",
        "1.13.12",
        "`coco`",
        "as `annotations/instances_train.json`, beside `images/train`; not `yolo`, since it reads labels "
        "with boxes only",
        f"{_TRAINING}::test_datumaro_coco",
        "datumaro",
    ),
    Consumer(
        "datumaro",
        "1.13.12",
        "`coco`, corrected",
        "`polyframe import-corrections` reads what it writes after an edit",
        f"{_TRAINING}::test_corrections_come_back",
    ),
    Consumer(
        "datumaro",
        "1.13.12",
        "`masks` of classes",
        "as `masks`, beside `images` and [a file with the classes](../recipes/training-sets.md#masks)",
        f"{_TRAINING}::test_datumaro_masks",
    ),
    Consumer(
        "Label Studio",
        "1.23.2",
        "`labelstudio`",
        "import into a project with [this configuration](../recipes/training-sets.md#label-studio)",
        None,
    ),
    Consumer(
        "Label Studio SDK",
        "2.1.2",
        "`labelstudio`",
        "`LabelInterface.validate_prediction`",
        f"{_TRAINING}::test_label_studio",
        "label-studio-sdk",
    ),
    Consumer(
        "Label Studio SDK",
        "2.1.2",
        "`labelstudio`, corrected",
        "`polyframe import-corrections` reads what it writes after an edit",
        f"{_TRAINING}::test_corrections_come_back",
    ),
)

REPORT_CHECKERS = (
    Consumer(
        "axe-core",
        "4.14.1",
        "`report.html`",
        "no violations: light, dark and on a phone, with tables, filters and clusters open and closed",
        f"{_PAGE}::test_axe_and_html_validate_have_no_findings_in_any_state",
    ),
    Consumer(
        "html-validate",
        "10.9.0",
        "`report.html`",
        "no findings of `html-validate:recommended`",
        f"{_PAGE}::test_html_validate_accepts_the_file",
    ),
)

REPORT = (
    Consumer(
        "Chromium",
        "156.0.8078.108",
        "`report.html`",
        "printing and a search in the page reach every cluster",
        "tests/export/report/test_printing.py::test_every_cluster_that_the_filters_choose_is_printed",
    ),
    Consumer(
        "Firefox ESR",
        "153.8.0",
        "`report.html`",
        "the same figures as in Chromium; printing and a search in the page reach every cluster",
        "tests/export/report/test_browsers.py::test_figures_are_the_same",
    ),
    *REPORT_CHECKERS,
    Consumer(
        "Nu Html Checker (vnu)",
        "26.9.27",
        "`report.html`",
        "the HTML has no errors; it does not know the CSS property `vector-effect`",
        None,
    ),
)

#: All programs, in the order of the table.
CONSUMERS = (*PARQUET_READERS, *GIS, *TRAINING_SETS, *REPORT)


def requirements(tests: str) -> list[str]:
    """Return the packages that the tests of a file install, in their versions."""
    return [
        consumer.requirement
        for consumer in CONSUMERS
        if consumer.package and consumer.test and consumer.test.startswith(f"{tests}::")
    ]
