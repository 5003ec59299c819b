"""What several rooms need of Arrow and what it has no functions for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

#: What Arrow raises about the values and types that it is given. `ArrowMemoryError` is an ArrowException, too, and says nothing
#: about them.
ARROW_DATA_ERRORS = (
    pa.ArrowInvalid,
    pa.ArrowTypeError,
    pa.ArrowKeyError,
    pa.ArrowIndexError,
    pa.ArrowNotImplementedError,
    pa.ArrowCapacityError,
    pa.ArrowSerializationError,
)


def null_mask(array: pa.Array) -> pa.Array | None:
    """Where the array is null, as `from_arrays` takes it; None where it is nowhere."""
    return array.is_null() if array.null_count else None


def validity_bitmap(valid: npt.NDArray[np.bool_] | None) -> pa.Buffer | None:
    """The buffer, as `from_buffers` takes it, that says which values are there; None for all."""
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """The column as an array whose buffers begin at its first value; not copied where it is one."""
    if column.num_chunks == 1 and not column.chunk(0).offset:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
