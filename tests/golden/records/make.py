#!/usr/bin/env python3
"""Writes the files beside it anew, but for order.proto: records in Avro and Protobuf by other
implementations than ours, and the same records as NDJSON. Needs protoc, and from PyPI fastavro,
cramjam and backports.zstd (its codecs) and protobuf:

    python3 -m venv VENV && VENV/bin/pip install fastavro==1.13.1 cramjam==2.14.0 backports.zstd protobuf==4.21.12
    VENV/bin/python make.py

What each file is, is in README.md."""

import datetime
import decimal
import importlib
import io
import json
import random
import struct
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

import fastavro

HERE = Path(__file__).parent
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)

SCHEMA = {
    "type": "record", "name": "Payment", "namespace": "shop.events",
    "doc": "Every type that a column can have, and every type of Avro.",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "paid_at", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}]},
        {"name": "name", "type": ["null", "string"], "default": None},
        {"name": "skipped", "type": {"type": "record", "name": "Skipped", "fields": [
            {"name": "numbers", "type": {"type": "array", "items": "double"}},
            {"name": "next", "type": ["null", "Skipped"]}]}},
        {"name": "amount", "type": "double"},
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "exact", "type": {"type": "fixed", "name": "Exact", "size": 9, "logicalType": "decimal",
                                   "precision": 20, "scale": 4}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["CARD", "CASH", "VOUCHER"]}},
        {"name": "raw", "type": "bytes"},
        {"name": "hash", "type": {"type": "fixed", "name": "Hash", "size": 4}},
        {"name": "ok", "type": "boolean"},
        {"name": "n", "type": "int"},
        {"name": "ratio", "type": "float"},
        {"name": "uid", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "items", "type": {"type": "array", "items": {
            "type": "record", "name": "Item", "fields": [
                {"name": "sku", "type": "string"},
                {"name": "count", "type": "int"},
                {"name": "kind", "type": "Kind"},
                {"name": "price", "type": ["null", "double"]},
                {"name": "since", "type": {"type": "int", "logicalType": "date"}},
                {"name": "tags", "type": {"type": "map", "values": "string"}}]}}},
        {"name": "extra", "type": ["null", "string", "long", {"type": "map", "values": "bytes"}]},
    ],
}


def text_time(time):
    """As our own text has it: as few of 0, 3 or 6 digits as fit."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S")
    if time.microsecond % 1000:
        text += f".{time.microsecond:06d}"
    elif time.microsecond:
        text += f".{time.microsecond // 1000:03d}"
    return text + "Z"


def hex_text(data):
    return "\\x" + data.hex()


def float32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def word(rng):
    return "".join(rng.choice("abcXYZ äß€😀\"\\\n\t/") for _ in range(rng.randrange(12)))


def skipped(rng):
    value = None
    for _ in range(rng.randrange(1, 4)):
        value = {"numbers": [rng.random() for _ in range(rng.randrange(3))], "next": value}
    return value


def payment(rng, number):
    time = EPOCH + datetime.timedelta(seconds=rng.randrange(-10**9, 2 * 10**9), microseconds=rng.randrange(10**6))
    paid = time.replace(microsecond=rng.randrange(1000) * 1000)
    items = [{"sku": word(rng), "count": rng.randrange(-5, 300), "kind": rng.choice(["CARD", "CASH"]),
              "price": rng.choice([None, rng.randrange(-900, 900) / 8]),
              "since": datetime.date(1969, 12, 1) + datetime.timedelta(days=rng.randrange(20000)),
              "tags": {f"k{i}": word(rng) for i in range(rng.randrange(3))}}
             for _ in range(rng.randrange(4))]
    extra = rng.choice([None, word(rng), rng.randrange(-2**63, 2**63), {"raw": rng.randbytes(rng.randrange(5))}])
    return {
        "id": rng.choice([number, -number, 2**63 - 1, -2**63]), "at": time,
        "paid_at": rng.choice([None, paid]), "name": rng.choice([None, word(rng)]), "skipped": skipped(rng),
        "amount": rng.choice([0.1, -2.5, 1e300, rng.random()]),
        "price": decimal.Decimal(rng.randrange(-10**11, 10**11)).scaleb(-2),
        "exact": decimal.Decimal(rng.randrange(-10**18, 10**18)).scaleb(-4),
        "day": time.date(), "kind": rng.choice(["CARD", "CASH", "VOUCHER"]),
        "raw": rng.randbytes(rng.randrange(6)), "hash": rng.randbytes(4), "ok": rng.random() < 0.5,
        "n": rng.choice([0, 1, -1, 2**31 - 1, -2**31]), "ratio": float32(rng.random()),
        "uid": uuid.UUID(int=rng.getrandbits(128)), "items": items, "extra": extra}


def as_json(record):
    """The record as the NDJSON of the same columns would have it."""
    out = {key: value for key, value in record.items() if key != "skipped"}
    out["at"] = text_time(record["at"])
    out["paid_at"] = record["paid_at"] and text_time(record["paid_at"])
    out["price"] = float(record["price"])
    out["exact"] = f"{record['exact']:.4f}"
    out["day"] = record["day"].isoformat()
    out["raw"] = hex_text(record["raw"])
    out["hash"] = hex_text(record["hash"])
    out["uid"] = str(record["uid"])
    out["items"] = [{**item, "since": item["since"].isoformat()} for item in record["items"]]
    if isinstance(record["extra"], dict):
        out["extra"] = {key: hex_text(value) for key, value in record["extra"].items()}
    return json.dumps(out, separators=(",", ":"), ensure_ascii=False)


def write_avro():
    rng = random.Random(1)
    records = [payment(rng, number) for number in range(60)]
    parsed = fastavro.parse_schema(SCHEMA)
    (HERE / "payment.avsc").write_text(json.dumps(SCHEMA, indent=1) + "\n")
    (HERE / "payments.ndjson").write_text("".join(as_json(r) + "\n" for r in records))
    for codec in ("null", "deflate", "snappy", "zstandard"):
        with open(HERE / f"payments_{codec}.avro", "wb") as out:
            fastavro.writer(out, parsed, records, codec=codec, sync_interval=2000, sync_marker=b"0123456789abcdef")
    with open(HERE / "payments_avro.hex", "w") as out:
        for record in records:
            data = io.BytesIO()
            fastavro.schemaless_writer(data, parsed, record)
            out.write(data.getvalue().hex() + "\n")


# Columns that Protobuf's canonical JSON has in another form than NDJSON has them: by their names.
JSON_COLUMNS = {"items": "[]", "counts": "{}", "firstItem": None, "extra": None, "numbers": "[]"}


def order(rng, cls, number):
    message = cls()
    message.at.FromMicroseconds(rng.randrange(-10**15, 2 * 10**15))
    message.day = (datetime.date(2000, 1, 1) + datetime.timedelta(days=number)).isoformat()
    if rng.random() < 0.2:
        return message  # all else is as it is by default
    message.id = rng.randrange(-2**63, 2**63)
    message.name = word(rng)
    message.amount = rng.choice([0.1, 1e300, rng.random()])
    message.ratio = rng.random()
    message.ok = rng.random() < 0.5
    message.n = rng.choice([0, -1, 2**31 - 1, -2**31])
    message.big = rng.randrange(2**63)
    message.fixed = rng.randrange(2**63)
    message.kind = rng.randrange(2)
    message.raw = rng.randbytes(rng.randrange(6))
    message.skipped = rng.randbytes(3)
    if rng.random() < 0.5:
        message.note = word(rng)
        message.maybe.value = rng.randrange(-5, 5)
        message.right = rng.randrange(3)
        message.first_item.sku = word(rng)
        message.extra.update({"a": [1.5, None, word(rng)], "b": {"c": True}})
    else:
        message.left = word(rng)
    for _ in range(rng.randrange(3)):
        item = message.items.add(sku=word(rng), unit_count=rng.randrange(9), kind=rng.randrange(2))
        if rng.random() < 0.5:
            item.since.FromMicroseconds(rng.randrange(10**15))
    if rng.random() < 0.5:
        message.counts["one"] = rng.randrange(-2**63, 2**63)
        message.numbers.extend([rng.randrange(100) for _ in range(3)])
    return message


def order_json(message):
    from google.protobuf import json_format
    text = json_format.MessageToDict(message)
    out = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        absent = field.has_presence and not message.HasField(field.name)
        if field.name == "skipped":
            continue
        if field.json_name in JSON_COLUMNS:
            default = JSON_COLUMNS[field.json_name]
            out[field.name] = text.get(field.json_name, default and json.loads(default))
        elif absent:
            out[field.name] = None
        elif field.name == "at":
            out["at"] = text_time(message.at.ToDatetime(UTC))
        elif field.name == "maybe":
            out["maybe"] = value.value
        elif field.name == "kind":
            out["kind"] = message.Kind.Name(value)
        elif field.name == "raw":
            out["raw"] = hex_text(value)
        else:
            out[field.name] = value
    return json.dumps(out, separators=(",", ":"), ensure_ascii=False)


def write_protobuf():
    subprocess.run(["protoc", f"-I{HERE}", f"--descriptor_set_out={HERE}/order.desc", "--include_imports",
                    "order.proto"], check=True)
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(["protoc", f"-I{HERE}", f"--python_out={directory}", "order.proto"], check=True)
        sys.path.insert(0, directory)
        module = importlib.import_module("order_pb2")
    rng = random.Random(2)
    messages = [order(rng, module.Order, number) for number in range(60)]
    (HERE / "orders.ndjson").write_text("".join(order_json(m) + "\n" for m in messages))
    (HERE / "orders.hex").write_text(
        "".join(m.SerializeToString(deterministic=True).hex() + "\n" for m in messages))


write_avro()
write_protobuf()
