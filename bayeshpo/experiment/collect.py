"""All records of an experiment in two tables on disk, a group of runs at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import batched
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bayeshpo.experiment.store import INFERENCE_COLUMNS, TRIAL_COLUMNS, Results, RunRecord, column_names, keyed

Records = Callable[[RunRecord], list[dict[str, Any]]]
# Runs in memory at one time.
_GROUP = 50


def collect(results: Results) -> tuple[Path, ...]:
    """Write ``trials.parquet`` and ``inference.parquet``; mappings and lists become JSON strings.

    Records are read twice, for the columns' types and for their content, so that memory does not grow with the number
    of runs.
    """
    runs = results.runs()
    contents = {
        "trials": (TRIAL_COLUMNS, lambda run: run.trials),
        "inference": (INFERENCE_COLUMNS, lambda run: run.inference),
    }
    return tuple(_write(results.path / f"{name}.parquet", runs, *content) for name, content in contents.items())


def _write(path: Path, runs: Sequence[RunRecord], columns: Sequence[str], records: Records) -> Path:
    schema = pa.unify_schemas([t.schema for t in _tables(runs, columns, records)], promote_options="permissive")
    partial = path.with_name(path.name + ".partial")
    with pq.ParquetWriter(partial, schema) as writer:
        for table in _tables(runs, columns, records):
            writer.write_table(_conformed(table, schema))
    os.replace(partial, path)
    return path


def _tables(runs: Sequence[RunRecord], columns: Sequence[str], records: Records) -> Iterator[pa.Table]:
    # An empty group still has the columns.
    for group in batched(runs, _GROUP) if runs else [()]:
        rows = [keyed(run, record) for run in group for record in records(run)]
        yield pa.table({name: [_text(row.get(name)) for row in rows] for name in column_names(columns, rows)})


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows with all columns of a schema, in its order and of its types."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (dict, list)) else value
