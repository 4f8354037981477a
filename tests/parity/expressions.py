"""Rows of nasty values, and random well-typed expressions over them, as Tidemill and PostgreSQL
both read them. What PostgreSQL does not have, or has otherwise (docs/expressions.md, "Deviations"),
is not generated, or is written for it in its own way."""

import random

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
_STRINGS = ["", "a", "abc", "ABC def", "  padded  ", "it's", "ünïcödé ÄÖ", "日本語テキスト", "a,b,,c",
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


def rows(count=24):
    """As many rows, each value beside other ones."""
    lists = [_BOOLS, _INTS, _INTS[3:] + _INTS[:3], _LONGS, _DOUBLES, _DOUBLES[5:] + _DOUBLES[:5],
             _STRINGS, _STRINGS[7:] + _STRINGS[:7], _TIMES, _TIMES[4:] + _TIMES[:4], _DATES, _BYTES,
             _JSON, _INTERVALS, _DECIMALS, _DECIMALS[5:] + _DECIMALS[:5]]
    return [[values[r % len(values)] for values in lists] for r in range(count)]


def copy_text(field):
    """A field in the text format of COPY."""
    if field is None:
        return "\\N"
    for raw, escape in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        field = field.replace(raw, escape)
    return field


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


# What stands where only a literal may, or where most values would only fail.
_TIME_FIELDS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month",
                "quarter", "year", "decade", "century", "millennium", "isoyear", "dow", "isodow",
                "doy", "epoch"]
_TRUNCATED = _TIME_FIELDS[:13]
_OF_DATES = ["day", "week", "month", "quarter", "year", "decade", "century", "millennium",
             "isoyear", "dow", "isodow", "doy", "epoch"]
_OF_INTERVALS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "month",
                 "quarter", "year", "decade", "century", "millennium", "epoch"]
_ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
          "Pacific/Apia", "Africa/Monrovia"]
_REGEXES = ["^a", "b+", "[a-c]+$", "(a|b){2}", "a.*c", "\\d+", "^\\s*$", "x{2,3}y?", "[^a-z ]",
            "\\\\", "[[:alpha:]]_[[:alpha:]]", "^.{3}$", "", "(?i)ABC", "a|", "\\.", "[]a]", "a{,",
            "(?:ab|c)*", "[0-9-]", "e\\Z", "\\Aa", "日", "\\x61", "(", "a**", "[b-a]", "*a", "a{2,1}",
            "\\u00e9", "x*?y", "{", "a{1"]
_LIKES = ["%", "a%", "_b_", "%a%b%", "100\\%", "%\\\\%", "", "__", "%é", "日%", "%\\", "\\", "a\\"]
_PATHS = ["{a}", "{a,b}", "{a,c,1}", "{1,0}", "{}", "{-1,a}", "{a,0,b}", "{\"\"}", "{b}"]
_PATTERNS = {"~", "~*", "!~", "!~*"}
_LIKE_OPERATORS = {"~~": "like", "!~~": "not like", "~~*": "ilike", "!~~*": "not ilike"}

CHOICES = ["case", "case of", "coalesce", "nullif", "in", "not in", "between", "not between",
           "between symmetric", "is distinct from", "is not distinct from", "greatest", "least",
           "and", "or", "not", "comparison", "is null", "arithmetic", "negative", "cast"]


class Generator:
    """Pairs of texts: Tidemill's and PostgreSQL's. `counts` says how often each thing was used."""

    def __init__(self, seed, functions):
        self.random = random.Random(seed)
        self.functions = functions  # (name, argument types, result type, variadic)
        self.counts = {}
        self.comparable = [t for t in SQL_TYPES if t != "json"]

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def key(self, function):
        return f"{function[0]}({', '.join(function[1])})"

    # Leaves.

    def literal(self, kind):
        pick = self.random.choice
        # PostgreSQL makes null at once of a call with a null literal, errors beside it and all.
        if self.random.random() < 0.1 and kind != "json":
            return self.joined("nullif({0}, {0})", self.column(kind))
        if kind == "bool":
            return self.same(pick(["true", "false"]))
        if kind == "int32":
            return self.same(pick(["0", "1", "2", "3", "-1", "10", "2147483647"]))
        if kind == "int64":
            return self.same(f"cast({pick(['0', '5', '-7', '9223372036854775807'])} as int8)")
        values = {"double": ["1.5", "-0.25", "100", "0", "NaN", "1e300"], "string": _STRINGS[:10],
                  "timestamp": ["2018-04-01T00:00:31Z", "2020-02-29T12:00:00.5Z"],
                  "date": ["2018-04-01", "2020-02-29"], "bytes": ["\\x6162", "\\x"],
                  "json": ['{"a": [1, "x"]}', "[1, 2]"],
                  "decimal": ["1.50", "-0.25", "3", "0", "0.0", "42.195"],
                  "interval": ["1 day", "2 mons 3 days", "-01:30:00", "1 year 12:00:00.5"]}
        return self.same(f"cast({quoted(pick(values[kind]))} as {SQL_TYPES[kind]})")

    def column(self, kind):
        if kind == "interval":
            return self.same("cast(w as interval)")
        if kind == "local_timestamp":
            zone = self.random.choice(_ZONES)
            return self.same(f"timezone('{zone}', {self.random.choice(['t', 'v'])})")
        names = [name for name, of in COLUMNS if of == kind and name != "w"]
        return self.same(self.random.choice(names))

    @staticmethod
    def same(text):
        return text, text

    def leaf(self, kind, fixed):
        if not fixed and kind != "local_timestamp" and self.random.random() < 0.25:
            return self.literal(kind)
        return self.column(kind)

    # Expressions. `fixed`: a column must be in it, as PostgreSQL works out at once what depends on
    # literals alone, and fails for all rows.

    def expression(self, kind, depth, fixed=False):
        if depth <= 0 or self.random.random() < 0.15:
            return self.leaf(kind, fixed)
        if self.random.random() < 0.45:
            made = self.choice(self.random.choice(CHOICES), kind, depth)
            if made is not None:
                return made
        fitting = [f for f in self.functions if f[2] == kind]
        if not fitting:
            return self.leaf(kind, fixed)
        # The rarer of some, so that a few thousand expressions have all of them often enough.
        some = [self.random.choice(fitting) for _ in range(3)]
        return self.call(min(some, key=lambda f: self.counts.get(self.key(f), 0)), depth)

    def call(self, function, depth):
        """A call of just this function."""
        name, types, _, variadic = function
        self.count(self.key(function))
        kinds = list(types)
        if variadic:
            kinds += [kinds[-1]] * self.random.randrange(3)
        args = [self.argument(function, at, kind, depth) for at, kind in enumerate(kinds)]
        return tuple(self.written(name, kinds, [arg[side] for arg in args], side)
                     for side in (0, 1))

    def argument(self, function, at, kind, depth):
        name, types = function[0], function[1]
        pick = self.random.choice
        if name in ("extract", "date_part", "date_trunc") and at == 0:
            fields = {"extract": _TIME_FIELDS, "date_part": _TIME_FIELDS, "date_trunc": _TRUNCATED}
            allowed = fields[name]
            if types[1] == "interval":
                allowed = [f for f in allowed if f in _OF_INTERVALS]
            elif types[1] == "date":
                allowed = _OF_DATES
            field = pick(allowed)
            return self.same(field if name == "extract" else quoted(field))
        if (name == "timezone" and at == 0) or (name == "date_trunc" and at == 2):
            return self.same(quoted(pick(_ZONES)))
        if name in _PATTERNS and at == 1:
            return self.same(quoted(pick(_REGEXES[:24])))
        if name in _LIKE_OPERATORS and at == 1 and self.random.random() < 0.7:
            return self.same(quoted(pick(_LIKES)))
        if name == "like_escape" and at == 1 or name == "similar_to_escape" and at == 1:
            return self.same(quoted(pick(["#", "\\", "", "é"])))
        if name in ("#>", "#>>") and at == 1:
            return self.same(quoted(pick(_PATHS)))
        if name in ("->", "->>") and at == 1 and self.random.random() < 0.6:
            return self.same(pick(["'a'", "'b'", "''"]) if kind == "string" else
                             pick(["0", "1", "-1", "5"]))
        if name in ("repeat", "lpad", "rpad") and at == 1:
            return self.same(pick(["i % 40", "3", "-1", "0", "20", "(j % 7) + 2"]))
        if name in ("round", "trunc") and at == 1:
            return self.same(pick(["0", "1", "2", "-2", "i % 5", "7"]))
        if name in ("make_date", "make_timestamp", "make_timestamptz") and self.random.random() < 0.7:
            # One of them with a column, as PostgreSQL works out literals at once.
            return self.same(pick([["2018 + i % 2", "i", "j % 4 + 2020"], ["2", "j % 12 + 1", "12"],
                                   ["29", "1", "i % 28 + 1"], ["0", "23", "j"], ["59", "i", "0"],
                                   ["59.999999", "0", "x", "60"]][at]
                                  if at < 5 else ["cast(59.5 as float8)", "x"]))
        return self.expression(kind, depth - 1, fixed=at == 0)

    def written(self, name, kinds, args, side):
        if name == "extract":
            text = f"extract({args[0]} from {args[1]})"
            return f"cast({text} as float8)" if side == 1 else text
        if name in ("round", "trunc") and kinds == ["double", "int32"] and side == 1:
            return f"cast({name}(cast({args[0]} as numeric), {args[1]}) as float8)"
        if name == "to_timestamp" and side == 1:
            return f"finite_timestamp({args[0]})"
        if name in _LIKE_OPERATORS:
            return f"({args[0]} {_LIKE_OPERATORS[name]} {args[1]})"
        if not any(c.isalpha() for c in name):
            return f"(-{args[0]})" if len(args) == 1 else f"({args[0]} {name} {args[1]})"
        return f"{name}({', '.join(args)})"

    def joined(self, template, *args):
        return tuple(template.format(*(arg[side] for arg in args)) for side in (0, 1))

    def choice(self, what, kind, depth):
        """A form with a syntax of its own, if it has values of that type."""
        of = self.random.choice(self.comparable)
        less = depth - 1

        def some(of_kind, fixed=False):
            return self.expression(of_kind, less, fixed)

        values = {"case": lambda: self.joined("case when {} then {} when {} then {} else {} end",
                                              some("bool", True), some(kind), some("bool"),
                                              some(kind), some(kind)),
                  "case of": lambda: self.joined("case {} when {} then {} else {} end", some(of, True),
                                                 some(of), some(kind), some(kind)),
                  "coalesce": lambda: self.joined("coalesce({}, {}, {})", some(kind, True),
                                                  some(kind), some(kind))}
        ordered = {"nullif": lambda: self.joined("nullif({}, {})", some(kind, True), some(kind)),
                   "greatest": lambda: self.joined("greatest({}, {}, {})", some(kind, True),
                                                   some(kind), some(kind)),
                   "least": lambda: self.joined("least({}, {})", some(kind, True), some(kind))}
        tests = {"in": lambda: self.joined("({} in ({}, {}, {}))", some(of, True), self.literal(of),
                                           some(of), self.literal(of)),
                 "not in": lambda: self.joined("({} not in ({}, {}))", some(of, True),
                                               self.literal(of), some(of)),
                 "between": lambda: self.joined("({} between {} and {})", some(of, True), some(of),
                                                some(of)),
                 "not between": lambda: self.joined("({} not between {} and {})", some(of, True),
                                                    some(of), some(of)),
                 "between symmetric": lambda: self.joined("({} between symmetric {} and {})",
                                                          some(of, True), some(of), some(of)),
                 "is distinct from": lambda: self.joined("({} is distinct from {})", some(of, True),
                                                         some(of)),
                 "is not distinct from": lambda: self.joined("({} is not distinct from {})",
                                                             some(of, True), some(of)),
                 "and": lambda: self.joined("({} and {})", some("bool", True), some("bool", True)),
                 "or": lambda: self.joined("({} or {})", some("bool", True), some("bool", True)),
                 "not": lambda: self.joined("(not {})", some("bool", True)),
                 "comparison": lambda: self.joined(
                     "({} " + self.random.choice(["=", "<>", "<", "<=", ">", ">="]) + " {})",
                     some(of, True), some(of)),
                 "is null": lambda: self.joined("({} is null)", some(of, True))}
        # Products and quotients get more and more digits: these are kept in bounds.
        bounded = self.random.choice(["({} + {})", "({} - {})", "({} % {})",
                                      "mod(round(({} * {}), 5), 99999.5)",
                                      "mod(round(({} / {}), 5), 99999.5)"])
        if kind == "decimal":
            numeric = {"arithmetic": lambda: self.joined(bounded, some(kind, True), some(kind)),
                       "negative": lambda: self.joined("(- {})", some(kind, True))}
        else:
            numeric = {"arithmetic": lambda: self.joined(
                "({} " + self.random.choice("+-*/" if kind == "double" else "+-*/%") + " {})",
                some(kind, True), some(kind)),
                       "negative": lambda: self.joined("(- {})", some(kind, True))}
        forms = dict(values)
        if kind in self.comparable:
            forms.update(ordered)
        if kind == "bool":
            forms.update(tests)
        if kind in ("int32", "int64", "double", "decimal"):
            forms.update(numeric)
        sources = {"bool": ["int32"], "int32": ["int64", "double", "bool", "string", "decimal"],
                   "int64": ["int32", "double", "string", "decimal"],
                   "double": ["int64", "int32", "string", "decimal"],
                   "decimal": ["int32", "string"],
                   "string": ["int32", "int64", "double", "bool", "date", "json", "bytes",
                              "interval", "decimal"],
                   "date": ["timestamp"], "timestamp": ["date"], "bytes": [], "json": []}
        if sources.get(kind):
            source = self.random.choice(sources[kind])
            forms["cast"] = lambda: self.joined("cast({} as " + SQL_TYPES[kind] + ")",
                                                some(source, True))
        if kind == "local_timestamp" or what not in forms:
            return None
        self.count(what)
        return forms[what]()


def generate(seed, functions, count, least):
    """`count` expressions, in which everything occurs at least `least` times."""
    generator = Generator(seed, functions)
    out = []
    wanted = [("call", f) for f in functions] + [("choice", c) for c in CHOICES]
    kinds = [kind for kind in SQL_TYPES]
    # Whatever is rarest is put at the top of the next one.
    while len(out) < count:
        def uses(each):
            name = generator.key(each[1]) if each[0] == "call" else each[1]
            return generator.counts.get(name, 0)
        how, what = min(wanted, key=uses)
        depth = generator.random.randrange(2, 5)
        made = None
        if uses((how, what)) < least and how == "call":
            made, kind = generator.call(what, depth), what[2]
        elif uses((how, what)) < least:
            kind = generator.random.choice(kinds)
            made = generator.choice(what, kind, depth)
        if made is None:
            kind = generator.random.choice(kinds)
            made = generator.expression(kind, depth, fixed=True)
        if kind in ("interval", "local_timestamp"):
            made = generator.joined("cast({} as text)", made)
        if len(made[0]) <= 4000 and "\n" not in made[0]:
            out.append(made)
    return out, generator.counts
