"""Avro and Protobuf through a real broker, serialized by Confluent's own client."""

import json
import subprocess
import tempfile
import unittest
from pathlib import Path

import cluster as tidemill
import kafka_cards
from cluster import ROOT, Cluster
from kafka import Broker
from schema_registry import SchemaRegistry

HERE = Path(__file__).resolve().parent
SCHEMA = ("{event_time: timestamp, customer_id: string, amount: double, is_fraud: bool, "
          "place: json}")
JOB = """job: {job}
leading_edge: event
sources:
  orders:
    schema: {schema}
    event_time: event_time
    stream: {stream}
views:
  customer:
    source: orders
    entity: [customer_id]
    aggregations:
      - {{function: count, windows: [1h, lifetime]}}
      - {{name: amounts, function: last_n, column: amount, n: 3, windows: [1d]}}
      - {{name: frauds, function: count, where: is_fraud, windows: [1d]}}
      - {{name: city, function: last, column: "place ->> 'city'", windows: [1d]}}
"""
ORDERS = [("2018-04-01T10:00:00+00:00", "7", 10.5, False, "Oslo"),
          ("2018-04-01T11:30:00+00:00", "7", 2.25, True, "Lima"),
          ("2018-04-01T11:45:00+00:00", "8", 0.5, False, "Lima"),
          ("2018-04-01T12:00:00+00:00", "7", 4.0, False, "Bern")]
FOUND = {"count_1h": [2, 1], "count_lifetime": [3, 1], "amounts_1d": [[10.5, 2.25, 4.0], [0.5]],
         "frauds_1d": [1, 0], "city_1d": ["Bern", "Lima"]}
PLACE = {"type": "record", "name": "Place", "fields": [{"name": "city", "type": "string"}]}
TIME = {"type": "long", "logicalType": "timestamp-micros"}
PROTO = """syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
message Other { string note = 1; }
message Order {
  message Place { string city = 1; }
  google.protobuf.Timestamp event_time = 1;
  string customer_id = 2;
  double amount = 3;
  bool is_fraud = 4;
  Place place = 5;
}
"""


def avro_schema(amount, more=()):
    return json.dumps({"type": "record", "name": "Order", "namespace": "shop", "fields": [
        *more, {"name": "place", "type": ["null", PLACE]}, {"name": "event_time", "type": TIME},
        {"name": "amount", "type": amount}, {"name": "customer_id", "type": "string"},
        {"name": "is_fraud", "type": "boolean"}]})


def avro_value(order, amount=None, **more):
    moment, customer, of, fraud, city = order
    return {"event_time": moment, "customer_id": customer, "amount": amount or of,
            "is_fraud": fraud, "place": {"city": city}, **more}


def protobuf_value(order):
    moment, customer, amount, fraud, city = order
    return {"eventTime": moment.replace("+00:00", "Z"), "customerId": customer, "amount": amount,
            "isFraud": fraud, "place": {"city": city}}


class SchemaRegistryTest(unittest.TestCase):
    """One broker, registry and cluster for all; each test has a topic and a job of its own."""

    @classmethod
    def setUpClass(cls):
        cls.python = subprocess.run(
            [str(ROOT / "tests/venv"), "confluent", str(HERE / "confluent_requirements.txt")],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        cls.directory = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.broker = cls.enterClassContext(Broker())
        cls.cluster = cls.enterClassContext(Cluster(workers=2))
        (cls.directory / "order.proto").write_text(PROTO)
        subprocess.run(["protoc", "--include_imports", f"--proto_path={cls.directory}",
                        f"--descriptor_set_out={cls.directory / 'order.desc'}", "order.proto"],
                       check=True)

    def setUp(self):
        self.topic = self.id().split(".")[-1]
        self.broker.create_topic(self.topic, 1)
        self.registry = self.enterContext(SchemaRegistry())
        self.registry.texts["order.proto"] = PROTO

    def serialized(self, values, **task):
        task = {"registry": self.registry.url, "topic": self.topic, "values": values, **task}
        run = subprocess.run([self.python, str(HERE / "confluent_serializer.py")],
                             input=json.dumps(task), stdout=subprocess.PIPE, text=True, check=True)
        return [bytes.fromhex(line) for line in run.stdout.split()]

    def avro(self, values, schema):
        return self.serialized(values, format="avro", schema=schema)

    def protobuf(self, values):
        return self.serialized(values, format="protobuf", message="shop.Order",
                               schema=str(self.directory / "order.desc"))

    def write(self, values):
        with self.broker.producer() as producer:
            for value in values:
                producer.send(self.topic, 0, value)
            producer.flush()

    def submit(self, **settings):
        stream = kafka_cards.kafka_stream(self.broker.address, self.topic, **settings)
        self.cluster.submit(JOB.format(job=self.topic, schema=SCHEMA, stream=stream),
                            self.directory)
        self.addCleanup(self.cluster.coordinator.call, "POST", f"/v1/jobs/{self.topic}/stop")

    def submit_with_registry(self, what):
        self.submit(format=what, registry=f'{{url: "{self.registry.url}"}}')

    def assert_all_orders(self):
        with self.broker.producer() as producer:
            ends = producer.end_offsets(self.topic, 1)
        kafka_cards.wait_until_read(self.cluster, self.topic, ends)
        status, body = self.cluster.read({"job": self.topic, "features": ["customer.*"],
                                          "entities": {"customer_id": ["7", "8"]}})
        self.assertEqual(status, 200, body)
        self.assertEqual({r["feature"].split(".")[1]: r["values"] for r in body["results"]}, FOUND)

    def wait_for_bad_records(self, count):
        tidemill.wait_until(lambda: self.cluster.job(self.topic)["bad_records"] == count,
                            f"{count} records are counted as bad", 30)

    def test_avro_of_two_schemas(self):
        old = self.avro([avro_value(o) for o in ORDERS[:2]], avro_schema("double"))
        cents = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
        new = self.avro([avro_value(o, f"{o[2]:.2f}", tags=["a"]) for o in ORDERS[2:]],
                        avro_schema(cents, [{"name": "tags",
                                             "type": {"type": "array", "items": "string"}}]))
        self.write([new[0], *old, new[1]])
        self.submit_with_registry("avro")
        self.assert_all_orders()
        self.assertEqual(self.cluster.job(self.topic)["bad_records"], 0)
        self.assertEqual(set(self.registry.asked), {1, 2})

    def test_protobuf(self):
        self.write(self.protobuf([protobuf_value(o) for o in ORDERS]))
        self.submit_with_registry("protobuf")
        self.assert_all_orders()
        self.assertEqual(self.cluster.job(self.topic)["bad_records"], 0)

    def test_without_a_registry(self):
        schema = avro_schema("double")
        (self.directory / "order.avsc").write_text(schema)
        framed = self.avro([avro_value(o) for o in ORDERS], schema)
        self.write([value[5:] for value in framed])
        self.submit(format="avro", schema_file="order.avsc")
        self.assert_all_orders()

    def test_protobuf_without_a_registry(self):
        # Type 1 of the file: a list of one number, [1], is two zigzag varints.
        framed = self.protobuf([protobuf_value(o) for o in ORDERS])
        self.assertEqual({value[5:7] for value in framed}, {b"\x02\x02"})
        self.write([value[7:] for value in framed])
        self.submit(format="protobuf", descriptor_set="order.desc", message="shop.Order")
        self.assert_all_orders()

    def test_what_no_schema_fits_is_a_dead_letter(self):
        good = self.avro([avro_value(o) for o in ORDERS], avro_schema("double"))
        unknown = b"\x00" + (99).to_bytes(4, "big") + good[0][5:]
        self.write([good[0], b"{}", unknown, good[1], good[2][:9], good[2], good[3]])
        self.submit_with_registry("avro")
        self.assert_all_orders()
        self.wait_for_bad_records(3)

    def test_a_registry_that_is_away_loses_nothing(self):
        self.write(self.avro([avro_value(o) for o in ORDERS], avro_schema("double")))
        self.registry.answering = False
        self.submit_with_registry("avro")
        tidemill.wait_until(lambda: "503" in json.dumps(self.cluster.job(self.topic)),
                            "the job says that the registry answers with 503", 60)
        self.registry.answering = True
        self.assert_all_orders()
        self.assertEqual(self.cluster.job(self.topic)["bad_records"], 0)


if __name__ == "__main__":
    unittest.main()
