"""Compares answers with the fold of the log, bit for bit."""

import json
import time
from dataclasses import dataclass, field

import cluster as tidemill
import fold
from feeder import JOB
from readers import VIEWS

BATCH = 100
BATCH_OF_ALL = 1000


@dataclass
class Verdict:
    answers: int = 0  # rows compared
    values: int = 0
    mismatches: list = field(default_factory=list)


def wait_until_served(cluster, addresses, ends, keys, deadline_s=90):
    """Until both stores answer these keys (by view) at the end of the log; how long that took."""
    began = time.monotonic()
    last = {}

    def behind():
        for name, address in addresses.items():
            client = tidemill.HttpClient(address, timeout_s=5)
            for view in keys:
                join_key, count = VIEWS[view]
                request = {"job": JOB, "features": [f"{view}.{count}"], "offsets": True,
                           "entities": {join_key: keys[view]}}
                try:
                    status, body = client.call("POST", "/v1/features", json.dumps(request))
                except tidemill.Unreachable as gone:
                    return f"{name}: {gone}"
                if status != 200:
                    return f"{name}: {status} {body}"
                for key, version in zip(keys[view], body["offsets"][view]):
                    vector = version and [offset for offset, _ in version["offset_vector"]]
                    if vector != ends:
                        return f"{name}: {view} {key} is at {vector}, not {ends}"
        return None

    def served():
        last["behind"] = behind()
        return last["behind"] is None

    try:
        tidemill.wait_until(served, "the stores are at the end of the log", deadline_s, 0.2)
    except tidemill.DeadlinePassed as passed:
        raise tidemill.DeadlinePassed(f"{passed}; {last['behind']}; {_state(cluster)}") from None
    return time.monotonic() - began


def _state(cluster):
    try:
        job = cluster.job(JOB)
    except (tidemill.Unreachable, AssertionError) as error:
        return str(error)
    job.pop("yaml", None)
    return json.dumps(job)[:3000]


def leading_edge(address, keys):
    """The time up to which a store has events."""
    client = tidemill.HttpClient(address, timeout_s=30)
    status, body = client.call("POST", "/v1/features", json.dumps(
        {"job": JOB, "features": ["customer.count_lifetime"],
         "entities": {"customer_id": keys["customer"][:1]}}))
    assert status == 200, f"read: {status} {body}"
    return fold.parse_time(body["as_of"])


def check_sample(addresses, truth, as_of, verdict):
    """Every feature of the keys of which all events are known, at the end of the log, of every
    store."""
    for view in truth.views:
        keys = truth.keys[view.name]
        expected = {key: view.rows.fold(key, view.features, as_of) for key in keys}
        for name, address in addresses.items():
            client = tidemill.HttpClient(address, timeout_s=30)
            for begin in range(0, len(keys), BATCH):
                part = keys[begin:begin + BATCH]
                status, body = client.call("POST", "/v1/features",
                                           json.dumps(view.request(JOB, part, as_of)))
                if status != 200:
                    verdict.mismatches.append(f"{name}: {status} {str(body)[:300]}")
                    continue
                _compare_answer(name, view, part, body, expected, truth.ends, verdict)


def check_all_keys(addresses, truth, as_of, verdict):
    """The features that are known of all keys, at the end of the log, of every store."""
    for view, tallies in truth.tallies.items():
        keys = list(tallies)
        for name, address in addresses.items():
            client = tidemill.HttpClient(address, timeout_s=60)
            for begin in range(0, len(keys), BATCH_OF_ALL):
                _check_tallies(client, name, view, keys[begin:begin + BATCH_OF_ALL], truth, as_of,
                               verdict)


def _check_tallies(client, store, view, keys, truth, as_of, verdict):
    tallies = truth.tallies[view]
    features = [f"{view}.{feature}" for feature in tallies[keys[0]]]
    request = {"job": JOB, "features": features, "entities": {VIEWS[view][0]: keys},
               "as_of": fold.format_time(as_of), "offsets": True}
    status, body = client.call("POST", "/v1/features", json.dumps(request))
    if status != 200:
        verdict.mismatches.append(f"{store}: {status} {str(body)[:300]}")
        return
    columns = {result["feature"].partition(".")[2]: result for result in body["results"]}
    for row, key in enumerate(keys):
        verdict.answers += 1
        vector = [offset for offset, _ in body["offsets"][view][row]["offset_vector"]]
        if vector != truth.ends:
            verdict.mismatches.append(f"{store} {view} {key} is at {vector}, not {truth.ends}")
        for feature, want in tallies[key].items():
            verdict.values += 1
            got, answered = columns[feature]["values"][row], columns[feature]["statuses"][row]
            if answered != "PRESENT" or fold.bits(got) != fold.bits(fold.as_json(want)):
                verdict.mismatches.append(f"{store} {view} {key} at the end: {feature} is {got!r} "
                                          f"{answered}, the fold says {want!r}")


def _compare_answer(store, view, keys, body, expected, ends, verdict):
    columns = {result["feature"].partition(".")[2]: result for result in body["results"]}
    for row, key in enumerate(keys):
        vector = [offset for offset, _ in body["offsets"][view.name][row]["offset_vector"]]
        if vector != ends:
            verdict.mismatches.append(f"{store} {view.name} {key} is at {vector}, not at {ends}")
        got = {name: (column["values"][row], column["statuses"][row])
               for name, column in columns.items()}
        _compare_row(f"{store} {view.name} {key} at the end", view, key, expected[key], got, ends,
                     verdict)


def check_kept(kept, truth, verdict):
    """Answers given during the run, each at its own offset vector."""
    by_name = {view.name: view for view in truth.views}
    for row in kept:
        view = by_name[row.view]
        expected = view.rows.fold(row.key, view.features, row.as_of, row.vector)
        got = {name: (row.values[name], row.statuses[name]) for name in row.values}
        where = f"{row.store} {row.view} {row.key} as of {fold.format_time(row.as_of)} at {row.vector}"
        _compare_row(where, view, row.key, expected, got, row.vector, verdict)


def _compare_row(where, view, key, expected, got, vector, verdict):
    verdict.answers += 1
    status = "PRESENT" if view.rows.has_rows(key, vector) else "NOT_FOUND"
    for feature, want in zip(view.features, expected):
        value, answered = got[feature.name]
        verdict.values += 1
        if fold.bits(value) != fold.bits(fold.as_json(want)):
            verdict.mismatches.append(f"{where}: {feature.name} is {value!r}, the fold says {want!r}")
        if answered != status:
            verdict.mismatches.append(f"{where}: {feature.name} is {answered}, not {status}")
