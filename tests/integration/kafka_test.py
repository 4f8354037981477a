"""Kafka end to end with a real broker: formats, starts, tombstones, lag for other tools, SASL and
TLS, a topic written by `tidemill generate`."""

import os
import time
import unittest
from unittest import mock

import cluster as tidemill
import fold
import kafka_cards
from cluster import Cluster, run_cli
from kafka import Broker

USER, PASSWORD = "tidemill", "a$ecret"
JOB = """job: {job}
leading_edge: event
sources:
  transactions:
    schema: {schema}
    event_time: event_time
    stream: {stream}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {{function: count, windows: [1h, lifetime]}}
      - {{function: last_n, column: amount, n: 3, windows: [1d]}}
"""
LINES = [
    "1,2018-04-01T10:00:00Z,7,1,10.5,0",
    "2,2018-04-01T11:30:00Z,7,2,2.25,1",
    "3,2018-04-01T11:45:00Z,8,2,0.5,0",
    "4,2018-04-01T12:00:00Z,7,1,4.0,0",
]


class KafkaTest(unittest.TestCase):
    """One broker and one cluster for all; each test has a topic and a job of its own."""

    @classmethod
    def setUpClass(cls):
        cls.broker = cls.enterClassContext(
            Broker("--sasl-user", USER, "--sasl-password", PASSWORD, "--tls"))
        # Workers and coordinator connect with the secrets of their own environment.
        cls.enterClassContext(mock.patch.dict(os.environ, {
            "TIDEMILL_TEST_PASSWORD": PASSWORD, "TIDEMILL_TEST_WRONG_PASSWORD": "wrong"}))
        cls.cluster = cls.enterClassContext(Cluster(workers=2))

    def topic(self, partitions=1):
        name = self.id().split(".")[-1]
        self.broker.create_topic(name, partitions)
        return name

    def write(self, topic, values, partition=0, **options):
        with self.broker.producer() as producer:
            for value in values:
                producer.send(topic, partition, value, **options)
            producer.flush()

    def submit(self, topic, address=None, **settings):
        """Submits a job of the topic's name over it."""
        stream = kafka_cards.kafka_stream(address or self.broker.address, topic, **settings)
        yaml = JOB.format(job=topic, schema=kafka_cards.SCHEMA, stream=stream)
        self.cluster.submit(yaml, "/")
        self.addCleanup(self.cluster.coordinator.call, "POST", f"/v1/jobs/{topic}/stop")

    def wait_until_read(self, topic, partitions=1):
        with self.broker.producer() as producer:
            ends = producer.end_offsets(topic, partitions)
        return kafka_cards.wait_until_read(self.cluster, topic, ends)

    def customers(self, job, *keys):
        """{feature: values}"""
        status, body = self.cluster.read({"job": job, "features": ["customer.*"],
                                          "entities": {"customer_id": list(keys)}})
        self.assertEqual(status, 200, body)
        return {r["feature"].split(".")[1]: r["values"] for r in body["results"]}

    def assert_all_lines(self, job):
        self.assertEqual(self.customers(job, "7", "8"),
                         {"count_1h": [2, 1], "count_lifetime": [3, 1],
                          "amount_last_n_1d": [[10.5, 2.25, 4.0], [0.5]]})

    # --- formats ----------------------------------------------------------------------------------

    def test_csv_with_columns_in_an_order_of_its_own(self):
        topic = self.topic()
        lines = [line.split(",") for line in LINES]
        self.write(topic, [",".join([amount, fraud, customer, '"' + moment + '"', number, terminal]
                                    ).encode()
                           for number, moment, customer, terminal, amount, fraud in lines])
        self.submit(topic, format="csv", columns="[amount, is_fraud, customer_id, event_time, "
                                                 "transaction_id, terminal_id]")
        self.wait_until_read(topic)
        self.assert_all_lines(topic)

    def test_tombstones_and_the_holes_of_transactions(self):
        topic = self.topic()
        values = [kafka_cards.json_of(line) for line in LINES]
        self.write(topic, [None], key=b"gone")
        with self.broker.producer({"transactional.id": topic}) as producer:
            producer.transaction(topic, 0, values[:2])
            producer.transaction(topic, 0, values, commit=False)
            # The log ends with a marker, behind the last record; it is written a little later.
            producer.transaction(topic, 0, values[2:])
            tidemill.wait_until(lambda: producer.end_offset(topic, 0) == 1 + 3 + 5 + 3,
                                "the transactions are complete", 30)
        self.submit(topic)
        self.wait_until_read(topic)
        self.assert_all_lines(topic)
        # Key partitions and readers report on their own: a counter may come a moment later.
        tidemill.wait_until(lambda: self.cluster.job(topic)["tombstones"] == 1,
                            "the tombstone is counted", 30)
        self.assertEqual(self.cluster.job(topic)["bad_records"], 0)

    def test_a_topic_that_was_only_just_made(self):
        for turn in range(3):
            self.broker.create_topic(f"just_made_{turn}", 4, wait=False)
            # Its partitions may have no leaders yet.
            self.submit(f"just_made_{turn}")

    # --- where it starts --------------------------------------------------------------------------

    def test_start_latest(self):
        topic = self.topic()
        self.write(topic, [kafka_cards.json_of(line) for line in LINES[:2]])
        self.submit(topic, start="latest")
        self.write(topic, [kafka_cards.json_of(line) for line in LINES[2:]])
        self.wait_until_read(topic)
        self.assertEqual(self.customers(topic, "7", "8")["count_lifetime"], [1, 1])

    def test_start_at_a_time(self):
        topic = self.topic()
        for line in LINES:
            moment = fold.parse_time(line.split(",")[1]) // 1000
            self.write(topic, [kafka_cards.json_of(line)], timestamp_ms=moment)
        self.submit(topic, start='"2018-04-01T11:45:00Z"')
        self.wait_until_read(topic)
        self.assertEqual(self.customers(topic, "7", "8")["count_lifetime"], [1, 1])

    # --- neighbours -------------------------------------------------------------------------------

    def test_lag_tools_see_what_is_applied(self):
        topic = self.topic(partitions=2)
        for partition in range(2):
            self.write(topic, [kafka_cards.json_of(line) for line in LINES[partition:]], partition)
        self.submit(topic)
        self.wait_until_read(topic, partitions=2)
        committed = {}

        def caught_up():
            committed.update(self.broker.group_offsets(f"tidemill.{topic}", topic))
            return committed == {0: (4, 0), 1: (3, 0)}

        tidemill.wait_until(caught_up, f"offsets 4 and 3 are committed, without lag: {committed}",
                            60, 0.5)

    def test_sasl(self):
        topic = self.topic()
        self.write(topic, [kafka_cards.json_of(line) for line in LINES])
        self.submit(topic, self.broker.address_of("sasl"), client=(
            "{security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, "
            f'sasl.username: {USER}, sasl.password: "${{TIDEMILL_TEST_PASSWORD}}"}}'))
        self.wait_until_read(topic)
        self.assert_all_lines(topic)
        # The password is in no plan and in no answer.
        self.assertNotIn(PASSWORD, str(self.cluster.job(topic)))

    def test_tls(self):
        topic = self.topic()
        self.write(topic, [kafka_cards.json_of(line) for line in LINES])
        authority = self.broker.directory / "ca.pem"
        self.submit(topic, self.broker.address_of("tls"),
                    client=f'{{security.protocol: SSL, ssl.ca.location: "{authority}"}}')
        self.wait_until_read(topic)
        self.assert_all_lines(topic)

    def test_a_wrong_password_and_an_unknown_topic_are_refused_at_submit(self):
        stream = kafka_cards.kafka_stream(
            self.broker.address_of("sasl"), "any",
            client="{security.protocol: SASL_PLAINTEXT, sasl.mechanism: PLAIN, "
                   f'sasl.username: {USER}, sasl.password: "${{TIDEMILL_TEST_WRONG_PASSWORD}}"}}')
        unknown = kafka_cards.kafka_stream(self.broker.address, "no-such-topic")
        for text, hint in ((stream, "(?i)authenticat"), (unknown, "no-such-topic")):
            yaml = JOB.format(job="refused", schema=kafka_cards.SCHEMA, stream=text)
            status, body = self.cluster.coordinator.call("POST", "/v1/jobs?base_dir=/", yaml,
                                                         timeout_s=60)
            self.assertIn(status, (400, 503), body)
            self.assertRegex(str(body), hint)

    def test_generate_writes_to_a_topic(self):
        topic = self.topic(partitions=2)
        run = run_cli("generate", "--quiet", "--kafka", self.broker.address, "--topic", topic,
                      "--partitions", 2, "--events", 1000, "--customers", 20)
        self.assertEqual(run.returncode, 0, run.stderr)
        self.submit(topic)
        self.wait_until_read(topic, partitions=2)
        counts = self.customers(topic, *(str(c) for c in range(1, 21)))["count_lifetime"]
        self.assertEqual(sum(counts), 2000)

    def test_generate_live_waits_for_the_time_of_each_event(self):
        topic = self.topic()
        began = time.time()
        start = fold.format_time(round((began + 1) * 1e6))
        run = run_cli("generate", "--quiet", "--live", "--kafka", self.broker.address, "--topic",
                      topic, "--start-time", start, "--events", 20, "--events-per-second", 20)
        self.assertEqual(run.returncode, 0, run.stderr)
        # From a second after the start over about one more; the gaps between events are random.
        self.assertGreater(time.time() - began, 1.2)
        with self.broker.producer() as producer:
            self.assertEqual(producer.end_offset(topic, 0), 20)


if __name__ == "__main__":
    unittest.main()
