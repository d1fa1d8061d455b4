"""All records of an experiment in two tables on disk, a group of runs at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import batched
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bayeshpo.experiment.store import Results, RunRecord, inference_frame, trial_frame

# Runs in memory at one time.
_GROUP = 50


def collect(results: Results) -> tuple[Path, Path]:
    """Write ``trials.parquet`` and ``inference.parquet``; mappings and lists become JSON strings.

    Records are read twice, for the columns' types and for their content, so that memory does not grow with the number
    of runs.
    """
    runs = results.runs()
    paths = results.path / "trials.parquet", results.path / "inference.parquet"
    for path, frame in zip(paths, (trial_frame, inference_frame), strict=True):
        schema = pa.unify_schemas([t.schema for t in _tables(runs, frame)], promote_options="permissive")
        partial = path.with_name(path.name + ".partial")
        with pq.ParquetWriter(partial, schema) as writer:
            for table in _tables(runs, frame):
                writer.write_table(_conformed(table, schema))
        os.replace(partial, path)
    return paths


def _tables(runs: Sequence[RunRecord], frame: Callable[[Sequence[RunRecord]], pd.DataFrame]) -> Iterator[pa.Table]:
    # An empty group still has the columns.
    for group in batched(runs, _GROUP) if runs else [()]:
        rows = frame(group)
        for name in rows.select_dtypes(object).columns:
            rows[name] = [_text(value) for value in rows[name]]
        yield pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()


def _conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same rows with all columns of a schema, in its order and of its types."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, (dict, list)) else value
