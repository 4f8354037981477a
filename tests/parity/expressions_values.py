"""Columns and rows of nasty values, as Tidemill and PostgreSQL read them. Structs are PostgreSQL's
composite types. Maps are its hstore, which has text only: keys and values become text and back."""

COLUMNS = [("b", "bool"), ("i", "int32"), ("j", "int32"), ("n", "int64"), ("x", "double"),
           ("y", "double"), ("s", "string"), ("u", "string"), ("t", "timestamp"),
           ("v", "timestamp"), ("d", "date"), ("z", "bytes"), ("p", "json"), ("w", "string"),
           ("c", "decimal"), ("k", "decimal")]
SQL_TYPES = {"bool": "bool", "int32": "int4", "int64": "int8", "double": "float8",
             "string": "text", "timestamp": "timestamptz", "date": "date", "bytes": "bytea",
             "json": "json", "interval": "interval", "decimal": "numeric"}

_BOOLS = ["true", "false", None]
_INTS = ["0", "1", "-1", "2", "7", "-13", "2147483647", "-2147483648", "100", None, "3", "24"]
_LONGS = ["0", "1", "-1", "9223372036854775807", "-9223372036854775808", "4294967296", "-42", None,
          "1000000007"]
_DOUBLES = ["0", "-0", "0.5", "1.5", "2.5", "-2.5", "1e308", "-1e308", "5e-324", "1e-308", "NaN",
            "Infinity", "-Infinity", None, "3.14159", "-7.25", "1e15", "123456.789", "0.1", "1e300",
            "2147483647.5", "-0.3", "1522540800.123456"]
STRINGS = ["", "a", "abc", "ABC def", "  padded  ", "it's", "ünïcödé ÄÖ", "日本語テキスト", "a,b,,c",
           "100%", "under_score", "back\\slash", None, "12", "-3.5", "true", "xxyyxx", "é",
           "tab\there", "line\nbreak", "aaaa", "ßﬀİı", "😀 smile", "not a number"]
_TIMES = ["2018-04-01T00:00:31Z", "2020-02-29T12:34:56.789012Z", "1970-01-01T00:00:00Z",
          "1969-12-31T23:59:59.999999Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
          None, "2018-10-28T00:30:00Z", "2018-03-25T01:00:00Z", "2000-01-01T00:00:00Z",
          "1900-02-28T03:04:05Z", "2024-12-30T23:00:00Z", "2021-01-03T10:00:00.5Z"]
_DATES = ["2018-04-01", "2020-02-29", "1970-01-01", "0001-01-01", "9999-12-31", None, "2000-12-31",
          "1999-01-01", "2021-01-03"]
_BYTES = ["\\x", "\\x00", "\\xdeadbeef", "\\x616263", None, "\\xff"]
_JSON = ['{"a": {"b": "text", "c": [1, 2.50, null]}, "k": true}', "[10, [20, 21], {\"a\": 5}]",
         '"just \\u00e9 \\"text\\""', "null", "12.5e3", None, '{"a": null, "a": "last", "": 0}',
         "[]", '{"a": [ {"b" : "deep\\n" } , 7 ], "\\u0062": "escaped key"}', "true", "{}"]
# Of few digits, as more than 38 are an error here and none in PostgreSQL.
_DECIMALS = ["0", "1.10", "-2.5", "0.00", "12345.678", None, "0.005", "-0.01", "100", "2.50", "2.5",
             "-7777.7", "99999.99", "1", "-1", "0.5", "-0.50", "33.333"]
_INTERVALS = ["1 day", "-1 mon 2 days 03:04:05.678901", "P1Y2M3DT4H5M6.5S", "00:00:00", None,
              "1.5 hours", "100 years -3 days", "90 min ago", "-00:00:01", "35 days 30:00:00"]

# Structs by name, and their fields: Tidemill's type, and the kind that expressions of it are of.
STRUCTS = {
    "inner": {"n": ("int64", "int64"), "b": ("bool", "bool")},
    "item": {"price": ("decimal(8, 2)", "decimal"), "sku": ("string", "string")},
}
STRUCTS["payload"] = {
    "a": ("int32", "int32"), "x": ("double", "double"), "s": ("string", "string"),
    "d": ("date", "date"), '"Big"': ("int64", "int64"), "l": ("list<string>", "string[]"),
    "items": ("list<item>", "struct item[]"), "o": ("inner", "struct inner"),
    "z": ("bytes", "bytes"), "c": ("decimal(8, 2)", "decimal")}
# Maps by the first of their columns: kinds of keys and values.
MAPS = {"m": ("string", "string"), "g": ("int32", "double"), "h": ("date", "string[]"),
        "o": ("string", "struct inner")}
NESTED = [("q", "struct payload"), ("r", "struct payload"), ("m", "map m"), ("e", "map m"),
          ("g", "map g"), ("h", "map h"), ("o", "map o"), ("l", "int64[]"), ("f", "string[]")]

# -0 in one is 0 here (docs/expressions.md, "Deviations"): there is none.
_PAYLOADS = [
    '{"a": 1, "x": 1.5, "s": "a", "d": "2018-04-01", "Big": 9223372036854775807, "l": ["a", null], '
    '"items": [{"price": 12.30, "sku": "s"}, null], "o": {"n": 7, "b": true}, "z": "\\\\xdead", '
    '"c": 0.5}',
    None, '{}',
    '{"a": 1, "x": "NaN", "s": "it\'s \\"x\\", (y)", "d": null, "Big": -1, "l": [], "items": [], '
    '"o": {}, "z": "\\\\x", "c": -99.99}',
    '{"a": -2147483648, "x": 1e300, "s": "", "d": "0001-01-01", "l": ["", "日本", "a,b"], '
    '"items": [{"price": null, "sku": null}, {"price": -0.01}], "o": {"n": null, "b": false}}',
    '{"a": 3, "x": "-Infinity", "s": "abc", "d": "9999-12-31", "Big": 0, "l": null, '
    '"items": [{"price": 1, "sku": "\\\\ \\n"}], "o": null, "c": 2.5}']
_TEXTS = ['{"a": "b", "abc": "a", "": "x", "aa": null}', "{}", None,
          '{"é": "ü", "日本": "", "it\'s": "\\"q\\"", "x=>y": "1,2"}', '{"12": "12", "a": "b"}',
          '{"under_score": "1"}', '{"a": "b"}']
_BY_NUMBER = ['{"1": 1.5, "-13": "NaN", "10": null, "2": 1e300}', None, "{}",
              '{"2147483647": "Infinity", "-2147483648": 5e-324, "0": 0.1, "100": -7.25}',
              '{"7": 3, "24": 123456.789}']
_BY_DAY = ['{"2018-04-01": ["a", null, "b,c"], "1970-01-01": []}', "{}", None,
           '{"2020-02-29": null, "0001-01-01": ["日本", "", "\\"", "\\\\"]}',
           '{"9999-12-31": ["x"], "2000-12-31": ["NULL", "{}"]}']
_STRUCTURES = ['{"a": {"n": 1, "b": true}, "": {"n": null}, "abc": null}', None, "{}",
               '{"é": {"n": -42, "b": false}, "aa": {}, "a": {"n": 1, "b": true}}']
_NUMBERS = ["[1, 2, 3]", "[]", None, "[9223372036854775807, null, -9223372036854775808]", "[null]",
            "[0, 0, -1, 24]", "[7]"]
_WORDS = ['["a", "b", null]', '["a"]', "[]", None, '["", "abc", "NULL", "a,b", "{}"]',
          '["日本語テキスト", "it\'s"]', "[null]"]


def rows(count=24):
    """As many rows, each value beside other ones: of COLUMNS, and of NESTED as JSON."""
    lists = [_BOOLS, _INTS, _INTS[3:] + _INTS[:3], _LONGS, _DOUBLES, _DOUBLES[5:] + _DOUBLES[:5],
             STRINGS, STRINGS[7:] + STRINGS[:7], _TIMES, _TIMES[4:] + _TIMES[:4], _DATES, _BYTES,
             _JSON, _INTERVALS, _DECIMALS, _DECIMALS[5:] + _DECIMALS[:5],
             _PAYLOADS, _PAYLOADS[3:] + _PAYLOADS[:2], _TEXTS, _TEXTS[3:] + _TEXTS[:2], _BY_NUMBER,
             _BY_DAY, _STRUCTURES, _NUMBERS, _WORDS]
    return [[values[r % len(values)] for values in lists] for r in range(count)]


def tidemill_type(kind):
    """A kind of values as a column's type: "struct inner", "map m", "string[]", "bool"."""
    if kind.endswith("[]"):
        return f"list<{tidemill_type(kind[:-2])}>"
    if kind.startswith("map "):
        return "map<{}, {}>".format(*map(tidemill_type, MAPS[kind[4:]]))
    if not kind.startswith("struct "):
        return kind
    fields = []
    for name, (kind_text, of) in STRUCTS[kind[7:]].items():
        fields.append(f"{name}: {tidemill_type(of) if 'struct' in of else kind_text}")
    return f"struct<{', '.join(fields)}>"


def sql_type(kind):
    if kind.endswith("[]"):
        return sql_type(kind[:-2]) + ("(12, 2)[]" if kind == "decimal[]" else "[]")
    if kind.startswith("map "):
        return "hstore"
    return kind[7:] + "_t" if kind.startswith("struct ") else SQL_TYPES[kind]


def copy_text(field):
    """A field in the text format of COPY."""
    if field is None:
        return "\\N"
    for raw, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        field = field.replace(raw, escape)
    return field


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def _composite_types():
    out = ""
    for name, fields in STRUCTS.items():
        columns = ", ".join(
            f"{field} {text if text.startswith('decimal(') else sql_type(kind)}"
            for field, (text, kind) in fields.items())
        out += f"create type {name}_t as ({columns});\n"
    return out


# What hstore has no function for. Its own order of keys is by length, Tidemill's by value.
_MAP_FUNCTIONS = """
create function keys_{0}(hstore) returns {1}[] language sql immutable strict as
$$ select array(select k::{1} from unnest(akeys($1)) as k order by 1) $$;
create function json_{0}(hstore) returns json language sql immutable strict as
$$ select ('{{' || coalesce(string_agg(to_json(key)::text || ':' ||
                                       coalesce(to_json(value::{2})::text, 'null'), ','
                                       order by key::{1}), '') || '}}')::json from each($1) $$;
"""
_MAP_VALUES = """
create function values_{0}(hstore) returns {2}[] language sql immutable strict as
$$ select array(select value::{2} from each($1) order by key::{1}) $$;
"""
_MAPS_OF_JSON = """
create function map_of(j json) returns hstore language sql immutable strict as
$$ select coalesce(hstore(array_agg(key), array_agg(value)), '') from json_each_text(j) $$;
create function map_h(j json) returns hstore language sql immutable strict as
$$ select coalesce(hstore(array_agg(key), array_agg(case json_typeof(value) when 'array' then
       array(select json_array_elements_text(value))::text end)), '') from json_each(j) $$;
create function map_o(j json) returns hstore language sql immutable strict as
$$ select coalesce(hstore(array_agg(key), array_agg(case json_typeof(value) when 'object' then
       json_populate_record(null::inner_t, value)::text end)), '') from json_each(j) $$;
create function list_of(j json) returns text[] language sql immutable strict as
$$ select array(select json_array_elements_text(j)) $$;
"""


def _from_json(name, kind):
    if kind.startswith("struct "):
        return f"json_populate_record(null::{sql_type(kind)}, {name})"
    if kind.startswith("map "):
        return f"map_{name if name in 'ho' else 'of'}({name})"
    return f"list_of({name})::{sql_type(kind)}"


def postgres_table(lines):
    """The script that makes the table t of rows in the text format of COPY."""
    out = "create extension hstore;\n" + _composite_types() + _MAPS_OF_JSON
    for name, (key, value) in MAPS.items():
        text = _MAP_FUNCTIONS + ("" if value.endswith("[]") else _MAP_VALUES)
        out += text.format(name, sql_type(key), sql_type(value))
    plain = ", ".join(f"{name} {SQL_TYPES[kind]}" for name, kind in COLUMNS)
    nested = ", ".join(f"{name} json" for name, _ in NESTED)
    made = ", ".join(f"{_from_json(name, kind)} as {name}" for name, kind in NESTED)
    copied = "".join(f"{number}\t{line}\n" for number, line in enumerate(lines))
    return (out + f"create table given(row_number int, {plain}, {nested});\n"
            f"copy given from stdin;\n{copied}\\.\n"
            f"create table t as select row_number, {', '.join(name for name, _ in COLUMNS)}, "
            f"{made} from given;\nalter table t add primary key (row_number);\nanalyze t;\n")
