"""A flush: while it is open and takes rows (`open_flush`), and once it is cut (`cut_flush`).

`flush_file` is one file of a flush, `file_schemas` says which rows may share a file, and `quarantine` makes rows of rejects.
"""
