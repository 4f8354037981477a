"""Which rows of a view that deduplicates count (docs/semantics.md), row by row of each id."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Deduplicate:
    """`by`: columns of the view that make the id. `within`: microseconds. `where`: the view's own
    condition, a predicate on a row's index. `conditions`: those of its aggregations, likewise, in the
    order in which they name them."""

    by: tuple
    within: int
    where: object = None
    conditions: tuple = ()

    def id_of(self, values, index, order_key):
        """None if a part of it is null."""
        parts = [values[column][index] for column in self.by]
        return None if None in parts else tuple(map(order_key, parts))

    def counting(self, indexes, ids, times, places):
        """Those of the rows that count. `ids` are of the rows; `times` and `places`, by which rows of
        one time are ordered, of all there are."""
        rows = [(i, identity) for i, identity in zip(indexes, ids)
                if self.where is None or self.where(i)]
        out = [i for i, identity in rows if identity is None]
        of_id = {}
        for i, identity in rows:
            if identity is not None:
                of_id.setdefault(identity, []).append(i)
        for same in of_id.values():
            same.sort(key=lambda i: (times[i], places[i], [bool(c(i)) for c in self.conditions]))
            out += same[:1]
            out += [i for before, i in zip(same, same[1:])
                    if times[i] - times[before] >= self.within]
        return out
