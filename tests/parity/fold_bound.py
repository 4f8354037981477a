"""Rows of a hot key as a bounded view counts them (docs/semantics.md, "Hot keys"): a tile of event
time with too many is cut into leaves, and a leaf counts for a window whole or not at all.

Beside fold.py, of which it takes where windows lie; for views without conditions."""

import bisect
from dataclasses import dataclass


@dataclass(frozen=True)
class Bound:
    """Tiles of `tile` us with more than `max_rows` rows have up to `leaves` leaves, each at least
    `least_width` us wide. Lengths are powers of two."""

    tile: int
    max_rows: int
    leaves: int
    least_width: int = 1


def leaves_of(times, bound):
    """The leaves of the sorted times as (begin, end, width): indexes [begin, end)."""
    out = []
    for begin, end in _runs(times, 0, len(times), bound.tile):
        if end - begin <= bound.max_rows:
            continue
        width = bound.least_width
        while len(_runs(times, begin, end, width)) > bound.leaves:
            width *= 2
        out += [(b, e, width) for b, e in _runs(times, begin, end, width)]
    return out


def _runs(times, begin, end, width):
    """[begin, end) cut where times leave an aligned interval of the width."""
    out = []
    while begin < end:
        after = bisect.bisect_left(times, (times[begin] // width + 1) * width, begin, end)
        out.append((begin, after))
        begin = after
    return out


def counted(times, begin, end, leaves):
    """Of a window that covers the rows [begin, end): those that count, and its resolution in us."""
    rows, resolution, at = [], 0, begin
    for first, after, width in leaves:
        if begin <= first and after <= end:
            continue
        inside = max(first, begin), min(after, end)
        if inside[0] >= inside[1] and not first < begin == end < after:
            continue
        resolution = max(resolution, width)
        rows += range(at, max(at, inside[0]))
        at = max(at, inside[1])
    rows += range(at, max(at, end))
    return rows, resolution


def session(times, feature, high, include_high, leaves):
    """The rows of the session at `high`, and its resolution: leaves over the end are left out, and
    between the first and the last row of a leaf there is no gap."""
    end = bisect.bisect_right(times, high) if include_high else bisect.bisect_left(times, high)
    resolution = 0
    parts = []  # (first row, behind the last, width), by time
    leaf_at = {first: (after, width) for first, after, width in leaves}
    at = 0
    while at < end:
        after, width = leaf_at.get(at, (at + 1, 0))
        if after > end:
            resolution = max(resolution, width)
            break
        parts.append((at, after, width))
        at = after
    if not parts or high - times[parts[-1][1] - 1] > feature.gap:
        return [], resolution
    last = times[parts[-1][1] - 1]
    floor = last - feature.window
    edge, begin = last, parts[-1][1]
    for first, after, width in reversed(parts):
        if edge < floor or edge - times[after - 1] > feature.gap:
            break
        if times[after - 1] - times[first] > feature.gap:
            resolution = max(resolution, width)
        edge, begin = times[first], first
    rows = []
    for first, after, width in parts:
        if first < begin or times[after - 1] < floor:
            continue
        if times[first] < floor:
            resolution = max(resolution, width)
            continue
        rows += range(first, after)
    return rows, resolution
