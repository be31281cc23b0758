"""Line breaks: which end a segment, since a list item, a heading or a table's row ends with its line.

A line break alone ends nothing else: text may go on in the next line.
"""

import re
from typing import Final

from ordered_pipeline.voice._segments._verdict import Verdict

_BULLET: Final = r"[-*+•‣▪–]"
_NUMBER: Final = r"(?:\d{1,3}|[A-Za-z])[.)]"
_ITEM: Final = re.compile(rf"\s*(?:{_BULLET}|{_NUMBER})\s")
_WHOLE: Final = re.compile(r"\s*(?:#{1,6}\s|\|)")  # nothing of these goes on in the next line
_BLANK: Final = re.compile(r"[^\S\n]*\n")
_MARKER: Final = re.compile(rf"[^\S\n]*(?:{_BULLET}\s|{_NUMBER}\s|#{{1,6}}\s|>|\||```|~~~)")
_MAYBE_MARKER: Final = re.compile(
    rf"[^\S\n]*(?:{_BULLET}|{_NUMBER}|\d{{1,3}}|[A-Za-z]|#{{1,6}}|`{{1,2}}|~{{1,2}})?\Z"
)


def judge_line_break(line: str, after: str, *, last: bool) -> Verdict:
    """Tell whether a segment ends at a line break.

    Args:
        line: The line before it.
        after: What follows it, as far as it is there.
        last: Whether nothing more will follow *after*.
    """
    if _WHOLE.match(line) or _BLANK.match(after):
        return Verdict.ENDS
    item = _ITEM.match(line) is not None
    if _MAYBE_MARKER.match(after) and not last:
        return Verdict.ENDED if item and not after else Verdict.WAITS
    if _MARKER.match(after):
        return Verdict.ENDS
    # The next line of an item is indented.
    return Verdict.ENDS if item and not after[:1].isspace() else Verdict.GOES_ON
