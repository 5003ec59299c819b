"""Writes the settings reference of the documentation from the tables of options."""

from __future__ import annotations

from kafka2parquet.connect.clients.consumer import CONSUMER_TABLE
from kafka2parquet.connect.clients.producer import ADMIN_TABLE, PRODUCER_TABLE
from kafka2parquet.connect.clients.translation import ClientTable
from kafka2parquet.connect.properties.option import Effect, Option, Value, ValueType, capitalized
from kafka2parquet.connect.properties.table import CHAPTERS

_INTRODUCTION = """# Settings

Configurations of Confluent's S3 and GCS sink connectors work unchanged, except for
[what has to be rewritten](migrating-from-confluent.md#what-has-to-be-rewritten). This page lists all their properties, and
what each of them does here. An unknown property whose name resembles a known name is refused if the known property could change
what is written, even where the known property is set too, to another value; the error suggests the known name. That holds for
properties of Kafka's transforms and predicates as well. Every other unknown property is a warning, and is passed to custom
classes.
Properties that begin with `_`, `#`, `$` or `//`, and properties called `comment` or `description`, are comments.
`kafka2parquet check sink.json` shows all problems of a configuration at once.

Files may be JSON, YAML, TOML or Java properties, in any of the [forms](migrating-from-confluent.md#the-configuration) that
Kafka Connect and the tools around it use.

A value, or a part of a value, may be a variable, in a worker's properties too: `${file:/run/secrets/aws.properties:secret}` is
a property in that file, `${dir:/run/secrets:password}` is the content of that file, and `${env:NAME}` is an environment
variable. Variables are looked up once, at the start. `check` notes variables that aren't set; `run` refuses to start without
them. If a worker's `config.providers` has other names for Apache Kafka's `FileConfigProvider`, `DirectoryConfigProvider` and
`EnvVarConfigProvider`, those names work too. Other providers are Java classes, and are refused.

A worker can restrict what its variables and those of its connectors read, as in Kafka:
`config.providers.<name>.param.allowed.paths` lists the absolute paths of the files and folders that a provider of files or
directories may read, and `config.providers.<name>.param.allowlist.pattern` is a regular expression that the whole name of an
environment variable has to match. Paths are compared after `..` and links are resolved. Any other variable is refused, by
`check` too. As soon as one provider is restricted, only the providers in `config.providers` work, so `${file:…}` doesn't lead
around the restriction of a provider with another name. A key of the directory provider is always the name of a file.
"""

_CONSUMER = """## Consumer settings

A worker sets them as `consumer.<name>`, a connector as `consumer.override.<name>`; the connector's settings take precedence. Of
the worker's own client settings, `bootstrap.servers`, `security.*`, `sasl.*` and `ssl.*` apply to the consumers too.
"""

_PRODUCER = """## Producer settings

For dead letters. A worker sets them as `producer.<name>`, a connector as `producer.override.<name>`; the connector's settings
take precedence. The worker's own `bootstrap.servers`, `security.*`, `sasl.*` and `ssl.*` apply too, but not its `consumer.*`.
"""

_ADMIN = """## Admin settings

For the client that checks the dead-letter topic and creates it. A worker sets them as `admin.<name>`, a connector as
`admin.override.<name>`; otherwise they work as for the producer.
"""

_EFFECTS = {Effect.USED: "", Effect.IGNORED: "No effect: ", Effect.UNSUPPORTED: "Not supported. "}


def reference_markdown() -> str:
    """Return the page of all properties, as Markdown."""
    clients = ((_CONSUMER, CONSUMER_TABLE), (_PRODUCER, PRODUCER_TABLE), (_ADMIN, ADMIN_TABLE))
    return "\n".join(
        [
            _INTRODUCTION,
            *(_chapter(title, options) for title, options in CHAPTERS),
            *(_client_chapter(introduction, table) for introduction, table in clients),
        ]
    )


def _chapter(title: str, options: tuple[Option, ...]) -> str:
    rows = [f"| {' | '.join(_cells(option))} |" for option in options]
    return "\n".join([f"## {title}\n", "| Property | Type | Default | Meaning |", "|---|---|---|---|", *rows, ""])


def _client_chapter(introduction: str, table: ClientTable) -> str:
    used = sorted({*table.same_name, *table.special})
    rows = [
        f"| `{name}` | {'No effect' if name in table.without_effect else 'Not supported'}: {why}. |"
        for name, why in sorted({**table.without_effect, **table.unsupported}.items())
    ]
    return "\n".join(
        [
            introduction,
            f"These take effect: {', '.join(f'`{name}`' for name in used)}.\n",
            "| Setting | What it does here |",
            "|---|---|",
            *rows,
            "",
        ]
    )


def _cells(option: Option) -> tuple[str, ...]:
    parts = [option.doc]
    choices = [choice for choice in option.choices if choice not in option.refused]
    if choices and option.type is not ValueType.CLASS:
        parts.append(f"One of {', '.join(f'`{choice}`' for choice in choices)}.")
    if option.note:
        parts.append(f"*{_EFFECTS[option.effect]}{_sentence(option)}.*")
    for instead in dict.fromkeys(option.refused.values()):
        values = ", ".join(f"`{value}`" for value, advice in option.refused.items() if advice == instead)
        parts.append(f"*Not supported: {values}; {instead}.*")
    default = "**required**" if option.required else _default(option.default)
    return (f"`{option.name}`", option.type.value, default, " ".join(parts).replace("|", "\\|"))


def _sentence(option: Option) -> str:
    return option.note if option.effect is Effect.IGNORED else capitalized(option.note)


def _default(value: Value) -> str:
    if value is None or value in ("", ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
