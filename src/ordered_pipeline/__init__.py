"""Ordered prefetch: transform ahead, concurrently, and hand over in order.

Layers, each importing only what is below it::

    adapters/  testing/  the command    I/O, SDKs, devices; fakes and virtual time
    voice/                              vocabulary and composition: the reply
    wire/                               protocol code without I/O
    _maps                               the ways to make a stage
    _stage                              the stage, the only core module that waits
    _parking/                           what differs between the event loops
    _window    _report    _source       order and bounds as plain data; what a stage tells; what it reads
    _errors                             what is refused, and how it is said

This module is the core's public face and loads nothing above `_maps`.
"""

from ordered_pipeline._maps import in_order, ordered_flat_map, ordered_map
from ordered_pipeline._report import Interruption, StageObserver, StageStatistics
from ordered_pipeline._stage import Stage

__all__ = [
    "Interruption",
    "Stage",
    "StageObserver",
    "StageStatistics",
    "in_order",
    "ordered_flat_map",
    "ordered_map",
]

for _name in __all__:
    # Documentation and tracebacks name what people import.
    globals()[_name].__module__ = __name__
