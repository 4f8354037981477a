"""Checks answers of a store against the fold of exactly the offset vectors they carry."""

import json
from dataclasses import dataclass, field

import fold


@dataclass
class Tally:
    """What was compared, and what differed (the first few in full)."""

    answers: int = 0  # (entity, moment): one row of a response
    values: int = 0
    not_ready: int = 0
    not_found: int = 0
    vectors: set = field(default_factory=set)
    mismatches: int = 0
    examples: list = field(default_factory=list)

    def mismatch(self, text):
        self.mismatches += 1
        if len(self.examples) < 10:
            self.examples.append(text)

    def require_none(self):
        """Raises with the examples if anything differed."""
        if self.mismatches:
            raise AssertionError(f"{self.mismatches} mismatches, as:\n" + "\n".join(self.examples))


@dataclass(frozen=True)
class ViewUnderTest:
    """A view of a job: its name, its one join key, its features, and its rows for the fold.
    `lifetime`: a view of the same entity, such as this one, has a lifetime window, so that a key
    with a row has one for ever."""

    name: str
    join_key: str
    features: tuple
    rows: fold.View
    lifetime: bool = False

    def request(self, job, keys, as_of=None, offsets=True):
        """The body of a read of all features of the view for `keys`."""
        request = {"job": job, "features": [f"{self.name}.*"],
                   "entities": {self.join_key: list(keys)}}
        if offsets:
            request["offsets"] = True
        if as_of is not None:
            request["as_of"] = fold.format_time(as_of)
        return request


def check_answer(view, keys, body, tally, end_vector=None):
    """Checks one response. `end_vector`: every vector must be this one (a completed job)."""
    as_of = fold.parse_time(body["as_of"])
    columns = {result["feature"]: result for result in body["results"]}
    wanted = {f"{view.name}.{f.name}" for f in view.features}
    if set(columns) != wanted:
        tally.mismatch(f"features {sorted(set(columns) ^ wanted)} are missing or not asked for")
        return
    versions = body["offsets"][view.name]
    for row, key in enumerate(keys):
        statuses = {columns[name]["statuses"][row] for name in wanted}
        if statuses == {"NOT_READY"}:
            tally.not_ready += 1
            if any(columns[name]["values"][row] is not None for name in wanted):
                tally.mismatch(f"{view.name} {key}: NOT_READY with a value")
        else:
            _check_row(view, key, row, as_of, columns, versions[row], tally, end_vector)


def _check_row(view, key, row, as_of, columns, version, tally, end_vector):
    vector = [offset for offset, _ in version["offset_vector"]]
    tally.answers += 1
    tally.vectors.add((version["key_partition"], tuple(vector)))
    where = f"{view.name} {key} as of {fold.format_time(as_of)} at {vector}"
    if end_vector is not None and vector != end_vector:
        tally.mismatch(f"{where}: the job is complete at {end_vector}")
    expected = view.rows.fold(key, view.features, as_of, vector if end_vector is None else None)
    for feature, want in zip(view.features, expected):
        column = columns[f"{view.name}.{feature.name}"]
        got = column["values"][row]
        tally.values += 1
        if fold.bits(got) != fold.bits(fold.as_json(want)):
            tally.mismatch(f"{where}: {feature.name} is {got!r}, the fold says {want!r}")
        if column["resolution_us"][row] != 0:
            tally.mismatch(f"{where}: {feature.name} is marked approximate")
        _check_status(view, key, vector, feature, column["statuses"][row], want, where, tally)


def _check_status(view, key, vector, feature, status, want, where, tally):
    """PRESENT needs rows; NOT_FOUND is for keys without any (freed rows are no rows)."""
    if status == "NOT_FOUND":
        tally.not_found += 1
        if want not in (0, None):
            tally.mismatch(f"{where}: {feature.name} NOT_FOUND, the fold says {want!r}")
        elif view.lifetime and view.rows.has_rows(key, vector):
            tally.mismatch(f"{where}: {feature.name} NOT_FOUND, the key has rows")
    elif status != "PRESENT" or not view.rows.has_rows(key, vector):
        tally.mismatch(f"{where}: {feature.name} has status {status}")


def check_completed(cluster, job, views, end_vector, as_of, batch=500, all_found=True):
    """Reads every feature of every key of a completed job and checks each; the Tally.
    `all_found`: no key may have lost all its rows to the horizon."""
    tally = Tally()
    for view in views:
        keys = sorted(view.rows.logs)
        for begin in range(0, len(keys), batch):
            part = keys[begin:begin + batch]
            status, body = cluster.read(view.request(job, part))
            assert status == 200, f"read: {status} {json.dumps(body)[:500]}"
            assert fold.parse_time(body["as_of"]) == as_of, (
                f"as_of is {body['as_of']}, the leading edge is {fold.format_time(as_of)}")
            check_answer(view, part, body, tally, end_vector)
    if tally.not_ready or (all_found and tally.not_found):
        tally.mismatch(f"{tally.not_ready} keys not ready, {tally.not_found} values not found")
    return tally


def check_random_moments(cluster, job, views, end_vector, first, last, count, rng):
    """Reads `count` random (key, as_of), as_of uniform over (first, last]; the Tally."""
    tally = Tally()
    for _ in range(count):
        view = rng.choice(views)
        key = rng.choice(sorted_keys(view))
        request = view.request(job, [key], as_of=rng.randint(first + 1, last))
        status, body = cluster.read(request)
        assert status == 200, f"read: {status} {json.dumps(body)[:500]}"
        check_answer(view, [key], body, tally, end_vector)
    return tally


_SORTED_KEYS = {}


def sorted_keys(view):
    """The keys of a view in a fixed order, sorted once."""
    if view not in _SORTED_KEYS:
        _SORTED_KEYS[view] = sorted(view.rows.logs)
    return _SORTED_KEYS[view]
