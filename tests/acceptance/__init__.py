"""Cases of Kafka Connect's behaviour as data, run against the library: `python -m tests.acceptance FOLDER`.

`cases` reads them, `functions` answers those that ask for one value, `sink` runs those that are steps, `compare` looks for
differences, `differs` knows which differences are meant, `report` prints.
"""
