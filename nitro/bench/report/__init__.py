"""One HTML page of the record that opens offline, without any request to a network.

The charts are SVG that is written here, not a library's: they are readable without scripts, follow
the reader's light or dark theme by CSS, are text to a screen reader, and cost a few kilobytes each,
where a charting library adds hundreds before the first line is drawn.
"""

from nitro.bench.report.page import write

__all__ = ["write"]
