"""Recognizes languages that contain a connector's configuration and can't be read, and says how to extract the JSON."""

from __future__ import annotations

import re

#: The ways in which shell scripts write an apostrophe within apostrophes.
SHELL_APOSTROPHES = ("'\\''", "'\"'\"'")
_SHEBANG = re.compile(r"#!\s*/")
_HTTP = re.compile(r"HTTP/\d|(?:GET|POST|PUT|PATCH)\s+\S*/")
_OTHER_MAP = re.compile(r"""^\s*["'][\w.$-]+["']\s*:""", re.MULTILINE)
_SQL = re.compile(r"^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(?:SINK|SOURCE)\s+CONNECTOR\b", re.IGNORECASE | re.MULTILINE)
_SQL_NAME = re.compile(r"CONNECTOR\s+(?:IF\s+NOT\s+EXISTS\s+)?[`\"']?([\w.-]+)", re.IGNORECASE)
_HCL_BLOCK = re.compile(
    r"^(?:resource|module|variable|locals|terraform|provider|data|output)\b[^=\n]*\{|^\s*[\w-]+\s*=\s*(?:merge\(|jsonencode\()?\{\s*$",
    re.MULTILINE,
)
_HCL_MAP = re.compile(r"^\s*(connector_configuration|config_nonsensitive|config_sensitive|config)\s*=", re.MULTILINE)
_COMMAND = re.compile(
    r"^\s*(?:\$\s+)?(?:sudo\s+)?(?:curl|http|https|wget|cat|tee|echo|docker|docker-compose|kubectl|confluent|aws|set|export\s+\w+=\$\()\s",
    re.MULTILINE,
)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1[^\n]*\n")


def name_other_language(text: str, first_line: str, suffix: str) -> str | None:
    """Return a sentence that names the language of a text and says how to get JSON from it; None for other texts.

    Args:
        text: text of the file.
        first_line: the first line that is neither blank nor a comment.
        suffix: suffix of the file's name, in lower case.
    """
    if _SHEBANG.match(text.lstrip()) or _COMMAND.match(first_line):
        return _shell(text)
    if _HTTP.match(first_line):
        return "This begins with the headers of an HTTP message. Keep only the JSON after them, as curl without -i prints it."
    if _SQL.search(text) or suffix in (".sql", ".ksql"):
        return _sql(text)
    if suffix in (".tf", ".tfvars", ".hcl"):
        return _hcl(text)
    if (_HCL_BLOCK.search(text) or _HCL_MAP.match(first_line)) and not _OTHER_MAP.search(text):
        return _hcl(text)
    return _shell(text) if _COMMAND.search(text) else None


def name_shell_quotes(text: str) -> str | None:
    """Return a sentence about shell quotes in a text that was copied from a script; None without such quotes."""
    for quote in SHELL_APOSTROPHES:
        if quote in text:
            line = text.count("\n", 0, text.index(quote)) + 1
            return (
                f"Line {line}: {quote} is how a shell script writes an apostrophe, so this was copied from a script. Replace "
                f"each {quote} with '."
            )
    return None


def _shell(text: str) -> str:
    return (
        f"This is a shell script, not a configuration. {_json_lines(text)} Save the JSON as a separate file; if the script "
        f"writes an apostrophe as {SHELL_APOSTROPHES[0]}, write '. Fill in the script's variables, or write them as "
        "${env:NAME}. Once the connector exists, `curl -s localhost:8083/connectors/NAME > sink.json` fetches the JSON from "
        "Kafka Connect."
    )


def _json_lines(text: str) -> str:
    """Return a sentence about where the JSON in a script is."""
    heredoc = _HEREDOC.search(text)
    if heredoc is not None:
        first = text.count("\n", 0, heredoc.end()) + 1
        end = re.compile(rf"^\s*{re.escape(heredoc[2])}\s*$", re.MULTILINE).search(text, heredoc.end())
        last = text.count("\n", 0, end.start()) if end is not None else text.count("\n") + 1
        return f"Its JSON is between <<{heredoc[2]} and {heredoc[2]}, lines {first} to {last}."
    start, end_at = text.find("{"), text.rfind("}")
    if 0 <= start < end_at:
        first, last = text.count("\n", 0, start) + 1, text.count("\n", 0, end_at) + 1
        where = f"lines {first} to {last}" if first != last else f"line {first}"
        return f"Its JSON is from the first {{ to the last }}, {where}."
    return "Its JSON is the text that it sends to Kafka Connect, or the file that it names."


def _sql(text: str) -> str:
    found = _SQL_NAME.search(text)
    name = found[1] if found is not None else "NAME"
    return (
        "This is SQL of ksqlDB, not a configuration. Once the connector exists, Kafka Connect has its JSON: "
        f"`curl -s localhost:8083/connectors/{name} > sink.json` (GET /connectors lists the names; ksqlDB may have made it "
        "upper case). Or write the content of WITH ( … ) as JSON: each 'property' = 'value' becomes \"property\": \"value\", "
        "between { and }, and give the name with --name NAME."
    )


def _hcl(text: str) -> str:
    found = _HCL_MAP.search(text)
    attribute = found[1] if found is not None else "connector_configuration"
    return (
        "This is Terraform (HCL), not a configuration. Terraform prints it as JSON: `terraform show -json | jq '.. | objects | "
        f'.{attribute} // empty\' > sink.json`. Or write the map as JSON: each "property" = "value" becomes "property": '
        '"value", with commas between them, between { and }. Then give the name of the connector with --name NAME.'
    )
