"""Tools for testing code that uses `ordered_pipeline`."""

from ordered_pipeline.testing._virtual_time import LoopName, run_in_virtual_time, virtual_time

__all__ = ["LoopName", "run_in_virtual_time", "virtual_time"]
