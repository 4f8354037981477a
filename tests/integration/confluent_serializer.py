"""Serializes values as Confluent's Python client does, and registers their schemas; run by the Python
of tests/venv that has it. Reads a task (JSON) from stdin:
    registry   url
    topic
    format     "avro" or "protobuf"
    schema     Avro: the schema's text. Protobuf: the file that protoc --descriptor_set_out
               --include_imports wrote
    message    Protobuf: the full name of the message type
    values     JSON objects; Protobuf: in its JSON mapping
Prints a line of hexadecimal digits for each value.
"""

import json
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


def avro(client, task):
    """Fields with a decimal point or a date in their schema are texts in the task."""
    fields = {f["name"]: f["type"] for f in json.loads(task["schema"])["fields"]}

    def typed(name, value):
        logical = fields[name].get("logicalType") if isinstance(fields[name], dict) else None
        if logical == "decimal":
            return Decimal(value)
        if logical == "timestamp-micros":
            return datetime.fromisoformat(value)
        return value

    serializer = AvroSerializer(client, task["schema"])
    for value in task["values"]:
        yield serializer, {name: typed(name, v) for name, v in value.items()}


def protobuf(client, task):
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(
            Path(task["schema"]).read_bytes()).file:
        pool.Add(file)
    kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(task["message"]))
    serializer = ProtobufSerializer(kind, client, {"skip.known.types": True})
    for value in task["values"]:
        yield serializer, json_format.ParseDict(value, kind())


def main():
    task = json.load(sys.stdin)
    client = SchemaRegistryClient({"url": task["registry"]})
    context = SerializationContext(task["topic"], MessageField.VALUE)
    for serializer, value in {"avro": avro, "protobuf": protobuf}[task["format"]](client, task):
        print(serializer(value, context).hex())


main()
