"""What bounds the rows that fall short: found by profiling, written by hand, printed on the page.

Each key is a case's title, as the page spells it ("huber, n = 1000, float64"); each text is one or
two sentences in Markdown that say what was profiled and what it showed.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

FINDINGS: Mapping[str, str] = MappingProxyType({})
