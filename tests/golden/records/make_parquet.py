#!/usr/bin/env python3
"""Writes the Parquet files beside it anew, from payments.ndjson. Needs PyPI's pyarrow:

    python3 -m venv VENV && VENV/bin/pip install pyarrow==26.0.1
    VENV/bin/python make_parquet.py

What each file is, is in README.md."""

import datetime
import decimal
import json
import uuid
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
UUID = pa.uuid()

ITEM = pa.struct([("sku", pa.string()), ("count", pa.int16()), ("kind", pa.string()), ("price", pa.float64()),
                  ("since", pa.date32()), ("tags", pa.map_(pa.string(), pa.string()))])
SCHEMA = pa.schema([
    ("id", pa.int64()), ("at", pa.timestamp("us", "UTC")), ("paid_at", pa.timestamp("ms", "UTC")),
    ("name", pa.string()), ("skipped", pa.list_(pa.float64())), ("amount", pa.float64()),
    ("price", pa.decimal128(12, 2)), ("exact", pa.decimal128(20, 4)), ("day", pa.date32()),
    ("kind", pa.dictionary(pa.int8(), pa.string())), ("raw", pa.binary()), ("hash", pa.binary(4)), ("ok", pa.bool_()),
    ("n", pa.int32()), ("ratio", pa.float32()), ("uid", UUID), ("items", pa.list_(ITEM))])


def time_of(text):
    return text and datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def payments():
    rows = []
    for line in (HERE / "payments.ndjson").read_text().splitlines():
        row = json.loads(line, parse_float=decimal.Decimal)
        del row["extra"]
        row.update(at=time_of(row["at"]), paid_at=time_of(row["paid_at"]), skipped=[0.5] * (len(rows) % 3),
                   amount=float(row["amount"]), price=row["price"].quantize(decimal.Decimal("0.01")),
                   exact=decimal.Decimal(row["exact"]), day=datetime.date.fromisoformat(row["day"]),
                   raw=bytes.fromhex(row["raw"][2:]), hash=bytes.fromhex(row["hash"][2:]),
                   ratio=float(row["ratio"]), uid=uuid.UUID(row["uid"]).bytes)
        for item in row["items"]:
            item["price"] = item["price"] and float(item["price"])
            item["since"] = datetime.date.fromisoformat(item["since"])
            item["tags"] = list(item["tags"].items())
        rows.append(row)
    arrays = []
    for field in SCHEMA:
        values = [row[field.name] for row in rows]
        if field.type == UUID:
            arrays.append(pa.ExtensionArray.from_storage(UUID, pa.array(values, pa.binary(16))))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def write_payments():
    table = payments()
    pq.write_table(table, HERE / "payments.parquet", row_group_size=25, data_page_size=200,
                   write_page_checksum=True)
    # As other writers do it: encodings, pages and codecs, and times in 96 bits.
    pq.write_table(table, HERE / "payments_v2.parquet", row_group_size=40, data_page_size=300, compression="zstd",
                   data_page_version="2.0", use_dictionary=["name"], store_schema=False,
                   column_encoding={"id": "DELTA_BINARY_PACKED", "raw": "DELTA_LENGTH_BYTE_ARRAY",
                                    "amount": "BYTE_STREAM_SPLIT"})
    pq.write_table(table, HERE / "payments_int96.parquet", compression="gzip", version="1.0",
                   use_deprecated_int96_timestamps=True, store_schema=False)


def write_types():
    """Two rows of every type, the second of nulls; beside them what they are as JSON."""
    time = datetime.datetime(2018, 4, 1, 0, 0, 31, 500000)
    nanos = 1522540831500000001
    cells = [
        ("at", pa.timestamp("us", "UTC"), time, "2018-04-01T00:00:31.500Z"),
        ("uint8", pa.uint8(), 255, 255), ("int8", pa.int8(), -128, -128), ("uint16", pa.uint16(), 65535, 65535),
        ("int16", pa.int16(), -32768, -32768), ("uint32", pa.uint32(), 4294967295, 4294967295),
        ("uint64", pa.uint64(), 2**64 - 1, 2**64 - 1), ("half", pa.float16(), 0.5, 0.5),
        ("float", pa.float32(), 0.1, 0.1), ("nan", pa.float64(), float("nan"), "NaN"),
        ("small", pa.decimal128(9, 2), decimal.Decimal("-0.05"), decimal.Decimal("-0.05")),
        ("large", pa.decimal256(50, 0), decimal.Decimal(10**49), 10**49),
        ("day", pa.date32(), datetime.date(2018, 4, 1), "2018-04-01"),
        ("millis", pa.timestamp("ms"), time, "2018-04-01T00:00:31.500Z"),
        ("nanos", pa.timestamp("ns", "Europe/Berlin"), nanos, "2018-04-01T00:00:31.500000001Z"),
        ("clock", pa.time64("us"), datetime.time(1, 2, 3), 3723000000),
        ("short_clock", pa.time32("ms"), datetime.time(1, 2, 3), 3723000),
        ("text", pa.large_string(), 'ä"\n', 'ä"\n'), ("json", pa.json_(), '{"a":[1]}', '{"a":[1]}'),
        ("raw", pa.large_binary(), b"\0\xff", "\\x00ff"), ("fixed", pa.binary(2), b"\1\2", "\\x0102"),
        ("uid", UUID, bytes(range(16)), "00010203-0405-0607-0809-0a0b0c0d0e0f"),
        ("list", pa.list_(pa.int64()), [1, None], [1, None]),
        ("map", pa.map_(pa.int32(), pa.bool_()), [(7, True), (8, None)], {"7": True, "8": None}),
        ("struct", pa.struct([("a", pa.int32()), ("b", pa.list_(pa.string()))]), {"a": 1, "b": ["x"]},
         {"a": 1, "b": ["x"]}),
        ("nothing", pa.null(), None, None),
    ]
    arrays, fields, out = [], [], []
    for name, kind, value, text in cells:
        second = time if name == "at" else None
        storage = kind.storage_type if isinstance(kind, pa.BaseExtensionType) else kind
        array = pa.array([value, second], storage)
        arrays.append(array if storage == kind else pa.ExtensionArray.from_storage(kind, array))
        fields.append(pa.field(name, kind))
        exact = str(text) if isinstance(text, decimal.Decimal) else json.dumps(text, separators=(",", ":"),
                                                                               ensure_ascii=False)
        out.append(f"{json.dumps(name)}:{exact}")
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields)), HERE / "types.parquet")
    (HERE / "types.json").write_text("{" + ",".join(out) + "}\n")


def write_dictionary():
    """A dictionary of three values, whose indexes can be found and changed, beside text of which a row is no UTF-8."""
    time = datetime.datetime(2018, 4, 1, tzinfo=UTC)
    table = pa.table({"at": pa.array([time] * 3, pa.timestamp("us", "UTC")),
                      "kind": pa.array(["a", "b", "c"]).dictionary_encode(),
                      "note": pa.array([b"x", b"\xff", b"z"], pa.binary()).view(pa.string())})
    pq.write_table(table, HERE / "dictionary.parquet", compression="none", use_dictionary=["kind"])


if __name__ == "__main__":
    write_payments()
    write_types()
    write_dictionary()
