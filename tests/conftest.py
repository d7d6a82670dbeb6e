"""For all tests."""

from __future__ import annotations

import signal

# Whoever starts the tests in the background may have left Ctrl-C ignored, and commands under
# test would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
