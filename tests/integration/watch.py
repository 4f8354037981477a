"""Reads known keys over and over while things fail, and checks every answer on the spot."""

import time

import answers
import cards
import cluster as tidemill
import fold


class Watch:
    """Known keys of one job. An answer is a value at the offset vector it carries, checked against
    the fold; "no answer yet" (503, NOT_READY, no connection) is counted and always permitted. What
    is never permitted: a wrong value, a key with rows that is not found, a vector that goes back.
    """

    def __init__(self, cluster, job, views, keys_per_view=50):
        self.cluster = cluster
        self.job = job
        self.views = views
        self.keys = {v.name: answers.sorted_keys(v)[:keys_per_view] for v in views}
        self.tally = answers.Tally()
        self.unanswered = 0
        self.vectors = {}  # key partition -> offsets of the newest answer
        self.known = set()  # (view, key) that has been PRESENT
        self.turn = 0

    def read_once(self, timeout_s=2.0):
        """One request. True if every key was answered with values."""
        view = self.views[self.turn % len(self.views)]
        self.turn += 1
        keys = self.keys[view.name]
        try:
            status, body = self.cluster.read(view.request(self.job, keys), timeout_s)
        except tidemill.Unreachable:
            self.unanswered += 1
            return False
        if status != 200:
            assert status in (404, 503), f"read: {status} {body}"
            # 404 is for a job that the store has not heard of yet; not once it has answered.
            assert status == 503 or not self.known, f"read: {status} {body}"
            self.unanswered += 1
            return False
        not_ready = self.tally.not_ready
        answers.check_answer(view, keys, body, self.tally)
        self.tally.require_none()
        self._check_progress(view, keys, body)
        return self.tally.not_ready == not_ready

    def _check_progress(self, view, keys, body):
        statuses = body["results"][0]["statuses"]
        for key, status, version in zip(keys, statuses, body["offsets"][view.name]):
            if status == "PRESENT":
                self.known.add((view.name, key))
            assert status != "NOT_FOUND" or (view.name, key) not in self.known, (
                f"{view.name} {key} had rows, and now is NOT_FOUND")
            if version is None:
                continue
            vector = [offset for offset, _ in version["offset_vector"]]
            before = self.vectors.get(version["key_partition"], vector)
            assert all(now >= then for now, then in zip(vector, before)), (
                f"key partition {version['key_partition']} went back from {before} to {vector}")
            self.vectors[version["key_partition"]] = vector

    def read_for(self, seconds, timeout_s=2.0, each=None, pause_s=0.02):
        """Reads for that long; `each` is called between reads."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.read_once(timeout_s)
            if each is not None:
                each()
            time.sleep(pause_s)

    def read_until_answered(self, deadline_s):
        """Reads until both views answer for all their keys."""
        tidemill.wait_until(lambda: all([self.read_once() for _ in self.views]),
                            f"all keys are answered; {self.unanswered} requests were not",
                            deadline_s)

    def read_until_complete(self, deadline_s, pause_s=0.05):
        """Reads until the job is complete, then checks every key of both views."""
        tidemill.wait_until(
            lambda: self.read_once() and self.cluster.job(self.job)["state"] == "COMPLETED",
            f"job {self.job} is COMPLETED and answered", deadline_s, pause_s)
        return self.check_everything()

    def check_everything(self):
        """Every key of both views of the completed job; the Tally."""
        events = self.events
        tally = answers.check_completed(self.cluster, self.job, self.views, events.end_offsets,
                                        max(events.times))
        tally.require_none()
        job = self.cluster.job(self.job)
        assert job["rows"] == 2 * len(events), f"{job['rows']} rows held, {len(events)} events read"
        return tally

    @classmethod
    def of_cards(cls, cluster, job, directory, rows, seconds):
        """Submits a job over a written month in two files, replayed within about `seconds`, and
        watches it."""
        header, lines = cards.written_month(rows)
        paths = cards.write_files(header, [lines[0::2], lines[1::2]], directory)
        events = cards.read_events(paths)
        speed = max(1, round(30 * fold.DAY / fold.US_PER_SECOND / seconds))
        cluster.submit(cards.job_yaml(job, "transactions_*.csv", replay=f"{speed}x"), directory)
        watch = cls(cluster, job, cards.views(events))
        watch.events = events
        return watch

    def offsets_read(self):
        """Sum over the source partitions of what has been read: it rises while ingestion goes on."""
        return sum(source["offset"] for source in self.cluster.job(self.job)["sources"])
