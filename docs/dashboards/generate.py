"""Makes `kafka2parquet.json`, the dashboard for Grafana: `python docs/dashboards/generate.py`.

Needs `grafana-foundation-sdk`, whose versions are those of Grafana. A newer Grafana upgrades the dashboard when it is imported.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

TARGET = Path(__file__).with_name("kafka2parquet.json")

#: The series of the chosen sinks, and of their chosen topics.
SINK = 'sink=~"$sink"'
TOPIC = f'{SINK}, topic=~"$topic"'
#: The series of the chosen tables.
TABLE = 'table=~"$table"'
_SOURCE = models.DataSourceRef(type_val="prometheus", uid="$datasource")

#: An expression, and the legend of its series.
Query = tuple[str, str]


def dashboard_json() -> str:
    """Return the dashboard as JSON text."""
    board = (
        builders.Dashboard("kafka2parquet")
        .uid("kafka2parquet")
        .description("Sinks that drain Kafka topics into Parquet files, and tables of the files: what is late, and why.")
        .tags(["kafka", "parquet"])
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(builders.DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_variable("sink", "Sink", "kafka2parquet_build_info"))
        .with_variable(_variable("topic", "Topic", f"kafka2parquet_durable_lag_records{{{SINK}}}"))
        .with_variable(_variable("table", "Table", "kafka2parquet_table_rows_registered_total"))
    )
    for add in (_overview, _lags, _throughput, _files, _delivery, _records_and_group, _worst, _tables, _worst_of_tables):
        add(board)
    built = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    for number, panel in enumerate(built["panels"], 1):
        panel["id"] = number
    return json.dumps(built, indent=2, sort_keys=True) + "\n"


def _overview(board: builders.Dashboard) -> None:
    board.with_row(builders.Row("Is it well?"))
    promise = f"max by (sink) (kafka2parquet_expected_freshness_seconds{{{SINK}}})"
    _number(
        board,
        "Least retention margin",
        "Share of the retention that is left for the oldest record that is not durable. At 0, Kafka may delete that record.",
        "percentunit",
        f"min(kafka2parquet_retention_margin_ratio{{{TOPIC}}})",
        {None: "red", 0.2: "orange", 0.5: "green"},
    )
    _number(
        board,
        "Freshness",
        "Age of the oldest record that is not durable, as a share of what the rotation settings promise. Above 100 %: late.",
        "percentunit",
        f"max(max by (sink) (kafka2parquet_durable_lag_seconds{{{TOPIC}}}) / {promise})",
        {None: "green", 1: "orange", 2: "red"},
    )
    up = {None: "red", 1: "green"}
    down = {None: "green", 1: "red"}
    _number(board, "Store", "Off if a store doesn't answer.", "bool_on_off", f"min(kafka2parquet_storage_up{{{SINK}}})", up)
    _number(board, "Kafka", "Off if a broker can't be reached.", "bool_on_off", f"min(kafka2parquet_kafka_up{{{SINK}}})", up)
    _number(
        board,
        "Failed tasks",
        "Tasks that an error has ended, in processes that live.",
        "short",
        f'sum(kafka2parquet_tasks{{{SINK}, state="failed"}})',
        down,
    )
    _number(
        board,
        "Rejected in an hour",
        "Records that were left out because they can't be written.",
        "short",
        f"sum(increase(kafka2parquet_records_rejected_total{{{SINK}}}[1h]))",
        down,
    )


def _lags(board: builders.Dashboard) -> None:
    board.with_row(builders.Row("Lags"))
    _graph(
        board,
        "Retention margin",
        "Time until Kafka may delete a record that is not durable: the least of each topic.",
        "s",
        (f"min by (sink, topic) (kafka2parquet_retention_margin_seconds{{{TOPIC}}})", "{{sink}} {{topic}}"),
    )
    _graph(
        board,
        "Not durable for",
        "Age of the oldest record that is not in a published and committed file, and what the rotation settings promise.",
        "s",
        (f"max by (sink, topic) (kafka2parquet_durable_lag_seconds{{{TOPIC}}})", "{{sink}} {{topic}}"),
        (f"max by (sink) (kafka2parquet_expected_freshness_seconds{{{SINK}}})", "{{sink}} promise"),
    )
    _graph(
        board,
        "Read lag",
        "Age of the oldest record that was not read yet.",
        "s",
        (f"max by (sink, topic) (kafka2parquet_read_lag_seconds{{{TOPIC}}})", "{{sink}} {{topic}}"),
    )
    _graph(
        board,
        "Unread records",
        "Records that readers can see and that the sink has not read. Scale on this number.",
        "short",
        (f"sum by (sink, topic) (kafka2parquet_read_lag_records{{{TOPIC}}})", "{{sink}} {{topic}}"),
    )


def _throughput(board: builders.Dashboard) -> None:
    board.with_row(builders.Row("Throughput"))
    _graph(
        board,
        "Records",
        "Records read, and rows that became durable, in a second.",
        "rowsps",
        (f"sum by (sink) (rate(kafka2parquet_records_read_total{{{SINK}}}[$__rate_interval]))", "{{sink}} read"),
        (f"sum by (sink) (rate(kafka2parquet_rows_committed_total{{{SINK}}}[$__rate_interval]))", "{{sink}} durable"),
    )
    _graph(
        board,
        "Published",
        "Size of the files that became visible in a second.",
        "Bps",
        (f"sum by (sink) (rate(kafka2parquet_file_bytes_total{{{SINK}}}[$__rate_interval]))", "{{sink}}"),
    )
    _graph(
        board,
        "Open rows",
        "Rows that were read and are not durable yet.",
        "short",
        (f"sum by (sink, topic) (kafka2parquet_open_rows{{{TOPIC}}})", "{{sink}} {{topic}}"),
    )
    _graph(
        board,
        "Memory and staging",
        "Memory that records and rows hold, its limit, and files on local disk, of each process.",
        "bytes",
        (f"sum by (instance) (kafka2parquet_buffered_bytes{{{SINK}}})", "{{instance}} held"),
        (f"max by (instance) (kafka2parquet_memory_budget_bytes{{{SINK}}})", "{{instance}} limit"),
        (f"sum by (instance) (kafka2parquet_staging_bytes{{{SINK}}})", "{{instance}} staging"),
    )


def _files(board: builders.Dashboard) -> None:
    board.with_row(builders.Row("Files"))
    _graph(
        board,
        "Flushes by reason",
        "What ends the flushes. Memory, shutdowns and changes of the schema end them early.",
        "short",
        (f"sum by (sink, reason) (increase(kafka2parquet_flushes_total{{{SINK}}}[1h]))", "{{sink}} {{reason}}"),
    )
    _graph(
        board,
        "Files in an hour",
        "Published files. Those that were there already are the work of a crashed process.",
        "short",
        (
            f'sum by (sink) (increase(kafka2parquet_files_published_total{{{SINK}, created="true"}}[1h]))',
            "{{sink}} created",
        ),
        (
            f'sum by (sink) (increase(kafka2parquet_files_published_total{{{SINK}, created="false"}}[1h]))',
            "{{sink}} there already",
        ),
    )
    _graph(
        board,
        "File size",
        "Median and tenth percentile of the sizes of files.",
        "bytes",
        *_quantiles("file_size_bytes", (0.5, 0.1)),
    )
    _graph(
        board,
        "Rows of a file",
        "Median and tenth percentile of the numbers of rows.",
        "short",
        *_quantiles("file_rows", (0.5, 0.1)),
    )


def _delivery(board: builders.Dashboard) -> None:
    board.with_row(builders.Row("Delivery"))
    _graph(
        board,
        "Steps of a flush",
        "95th percentile of the time that each step took. A slow store shows in publish, a slow group coordinator in commit.",
        "s",
        (
            "histogram_quantile(0.95,"
            f" sum by (sink, step, le) (rate(kafka2parquet_flush_duration_seconds_bucket{{{SINK}}}[1h])))",
            "{{sink}} {{step}}",
        ),
    )
    _graph(
        board,
        "Visible after",
        "Time from the first record of a flush until its files were visible: median and 95th percentile.",
        "s",
        *_quantiles("visibility_delay_seconds", (0.5, 0.95)),
    )
    _graph(
        board,
        "Waiting topic-partitions",
        "What topic-partitions wait for.",
        "short",
        (f"sum by (sink, reason) (kafka2parquet_partitions_waiting{{{SINK}}})", "{{sink}} {{reason}}"),
        (f"sum by (sink) (kafka2parquet_partition_paused{{{TOPIC}}})", "{{sink}} take no records"),
    )
    _graph(
        board,
        "Failed calls",
        "Calls to the store and attempts to convert that failed and were tried again.",
        "short",
        (f"sum by (sink) (increase(kafka2parquet_storage_retries_total{{{SINK}}}[5m]))", "{{sink}} store"),
        (f"sum by (sink) (increase(kafka2parquet_converter_retries_total{{{SINK}}}[5m]))", "{{sink}} converter"),
    )


def _records_and_group(board: builders.Dashboard) -> None:
    board.with_row(builders.Row("Records and group"))
    _graph(
        board,
        "Rejected and lost records",
        "Records that were left out, by the stage at which they failed, and records that Kafka deleted too early.",
        "short",
        (f"sum by (sink, stage) (increase(kafka2parquet_records_rejected_total{{{SINK}}}[5m]))", "{{sink}} {{stage}}"),
        (f"sum by (sink) (increase(kafka2parquet_records_lost_total{{{SINK}}}[5m]))", "{{sink}} lost"),
    )
    _graph(
        board,
        "Group",
        "Tasks in each state, changes of the assignment in 30 minutes, and flushes that another owner had published already.",
        "short",
        (f"sum by (sink, state) (kafka2parquet_tasks{{{SINK}}}) > 0", "{{sink}} {{state}}"),
        (f"sum by (sink) (increase(kafka2parquet_rebalances_total{{{SINK}}}[30m]))", "{{sink}} rebalances"),
        (f"sum by (sink) (increase(kafka2parquet_boundaries_adopted_total{{{SINK}}}[30m]))", "{{sink}} adopted"),
    )


def _worst(board: builders.Dashboard) -> None:
    """Add a table of the topic-partitions that are closest to losing data."""
    by = "by (sink, topic, partition)"
    worst = f"topk(20, max {by} (kafka2parquet_durable_lag_seconds{{{TOPIC}}}))"
    board.with_row(builders.Row("Worst"))
    _list(
        board,
        "Topic-partitions",
        "The twenty topic-partitions whose oldest record that is not durable is oldest.",
        ("Not durable for", "s", worst),
        ("Margin", "s", f"min {by} (kafka2parquet_retention_margin_seconds{{{TOPIC}}}) and {worst}"),
        ("Unread records", "short", f"max {by} (kafka2parquet_read_lag_records{{{TOPIC}}}) and {worst}"),
        ("Open rows", "short", f"max {by} (kafka2parquet_open_rows{{{TOPIC}}}) and {worst}"),
        ("Next flush", "s", f"max {by} (kafka2parquet_next_flush_deadline_seconds{{{TOPIC}}}) and {worst}"),
        (
            "Last commit",
            "dateTimeFromNow",
            f"1000 * max {by} (kafka2parquet_last_commit_timestamp_seconds{{{TOPIC}}}) and {worst}",
        ),
    )


def _tables(board: builders.Dashboard) -> None:
    """Add what followers say about the tables in which the files are registered."""
    board.with_row(builders.Row("Tables"))
    _graph(
        board,
        "Not in the table",
        "Offsets that are committed and not in the table. After a complete round, 0 unless a topic-partition stands still.",
        "short",
        (f"sum by (table, topic) (kafka2parquet_table_lag_offsets{{{TABLE}}})", "{{table}}"),
    )
    _graph(
        board,
        "Rows registered",
        "Rows of the files that were added to a table, in a second.",
        "rowsps",
        (f"sum by (table, topic) (rate(kafka2parquet_table_rows_registered_total{{{TABLE}}}[$__rate_interval]))", "{{table}}"),
    )
    _graph(
        board,
        "Last round and transaction",
        "Time since the last complete round and since the last transaction, and the pause between two rounds.",
        "s",
        (f"time() - max by (table) (kafka2parquet_table_last_round_timestamp_seconds{{{TABLE}}})", "{{table}} round"),
        (
            f"time() - max by (table) (kafka2parquet_table_last_transaction_timestamp_seconds{{{TABLE}}})",
            "{{table}} transaction",
        ),
        (f"max by (table) (kafka2parquet_table_interval_seconds{{{TABLE}}})", "{{table}} pause"),
    )
    _graph(
        board,
        "Findings and outages",
        "Topic-partitions that stand still with a finding, and tables whose last round got no answer from Kafka, the store or"
        " the catalogue. The follower's log and its /status say what it is.",
        "short",
        (f"sum by (table, topic) (kafka2parquet_table_partition_blocked{{{TABLE}}})", "{{table}} stand still"),
        (f"1 - min by (table) (kafka2parquet_table_up{{{TABLE}}})", "{{table}} no answer"),
    )


def _worst_of_tables(board: builders.Dashboard) -> None:
    """Add a list of the topic-partitions of which most offsets are not in their table."""
    by = "by (table, topic, partition)"
    worst = f"topk(20, max {by} (kafka2parquet_table_lag_offsets{{{TABLE}}}))"
    _list(
        board,
        "Topic-partitions of tables",
        "The twenty topic-partitions of which most committed offsets are not in their table.",
        ("Not in the table", "short", worst),
        ("Position", "none", f"max {by} (kafka2parquet_table_position_offset{{{TABLE}}}) and {worst}"),
        ("Stands still", "bool_yes_no", f"max {by} (kafka2parquet_table_partition_blocked{{{TABLE}}}) and {worst}"),
    )


def _list(board: builders.Dashboard, title: str, description: str, *columns: tuple[str, str, str]) -> None:
    """Add a table of the page's width, ordered by its first column.

    Args:
        board: the dashboard.
        title: the panel's title.
        description: what it shows.
        columns: title, unit and query of each column.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .height(10)
        .span(24)
        .sort_by([common_builders.TableSortByFieldState().display_name(columns[0][0]).desc(True)])
        .with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(models.DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}}))
    )
    for number, (column, unit, query) in enumerate(columns):
        letter = chr(ord("A") + number)
        panel.with_target(_target(query, "", letter).format(PromQueryFormat.TABLE).instant())
        panel.override_by_name(
            f"Value #{letter}",
            [models.DynamicConfigValue("displayName", column), models.DynamicConfigValue("unit", unit)],
        )
    board.with_panel(panel)


def _number(
    board: builders.Dashboard, title: str, description: str, unit: str, query: str, colors: dict[float | None, str]
) -> None:
    """Add a number, with the colour that begins at a value; None stands for the lowest values."""
    steps = [models.Threshold(value, color) for value, color in colors.items()]
    board.with_panel(
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .unit(unit)
        .height(4)
        .span(4)
        .thresholds(builders.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .graph_mode(common.BigValueGraphMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_target(query, ""))
    )


def _graph(board: builders.Dashboard, title: str, description: str, unit: str, *queries: Query) -> None:
    """Add a graph of a quarter of the page's width."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(_SOURCE)
        .unit(unit)
        .height(8)
        .span(6)
        .min(0)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
    )
    for number, (expression, legend) in enumerate(queries):
        panel.with_target(_target(expression, legend, chr(ord("A") + number)))
    board.with_panel(panel)


def _quantiles(name: str, shares: tuple[float, ...]) -> list[Query]:
    rate = f"sum by (sink, le) (rate(kafka2parquet_{name}_bucket{{{SINK}}}[1h]))"
    return [(f"histogram_quantile({share}, {rate})", f"{{{{sink}}}} {share:.0%}") for share in shares]


def _target(expression: str, legend: str, letter: str = "A") -> Any:
    return prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(letter).datasource(_SOURCE)


def _variable(name: str, label: str, series: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query(f"label_values({series}, {name})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(text="All", value="$__all", selected=True))
    )


if __name__ == "__main__":
    TARGET.write_text(dashboard_json(), encoding="utf-8")
