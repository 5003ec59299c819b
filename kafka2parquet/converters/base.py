"""RecordConverter: what turns bytes into columns."""

from __future__ import annotations

import abc

from kafka2parquet.records import ConsumedBatch
from kafka2parquet.rows import Converted


class RecordConverter(abc.ABC):
    """Turns the values of a batch into the columns of a table. Subclass it for a format of your own.

    A converter may keep state that only speeds it up or that only grows (a learned schema), but what it makes of a record
    never depends on how the records were split into batches. To convert keys, the engine passes a batch whose `values` are
    the keys.
    """

    @abc.abstractmethod
    def convert(self, batch: ConsumedBatch) -> Converted:
        """Make each record either a row or a reject; rows keep the batch's order.

        Called on the thread that drives the task, with batches of one or more records none of whose values is null
        (tombstones are dealt with before). Must not block on anything but a schema registry.

        Raises:
            TransientError: a service that the converter needs is down, such as a schema registry. The batch is given again
                later.
        """

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """Names the settings that decide what a record becomes; part of the configuration fingerprint in the footers."""
