"""Values in the names of folders, escaped as Hive does, so that readers of Hive layouts find exactly the values.

Hive, Spark, DuckDB, Polars and pyarrow all read `%2F` as `/`, and `__HIVE_DEFAULT_PARTITION__` as null. Spark and Hive have no
folder for an empty text.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

#: What stands for null.
NULL_NAME = "__HIVE_DEFAULT_PARTITION__"
#: What Hive escapes, and NUL, which is in no key.
_ESCAPED = [*map(chr, range(0x20)), *"\"#%'*/:=?\\\x7f{}[]^"]


class HiveNames:
    """Escapes texts. Two different ones never have the same name, and no name has a delimiter of folders in it."""

    def __init__(self, directory_delimiter: str = "/") -> None:
        """Choose what else is escaped: the characters of the delimiter."""
        characters = {*_ESCAPED, *directory_delimiter}
        self._names = str.maketrans({each: "".join(f"%{byte:02X}" for byte in each.encode()) for each in characters})
        inside = "".join(f"\\x{{{ord(each):x}}}" for each in sorted(characters))
        self._pattern = f"[{inside}]"

    def name(self, text: str | None) -> str:
        """Return the name of one text, or of null."""
        return NULL_NAME if text is None else text.translate(self._names)

    def names(self, texts: pa.Array) -> pa.Array:
        """Return the names of texts and nulls."""
        to_escape = pc.fill_null(pc.match_substring_regex(texts, self._pattern), False)
        if pc.any(to_escape).as_py():
            encoded = texts.filter(to_escape).dictionary_encode()
            escaped = pa.array(map(self.name, encoded.dictionary.to_pylist()), pa.string())
            texts = pc.replace_with_mask(texts, to_escape, escaped.take(encoded.indices))
        return pc.fill_null(texts, NULL_NAME)


def is_null_name(texts: pa.Array) -> pa.Array:
    """Return which texts can't be told from null, as readers look for its name before or after they unescape."""
    return pc.fill_null(pc.equal(texts, NULL_NAME), False)
