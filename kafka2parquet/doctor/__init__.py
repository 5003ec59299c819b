"""The doctor: examines everything that a sink needs before it runs, and names the cause and the cure of what would fail.

Each check is a value in a table (`table.py`): a stable id, what it checks, and the causes that it can find, each with a cure.
The page `docs/doctor.md` is generated from that table. A step (`examination.py`) runs one or more checks and yields findings. A
step whose needs have failed is skipped, and says so. Nothing is changed, except that one probe object is created in the store
and deleted again.
"""
