"""Whole cycles of 200 payments on the real adapter code and the real SQL, while a seed decides what goes wrong.

`simulation.simulate` runs one seed; `python -m faults.simulation` (with `tests` on the path) runs many of them.
"""
