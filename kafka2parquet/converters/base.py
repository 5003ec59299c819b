"""RecordConverter: turns bytes into columns."""

from __future__ import annotations

import abc

from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted


class RecordConverter(abc.ABC):
    """Turns the values of a batch into the columns of a table. Subclass it for your own format.

    A converter may keep state that only makes it faster or that only grows, such as a learned schema. The result for a record
    must never depend on how the records were split into batches. To convert keys, the engine passes a batch whose `values` are
    the keys.
    """

    @abc.abstractmethod
    def convert(self, batch: ConsumedBatch) -> Converted:
        """Makes each record a row, a reject or a tombstone; rows keep the batch's order.

        Called on the thread that drives the task, with batches of one or more records. No value is null, because the pipeline
        handles tombstones first. May block only on a schema registry.

        Raises:
            TransientError: a service that the converter needs, such as a schema registry, is down. The engine passes the batch
                again later.
        """

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Names the settings that affect the result; part of the configuration fingerprint in the footers."""
