"""Expressions over lists, as Tidemill and PostgreSQL both read them: each function and operator at
least `LEAST` times, over lists that are made of columns. Lists are compared as JSON. PostgreSQL has no
maps, and its structs need types of their own: those are in tests/unit/expr/nested_test.cc."""

import random

# Lists of one type of elements, and elements. -0 and NaN are the one zero and the one NaN in a list.
LISTS = {
    "int32": (["array[i, j, 3]", "array[i]", "array[i, null, j]", "cast(array[] as int[])",
               "array[1, 2, i % 3]", "cast(null as int[])", "array[j, j]",
               "case when b then array[i, 2] end"],
              ["i", "j", "2", "i % 3", "null", "cast(null as int)", "-13"]),
    "int64": (["array[n, 0]", "array[n, n]", "cast(array[i, j] as bigint[])", "cast(array[] as int8[])",
               "array[n, cast(null as bigint)]"],
              ["n", "cast(5 as bigint)", "i", "null"]),
    "double": (["array[abs(x), 1.5::float8]", "array[nullif(y, 0), abs(x)]", "cast(array[i, 2] as float8[])",
                "cast(array[] as double precision[])"],
               ["abs(x)", "1.5::float8", "i", "null", "nullif(y, 0)"]),
    "bool": (["array[b, true]", "array[i > 1, b]", "cast(array[] as bool[])"], ["b", "true", "i > 0", "null"]),
    "string": (["array[s, u]", "string_to_array(s, ',')", "string_to_array(s, null)", "array['a', s, null]",
                "string_to_array(u, 'a')", "cast(array[] as text[])", "string_to_array(s, ',', '')",
                "array_remove(string_to_array(s, 'x'), u)"],
               ["s", "u", "'a'", "'abc'", "null", "''", "substring(s from 1 for 1)"]),
    "date": (["array[d, '2018-04-01'::date]", "array[d, t::date]", "array[d, null]"],
             ["d", "'1970-01-01'::date", "null", "t::date"]),
}
TESTS = ["=", "<>", "<", "<=", ">", ">="]
LEAST = 20


class Lists:
    """Pairs of texts, which are the same."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def kind(self):
        return self.random.choice(list(LISTS))

    def of(self, kind):
        return self.random.choice(LISTS[kind][0])

    def element(self, kind, null=True):
        return self.random.choice([e for e in LISTS[kind][1] if null or e != "null"])

    def shown(self, text):
        """Of a list its JSON, which PostgreSQL gives of the same list."""
        return f"cast(to_json({text}) as text)"

    def text(self, what):
        kind = self.kind()
        one, two = self.of(kind), self.of(kind)
        element = self.element(kind)
        index = self.random.choice(["1", "2", "3", "0", "-1", "i", "cardinality(" + one + ")"])
        forms = {
            "array": lambda: self.shown(one),
            "subscript": lambda: f"({one})[{index}]",
            "cardinality": lambda: f"cardinality({one})",
            "array_length": lambda: f"array_length({one}, {self.random.choice(['1', '1', '2', 'i'])})",
            "array_position": lambda: f"array_position({one}, {element})",
            "@>": lambda: f"({one}) @> ({two})",
            "<@": lambda: f"({one}) <@ ({two})",
            "&&": lambda: f"({one}) && ({two})",
            "|| list": lambda: self.shown(f"({one}) || ({two})"),
            "|| element": lambda: self.shown(f"({one}) || ({self.element('int32', False)})")
            if kind == "int32" else self.shown(f"({self.of('int32')}) || i"),
            "element ||": lambda: self.shown(f"n || ({self.of('int64')})"),
            "array_cat": lambda: self.shown(f"array_cat({one}, {two})"),
            "array_append": lambda: self.shown(f"array_append({one}, {element})"),
            "array_prepend": lambda: self.shown(f"array_prepend({element}, {one})"),
            "array_remove": lambda: self.shown(f"array_remove({one}, {element})"),
            "array_to_string": lambda: f"array_to_string({one}, {self.random.choice(['s', quoted(',')])})",
            "array_to_string with nulls": lambda: f"array_to_string({one}, ',', "
                                                  f"{self.random.choice(['u', quoted('?')])})",
            "string_to_array": lambda: self.shown(
                f"string_to_array(s, {self.random.choice(['u', quoted('a'), quoted(''), 'null'])})"),
            "string_to_array with nulls": lambda: self.shown(
                f"string_to_array(s, {self.random.choice(['u', quoted(',')])}, "
                f"{self.random.choice(['u', quoted('a'), quoted('')])})"),
            "= lists": lambda: f"({one}) {self.random.choice(['=', '<>'])} ({two})",
            "is distinct from": lambda: f"({one}) is distinct from ({two})",
            "coalesce": lambda: self.shown(f"coalesce({one}, {two})"),
            "case": lambda: self.shown(f"case when b then {one} else {two} end"),
            "nullif": lambda: self.shown(f"nullif({one}, {two})"),
        }
        for test in TESTS:
            for of in ("any", "all"):
                forms[f"{test} {of}"] = lambda test=test, of=of: f"({element}) {test} {of} ({one})"
        if what is None:
            return list(forms)
        return forms[what]()


def quoted(text):
    return "'" + text + "'"


def generate(seed):
    """Each form `LEAST` times, in as many different expressions as there are."""
    lists = Lists(seed)
    out = []
    for what in lists.text(None):
        made = set()
        tries = 0
        while len(made) < LEAST and tries < 50 * LEAST:
            made.add(lists.text(what))
            tries += 1
        out += [(text, text) for text in sorted(made)]
    return out
