"""Builds each part of a sink task from the properties of a connector.

`files_and_rotation` makes the partitioner, the rotation policy, the writer and the names of files. `records` makes the parts
for keys, headers, tombstones and tags. The other modules are named after the part that they make.
"""
