"""The six laws of docs/guarantees.md about single records, over the whole pipeline in memory.

A `Trial` is a `Setup` (converter, transforms, partitioner and so on, by their names) and the records that arrive. Hypothesis
draws trials; `laws.py` runs each several times and says where a law is broken. The property tests let Hypothesis shrink what
they find. `python -m tests.laws.fuzz` (`make fuzz MINUTES=…`) goes on after a finding, and prints each as a script.
"""
