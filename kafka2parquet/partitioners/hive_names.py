"""HiveNames: escapes values in folder names as Hive does, so that readers of Hive layouts restore exactly the values.

Hive, Spark, DuckDB, Polars and pyarrow all read `%2F` as `/`, and `__HIVE_DEFAULT_PARTITION__` as null. Spark and Hive can't
represent an empty text.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

#: The folder name for null.
NULL_NAME = "__HIVE_DEFAULT_PARTITION__"
#: The characters that Hive escapes, and NUL, which a key can't contain.
_ESCAPED = [*map(chr, range(0x20)), *"\"#%'*/:=?\\\x7f{}[]^"]


class HiveNames:
    """Turns texts into folder names by escaping special characters.

    Different texts get different names, and names never contain the delimiter between folders.
    """

    def __init__(self, directory_delimiter: str = "/") -> None:
        """Choose the delimiter, whose characters are escaped too."""
        characters = {*_ESCAPED, *directory_delimiter}
        self._names = str.maketrans({each: "".join(f"%{byte:02X}" for byte in each.encode()) for each in characters})
        inside = "".join(f"\\x{{{ord(each):x}}}" for each in sorted(characters))
        self._pattern = f"[{inside}]"

    def name(self, text: str | None) -> str:
        """Return the folder name of one text, or of null."""
        return NULL_NAME if text is None else text.translate(self._names)

    def names(self, texts: pa.Array) -> pa.Array:
        """Return the folder names of texts and nulls."""
        to_escape = pc.fill_null(pc.match_substring_regex(texts, self._pattern), False)
        if pc.any(to_escape).as_py():
            encoded = texts.filter(to_escape).dictionary_encode()
            escaped = pa.array(map(self.name, encoded.dictionary.to_pylist()), pa.string())
            texts = pc.replace_with_mask(texts, to_escape, escaped.take(encoded.indices))
        return pc.fill_null(texts, NULL_NAME)


def is_null_name(texts: pa.Array) -> pa.Array:
    """Return a mask of the texts that some readers mistake for null: they compare names before or after unescaping."""
    return pc.fill_null(pc.equal(texts, NULL_NAME), False)
