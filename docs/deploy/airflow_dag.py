"""Update the tables of a project every night, check them, and load what changed into DuckDB."""

import json
from datetime import datetime, timedelta

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

#: Of the project; secrets, such as keys of a store, belong in the environment of the workers instead.
PROJECT = {
    "EXPORT": "/data/exports/classifications.csv.gz",
    "CONFIG": "/data/config.yaml",
    "OUT": "/data/out",
    "TARGET": "duckdb:////data/project.duckdb",
}

with DAG(
    "consensus",
    schedule="30 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=10)},
):
    run = BashOperator(
        task_id="run",
        bash_command='polyframe run "$EXPORT" -c "$CONFIG" -o "$OUT" --json --quiet',
        env=PROJECT,
        append_env=True,
        output_processor=json.loads,  # of the last line, which is the JSON object
    )
    check = BashOperator(
        task_id="check",
        bash_command='polyframe status "$OUT" --check --max-age 26h',
        env=PROJECT,
        append_env=True,
    )
    load = BashOperator(
        task_id="load",
        bash_command='polyframe load "$OUT" --to "$TARGET" --quiet',
        env=PROJECT,
        append_env=True,
    )
    run >> check >> load
