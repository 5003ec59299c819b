"""Explores the files of a sink: hours, sizes, delays, partitions, small files. A notebook for marimo.

`marimo edit examples/notebook.py` opens it with the files of a demo, and `marimo edit examples/notebook.py -- s3://lake orders`
with those of a topic. `python examples/notebook.py [URL TOPIC [TOPICS_DIR]]` prints the numbers. It needs marimo, altair,
duckdb and polars.
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="Files of a sink")

with app.setup:
    import argparse
    import concurrent.futures
    import datetime
    import json
    import math
    import os
    import random
    import sys
    import tempfile
    from pathlib import Path

    import altair as alt
    import duckdb
    import marimo as mo
    import polars as pl

    from kafka2parquet import FsspecStorage, ObjectNaming, build_task, load_connect_config, load_worker_config
    from kafka2parquet.audit import read_flushes
    from kafka2parquet.bounded import drain
    from kafka2parquet.testing import InlineExecutor, ManualClock, MemoryConsumer, MemoryKafka, MemoryRecord

    alt.data_transformers.disable_max_rows()  # a month of many partitions has more hours than the limit
    UTC_HOUR = alt.TimeUnitParams(unit="yearmonthdatehours", utc=True)
    HOUR_AXIS = alt.Axis(format="%-d %b %H:%M", labelOverlap=True)


@app.cell(hide_code=True)
def _():
    mo.md("""
    # Files of a sink

    Every footer says which offsets its file holds, between which times its rows lie, and why the file ended. This notebook
    reads only names and footers. It needs no broker, and costs a few small requests for each file.
    """)
    return


@app.cell
def _():
    _parser = argparse.ArgumentParser(prog="notebook.py")
    _parser.add_argument("url", nargs="?", help="where the files are, such as s3://lake (default: the files of a demo)")
    _parser.add_argument("topic", nargs="?", default="orders")
    _parser.add_argument("topics_dir", nargs="?", default="topics", help="topics.dir of the sink")
    _options = _parser.parse_args(sys.argv[1:])
    if _options.url is None:
        _options.url = tempfile.mkdtemp(prefix="kafka2parquet-notebook-")
        write_demo(Path(_options.url))
    url, topic = _options.url, _options.topic
    files = read_files(url, topic, _options.topics_dir)
    mo.md(f"{files.height:,} files of the topic `{topic}` at `{url}`. `files` has a row for each of them.")
    return files, topic, url


@app.cell
def _(files):
    files
    return


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Hours

    Rows by the hour of their times, for each partition. An empty field is an hour without rows: nothing was produced, or the
    sink has not published the hour yet.
    """)
    return


@app.cell
def _(files):
    hours = rows_by_hour(files)
    hours_chart = (
        alt.Chart(hours, title="Rows by hour and partition", width=640, height=alt.Step(26))
        .mark_rect()
        .encode(
            x=alt.X("hour:T", timeUnit=UTC_HOUR, axis=HOUR_AXIS, scale=alt.Scale(type="utc"), title="hour (UTC)"),
            y=alt.Y("partition:O"),
            color=alt.Color("rows:Q", scale=alt.Scale(scheme="viridis")),
            tooltip=[alt.Tooltip("hour:T", timeUnit=UTC_HOUR, title="hour (UTC)"), "partition:O", "rows:Q", "files:Q"],
        )
    )
    hours_chart
    return hours, hours_chart


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Sizes

    How many files are how large, and how many bytes they are together. Queries like files of 100 MiB and more. What ends files
    too early is the subject of the last chart.
    """)
    return


@app.cell
def _(files):
    sizes = sizes_of(files)
    sizes_chart = (
        alt.Chart(sizes, title="Files by size", width=640, height=200)
        .mark_bar()
        .encode(
            x=alt.X("size:N", sort=None, title="size of the file, at least", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("files:Q"),
            tooltip=["size:N", "files:Q", "bytes:Q"],
        )
    )
    sizes_chart
    return sizes, sizes_chart


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Delays

    From the time of a record to the moment when its file was there, as the store has it. A bar reaches from the newest row
    that was published in this hour to the oldest one: with hourly files, about an hour. A bar that is longer or higher is an
    outage or a backlog. A line above a bar is the oldest of a few rows that were late already when they came.
    """)
    return


@app.cell
def _(files):
    delays = delays_by_hour(files)
    _base = alt.Chart(delays).encode(
        x=alt.X("published:T", axis=HOUR_AXIS, scale=alt.Scale(type="utc"), title="published (UTC)"),
        tooltip=[
            alt.Tooltip("published:T", timeUnit=UTC_HOUR),
            "least_min:Q",
            "greatest_min:Q",
            "oldest_min:Q",
            "files:Q",
            "rows:Q",
        ],
    )
    _bars = _base.mark_bar(size=12).encode(y=alt.Y("least_min:Q", title="minutes"), y2="greatest_min:Q")
    _lines = _base.mark_tick(size=16, thickness=2, color="#d9822b").encode(y="oldest_min:Q")
    delays_chart = alt.layer(_bars, _lines, title="Delay from record to file", width=640, height=240)
    delays_chart
    return delays, delays_chart


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Partitions

    Rows of each partition. If one has far more than the others, a few keys have most of the records, and one task does most of
    the work.
    """)
    return


@app.cell
def _(files):
    partitions = rows_by_partition(files)
    partitions_chart = (
        alt.Chart(partitions, title="Rows by partition", width=640, height=alt.Step(26))
        .mark_bar()
        .encode(
            x=alt.X("rows:Q"),
            y=alt.Y("partition:O"),
            tooltip=["partition:O", "rows:Q", "rejects:Q", "files:Q", alt.Tooltip("share:Q", format=".1%")],
        )
    )
    partitions_chart
    return partitions, partitions_chart


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Small files

    Files below a share of the largest file's size, by what ended their flush. If it is `rows` or `schedule`, the settings
    ask for it; `range` is the end of a run that ends, as in the demo. Files of late rows are small too: a flush has a file for
    each folder. `kafka2parquet compact` merges small files.
    """)
    return


@app.cell
def _():
    share = mo.ui.slider(0.05, 1.0, 0.05, value=0.1, label="share of the largest size", show_value=True)
    share
    return (share,)


@app.cell
def _(files, share):
    small = small_files(files, share.value)
    small_chart = (
        alt.Chart(small, title="Files by what ended their flush", width=640, height=alt.Step(26))
        .mark_bar()
        .encode(
            x=alt.X("files:Q"),
            y=alt.Y("reason:N", title="ended by"),
            color=alt.Color("kind:N", title=None, scale=alt.Scale(domain=["small", "larger"], range=["#d9822b", "#3f7fc9"])),
            tooltip=["reason:N", "kind:N", "files:Q", "rows:Q"],
        )
    )
    small_chart
    return small, small_chart


@app.cell(hide_code=True)
def _():
    mo.md("""
    ## Offsets

    Whether each flush begins where the one before it ends, in SQL. The files alone can't say more: `kafka2parquet audit`
    also compares them with the committed offsets, and with the log.
    """)
    return


@app.cell
def _(files):
    flushes = files.filter(pl.col("is_anchor"))  # DuckDB finds it by its name
    breaks = duckdb.sql("""
        SELECT partition, least(previous_end, flush_start) AS start, greatest(previous_end, flush_start) AS end,
            CASE WHEN flush_start > previous_end THEN 'in no file' ELSE 'in two flushes' END AS what
        FROM (
            SELECT partition, flush_start, max(flush_end) OVER (
                PARTITION BY partition ORDER BY flush_start ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS previous_end
            FROM flushes
        )
        WHERE flush_start != previous_end
        ORDER BY ALL
    """).pl()
    mo.md("Each flush begins where the one before it ends.") if breaks.is_empty() else breaks
    return breaks, flushes


@app.cell
def _(breaks, delays, files, flushes, hours, partitions, small, topic, url):
    summary = {
        "topic": topic,
        "url": url,
        "files": files.height,
        "flushes": flushes.height,
        "rows": int(partitions["rows"].sum()),
        "rejects": int(partitions["rejects"].sum()),
        "bytes": int(files["bytes"].sum()),
        "hours": hours["hour"].n_unique(),
        "longest delay, minutes": None if delays.is_empty() else round(delays["oldest_min"].max(), 1),
        "small files": int(small.filter(pl.col("kind") == "small")["files"].sum()),
        "breaks between flushes": breaks.height,
    }
    if mo.app_meta().mode == "script":
        for _name, _value in summary.items():
            print(f"{_name}: {_value:,}" if isinstance(_value, int) else f"{_name}: {_value}")
    summary
    return (summary,)


@app.function(hide_code=True)
def read_files(url: str, topic: str, topics_dir: str) -> pl.DataFrame:
    """Return a row for each file, as `read_flushes` describes it, with the time at which it was published."""
    storage = FsspecStorage(url)
    files = pl.from_arrow(read_flushes(storage, topic, naming=ObjectNaming(topics_dir=topics_dir)))

    def published_at(key: str) -> datetime.datetime | None:
        try:
            return storage.filesystem.modified(storage.path(key))
        except NotImplementedError:  # some file systems don't say it
            return None

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        moments = [*pool.map(published_at, files["key"])]
    return files.with_columns(pl.Series("published_at", moments, pl.Datetime("us", "UTC")).dt.cast_time_unit("ms"))


@app.function(hide_code=True)
def values_of(files: pl.DataFrame) -> pl.DataFrame:
    """Return the files of record values. Files of keys and headers have the same records once more."""
    return files.filter(pl.col("role") == "values")


@app.function(hide_code=True)
def rows_by_hour(files: pl.DataFrame) -> pl.DataFrame:
    """Return rows and files by hour and partition. A file counts for the hour of its first time; those without are left out."""
    timed = values_of(files).filter(pl.col("min_time").is_not_null())
    hours = timed.group_by(pl.col("min_time").dt.truncate("1h").alias("hour"), "partition")
    return hours.agg(pl.col("rows").sum(), pl.len().alias("files")).sort("hour", "partition")


@app.function(hide_code=True)
def sizes_of(files: pl.DataFrame) -> pl.DataFrame:
    """Return the number and the bytes of files by size, in powers of two from the smallest file to the largest."""
    sized = values_of(files).filter(pl.col("bytes") > 0)
    power = pl.col("bytes").log(2).floor().cast(pl.Int64)
    found = sized.group_by(power.alias("power")).agg(pl.len().alias("files"), pl.col("bytes").sum())
    if found.is_empty():
        return pl.DataFrame(schema={"size": pl.String, "files": pl.Int64, "bytes": pl.Int64})
    every = pl.DataFrame({"power": range(found["power"].min(), found["power"].max() + 1)}, {"power": pl.Int64})
    units = ("B", "KiB", "MiB", "GiB", "TiB")
    names = [f"{2 ** (each % 10)} {units[each // 10]}" for each in every["power"]]
    return every.join(found, on="power", how="left").fill_null(0).select(pl.Series("size", names), "files", "bytes")


@app.function(hide_code=True)
def delays_by_hour(files: pl.DataFrame) -> pl.DataFrame:
    """Return by hour of publication how long rows had to wait, in minutes: the newest one, the oldest one, and late ones.

    The files of a flush that have few of its rows hold rows that were late. They count for `oldest_min` alone.
    """
    timed = values_of(files).filter(pl.col("published_at").is_not_null() & pl.col("min_time").is_not_null())
    hour = pl.col("published_at").dt.truncate("1h").alias("published")
    newest_min, oldest_min = (
        (pl.col("published_at") - pl.col(name)) / pl.duration(minutes=1) for name in ("max_time", "min_time")
    )
    has_many = pl.col("rows") >= 0.05 * pl.col("rows").max().over("partition", "flush_start")
    return (
        timed.with_columns(has_many.alias("has_many"))
        .group_by(hour)
        .agg(
            newest_min.filter("has_many").min().alias("least_min"),
            oldest_min.filter("has_many").max().alias("greatest_min"),
            oldest_min.max().alias("oldest_min"),
            pl.len().alias("files"),
            pl.col("rows").sum(),
        )
        .sort("published")
    )


@app.function(hide_code=True)
def rows_by_partition(files: pl.DataFrame) -> pl.DataFrame:
    """Return rows, rejects and files of each partition, and its share of all rows."""

    def rows_of(role: str) -> pl.Expr:
        return pl.col("rows").filter(pl.col("role") == role).sum()

    found = files.group_by("partition").agg(rows_of("values"), rows_of("rejects").alias("rejects"), pl.len().alias("files"))
    return found.with_columns((pl.col("rows") / pl.col("rows").sum()).alias("share")).sort("partition")


@app.function(hide_code=True)
def small_files(files: pl.DataFrame, share: float) -> pl.DataFrame:
    """Return files and rows by what ended the flush: of files below a share of the largest size, and of the others."""
    values = values_of(files)
    is_small = pl.col("bytes") < share * (values["bytes"].max() or 0)
    kind = pl.when(is_small).then(pl.lit("small")).otherwise(pl.lit("larger")).alias("kind")
    return values.group_by("reason", kind).agg(pl.len().alias("files"), pl.col("rows").sum()).sort("reason", "kind")


@app.function(hide_code=True)
def write_demo(folder: Path) -> dict[int, int]:
    """Write a day of orders with a sink in memory, and return the number of records by partition.

    Some orders come late, and from 13:00 to 15:00 the sink stands still. The day takes a few seconds, so the files get the
    times of modification that they would have had.
    """
    begin = datetime.datetime(2026, 5, 17, tzinfo=datetime.timezone.utc)
    config = load_connect_config(
        {
            "name": "orders",
            "connector.class": "io.confluent.connect.s3.S3SinkConnector",
            "topics": "orders",
            "s3.bucket.name": "demo",
            "storage.class": "io.confluent.connect.s3.storage.S3Storage",
            "format.class": "io.confluent.connect.s3.format.parquet.ParquetFormat",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter.schemas.enable": "false",
            "flush.size": "2000",
            "rotate.file.on.partition.change": "false",
            "partitioner.class": "io.confluent.connect.storage.partitioner.HourlyPartitioner",
            "timestamp.extractor": "Record",
            "locale": "en",
            "timezone": "UTC",
        }
    )
    chance = random.Random(17)
    kafka, storage, clock = MemoryKafka(), FsspecStorage(str(folder)), ManualClock(begin)
    kafka.create_topic("orders", partitions=3)
    records = dict.fromkeys(range(3), 0)
    known = set()
    for hour in range(24):
        orders = [[], [], []]
        count = round(3000 + 2000 * math.sin((hour - 8) / 24 * 2 * math.pi))
        for second in sorted(chance.uniform(0, 3600) for _ in range(count)):
            is_late = chance.random() < 0.02 and hour > 1
            age = datetime.timedelta(hours=hour, seconds=second - (chance.uniform(0, 5400) if is_late else 0))
            order = {"id": f"{chance.getrandbits(128):032x}", "total": round(chance.lognormvariate(3, 1), 2)}
            record = MemoryRecord(json.dumps(order).encode(), timestamp_ms=int((begin + age).timestamp() * 1000))
            orders[chance.choices(range(3), (5, 3, 2))[0]].append(record)
        for partition, produced in enumerate(orders):
            kafka.append("orders", partition, produced)
            records[partition] += len(produced)
        if hour in (13, 14):
            continue
        clock.set(begin + datetime.timedelta(hours=hour + 1, minutes=4))
        consumer = MemoryConsumer(kafka, group_id="connect-orders", topics="orders")
        drain(
            build_task(config, load_worker_config(), consumer=consumer, storage=storage, executor=InlineExecutor(), clock=clock)
        )
        for path in {*folder.rglob("*.parquet")} - known:
            os.utime(path, (clock.now().timestamp(),) * 2)
            known.add(path)
    return records


if __name__ == "__main__":
    app.run()
