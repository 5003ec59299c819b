"""The table of all properties, and how each property is read.

`option` describes one property, `table` collects all of them, and the other modules define the properties of one subject.
"""
