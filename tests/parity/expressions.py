"""Random well-typed expressions, as both Tidemill and PostgreSQL read them. What PostgreSQL does
not have, or has otherwise (docs/expressions.md, "Deviations"), is not generated, or is written for
it in its own way."""

import random

import expressions_nested
from expressions_forms import CHOICES, Forms, ZONES
from expressions_nested import Nested, WHOLE
from expressions_values import COLUMNS, SQL_TYPES, STRINGS, quoted

# What stands where only a literal may, or where most values would only fail.
_TIME_FIELDS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "week", "month",
                "quarter", "year", "decade", "century", "millennium", "isoyear", "dow", "isodow",
                "doy", "epoch"]
_TRUNCATED = _TIME_FIELDS[:13]
_OF_DATES = ["day", "week", "month", "quarter", "year", "decade", "century", "millennium",
             "isoyear", "dow", "isodow", "doy", "epoch"]
_OF_INTERVALS = ["microseconds", "milliseconds", "second", "minute", "hour", "day", "month",
                 "quarter", "year", "decade", "century", "millennium", "epoch"]
_REGEXES = ["^a", "b+", "[a-c]+$", "(a|b){2}", "a.*c", "\\d+", "^\\s*$", "x{2,3}y?", "[^a-z ]",
            "\\\\", "[[:alpha:]]_[[:alpha:]]", "^.{3}$", "", "(?i)ABC", "a|", "\\.", "[]a]", "a{,",
            "(?:ab|c)*", "[0-9-]", "e\\Z", "\\Aa", "日", "\\x61", "(", "a**", "[b-a]", "*a", "a{2,1}",
            "\\u00e9", "x*?y", "{", "a{1"]
_LIKES = ["%", "a%", "_b_", "%a%b%", "100\\%", "%\\\\%", "", "__", "%é", "日%", "%\\", "\\", "a\\"]
_PATHS = ["{a}", "{a,b}", "{a,c,1}", "{1,0}", "{}", "{-1,a}", "{a,0,b}", "{\"\"}", "{b}"]
_PATTERNS = {"~", "~*", "!~", "!~*"}
_LIKE_OPERATORS = {"~~": "like", "!~~": "not like", "~~*": "ilike", "!~~*": "not ilike"}


class Generator(Forms, Nested):
    """Pairs of texts: Tidemill's and PostgreSQL's. `counts` says how often each thing was used."""

    def __init__(self, seed, functions):
        self.random = random.Random(seed)
        # (signature, name, argument types, result type, variadic), but those of Nested
        self.functions = [f for f in functions
                          if not {"any", "list", "struct", "map"} & {*f[2], f[3]}]
        self.counts = {}  # in what is generated
        self.uses = {}    # in what is being made
        self.comparable = [t for t in SQL_TYPES if t != "json"]
        self.equal = expressions_nested.EQUAL

    def count(self, what):
        self.uses[what] = self.uses.get(what, 0) + 1

    def count_of(self, what):
        return self.counts.get(what, 0) + self.uses.get(what, 0)

    def keep(self):
        """What was made counts."""
        for what, uses in self.uses.items():
            self.counts[what] = self.counts.get(what, 0) + uses
        self.uses = {}

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
        values = {"double": ["1.5", "-0.25", "100", "0", "NaN", "1e300"], "string": STRINGS[:10],
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
            zone = self.random.choice(ZONES)
            return self.same(f"timezone('{zone}', {self.random.choice(['t', 'v'])})")
        names = [name for name, of in COLUMNS if of == kind and name != "w"]
        return self.same(self.random.choice(names))

    @staticmethod
    def same(text):
        return text, text

    def leaf(self, kind, fixed):
        if kind in WHOLE:
            return self.nested_leaf(kind)
        if not fixed and kind != "local_timestamp" and self.random.random() < 0.25:
            return self.literal(kind)
        return self.column(kind)

    # Expressions. `fixed`: a column must be in it, as PostgreSQL works out at once what depends on
    # literals alone, and fails for all rows.

    def expression(self, kind, depth, fixed=False):
        if depth <= 0 or self.random.random() < 0.1:
            return self.leaf(kind, fixed)
        fitting = [f for f in self.functions if f[3] == kind]
        ways = [(3, self.forms(kind, depth), self.choice),
                (1, self.nested_forms(kind, depth), self.nested_call),
                (4, {f[0]: f for f in fitting}, lambda name, *_: self.call(
                    next(f for f in fitting if f[0] == name), depth))]
        ways = [way for way in ways if way[1]]
        _, names, make = self.random.choices(ways, [3 if kind in WHOLE else way[0]
                                                    for way in ways])[0]
        # The rarer of some, so that a few thousand expressions have all of them often enough.
        some = [self.random.choice(list(names)) for _ in range(4)]
        return make(min(some, key=self.count_of), kind, depth)

    def call(self, function, depth):
        """A call of just this function."""
        signature, name, types, _, variadic = function
        self.count(signature)
        kinds = list(types)
        if variadic:
            kinds += [kinds[-1]] * self.random.randrange(3)
        args = [self.argument(function, at, kind, depth) for at, kind in enumerate(kinds)]
        return tuple(self.written(name, kinds, [arg[side] for arg in args], side)
                     for side in (0, 1))

    def argument(self, function, at, kind, depth):
        name, types = function[1], function[2]
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
            return self.same(quoted(pick(ZONES)))
        if name in _PATTERNS and at == 1:
            return self.same(quoted(pick(_REGEXES[:24])))
        if name in _LIKE_OPERATORS and at == 1 and self.random.random() < 0.7:
            return self.same(quoted(pick(_LIKES)))
        if name in ("like_escape", "similar_to_escape") and at == 1:
            return self.same(quoted(pick(["#", "\\", "", "é" if name == "like_escape" else "a"])))
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

    def wanted(self):
        """All that is to occur, by name, and what makes one of a kind."""
        out = {f[0]: (lambda kind, depth, f=f: self.call(f, depth), [f[3]])
               for f in self.functions}
        kinds = [*SQL_TYPES, "local_timestamp"]
        for what in CHOICES:
            out[what] = (lambda kind, depth, what=what: self.choice(what, kind, depth),
                         [kind for kind in kinds if what in self.forms(kind, 1)])
        for kind in kinds + WHOLE:
            for what in self.nested_forms(kind, 1):
                make = lambda kind, depth, what=what: self.nested_call(what, kind, depth)
                out.setdefault(what, (make, []))[1].append(kind)
        return out

    def one(self, wanted, least):
        """An expression with what is rarest so far at its top, or any if `least` is 0."""
        rarest = min(wanted, key=self.count_of)
        depth = self.random.randrange(2, 6)
        made = None
        if self.count_of(rarest) < least:
            make, kinds = wanted[rarest]
            kind = self.random.choice(kinds)
            made = make(kind, depth)
        if made is None:
            kind = self.random.choice(list(SQL_TYPES))
            made = self.expression(kind, depth, fixed=True)
        if kind in WHOLE:
            return self.printed(kind, made)
        if kind in ("interval", "local_timestamp"):
            return self.joined("cast({} as text)", made)
        return made


def generate(seed, functions, count, least):
    """`count` expressions, in which everything occurs `least` times or more, and how often."""
    generator = Generator(seed, functions)
    wanted = generator.wanted()
    out = {}
    tries = 0
    while len(out) < count:
        # There is one expression with pi() at its top.
        tries += 1
        made = generator.one(wanted, least if tries < 4 else 0)
        if len(made[0].encode()) <= 4000 and "\n" not in made[0] and made[0] not in out:
            out[made[0]] = made
            generator.keep()
            tries = 0
        generator.uses = {}
    return list(out.values()), {what: generator.counts.get(what, 0) for what in wanted}
