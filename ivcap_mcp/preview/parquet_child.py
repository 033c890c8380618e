"""Reads one Parquet file and says what it found as JSON. Run by `parquet.py` as a process of its own."""

from __future__ import annotations

import json
import sys
from typing import Any

MEMORY = 2 * 1024**3
COLUMNS = 60
ROWS = 8
CELL = 100


def schema(file: Any) -> dict[str, Any]:
    meta = file.metadata
    fields = list(file.schema_arrow)[:COLUMNS]
    columns = [{"name": field.name[:CELL], "type": str(field.type)[:200]} for field in fields]
    told = {
        "columns": columns,
        "column_count": len(file.schema_arrow),
        "row_count": meta.num_rows,
        "row_groups": meta.num_row_groups,
        "written_by": str(meta.created_by or "")[:CELL],
    }
    if meta.num_row_groups:
        group = meta.row_group(0)
        chunks = [group.column(number) for number in range(group.num_columns)]
        starts = [
            min(at for at in (chunk.data_page_offset, chunk.dictionary_page_offset) if at is not None)
            for chunk in chunks
        ]
        ends = [start + chunk.total_compressed_size for start, chunk in zip(starts, chunks, strict=True)]
        if starts:
            told["rows_at"] = [min(starts), max(ends)]
    return told


def rows(file: Any) -> dict[str, Any]:
    names = [field.name for field in list(file.schema_arrow)[:COLUMNS]]
    for batch in file.iter_batches(batch_size=ROWS, row_groups=[0], columns=names, use_threads=False):
        return {"first_rows": [[cell(value) for value in row.values()] for row in batch.to_pylist()]}
    return {"first_rows": []}


def cell(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int)):
        return value
    text = repr(value) if isinstance(value, (float, bytes, list, dict)) else str(value)
    return text if len(text) <= CELL else text[: CELL - 1] + "…"


def main(arguments: list[str]) -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except ImportError:  # Windows: the time-out has to do
        pass
    import pyarrow as arrow
    import pyarrow.parquet as parquet

    arrow.set_cpu_count(1)
    try:
        with parquet.ParquetFile(arguments[1], memory_map=False) as file:
            told = schema(file) if arguments[0] == "schema" else rows(file)
    except (arrow.ArrowException, OSError, ValueError, MemoryError, RecursionError) as error:
        told = {"error": " ".join(str(error).split())[:300] or type(error).__name__}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
