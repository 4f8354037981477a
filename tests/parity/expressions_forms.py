"""Operators and forms with a syntax of their own: what docs/expressions.md lists beside
functions."""

from expressions_values import SQL_TYPES, quoted

COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
NUMERIC = ["int32", "int64", "double", "decimal"]
ARITHMETIC = [f"{kind} {sign}" for kind in NUMERIC for sign in "+-*/%"
              if (kind, sign) != ("double", "%")]
NEGATIVE = [f"- {kind}" for kind in NUMERIC]
TRUTHS = [f"is {no}{truth}" for no in ("", "not ") for truth in ("true", "false", "unknown")]
# What becomes what by a cast.
SOURCES = {"bool": ["int32", "string"], "int32": ["int64", "double", "bool", "string", "decimal"],
           "int64": ["int32", "double", "string", "decimal"],
           "double": ["int64", "int32", "string", "decimal"], "decimal": ["int32", "string"],
           "string": ["int32", "int64", "double", "bool", "date", "json", "bytes", "interval",
                      "decimal"],
           "date": ["timestamp"], "timestamp": ["date"], "bytes": ["string"], "json": ["string"]}
CASTS = [f"cast({source} as {kind})" for kind, sources in SOURCES.items() for source in sources]
_TRIMS = {"trim(s)": "trim({0})", "trim(set from s)": "trim({1} from {0})",
          "trim(both set from s)": "trim(both {1} from {0})",
          "trim(leading set from s)": "trim(leading {1} from {0})",
          "trim(trailing set from s)": "trim(trailing {1} from {0})"}
_SIMILAR = ["%(b|d)%", "a_c", "[a-c]+", "%[[:digit:]_%]", "[]a-c]%", "[^]a]*", "_{2,3}", "a%|%b",
            "%", "", "(a|b)*c?", "100\\%", "%.%", "[^a-z]%", "%日%"]
_INTERVALS = ["1 day 2 hours", "1 mon ago", "12:30", "P1DT2H", "-3 days 04:05:06.789", "1.5 weeks"]
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
         "Pacific/Apia", "Africa/Monrovia"]
CHOICES = ["case", "case of", "coalesce", "nullif", "in", "not in", "between", "not between",
           "between symmetric", "not between symmetric", "is distinct from",
           "is not distinct from", "greatest", "least", "and", "or", "not", "is null",
           "is not null", "like escape", "not like escape", "similar to", "not similar to",
           "similar to escape",
           "substring(s from i)", "substring(s from i for n)", "position(part in s)",
           "at time zone", "interval", "x::t", "try", *COMPARISONS, *ARITHMETIC, *NEGATIVE, *TRUTHS,
           *CASTS, *_TRIMS]

# The rows of "Operators and forms" in docs/expressions.md, and what counts as one of them.
_TESTED = [f"any {sign} {word}(list)" for word in ("any", "all") for sign in COMPARISONS]
DOCUMENTED = {
    "`+ - * / %`, `= <> < <= > >=`, `and or not`":
        [*ARITHMETIC, *NEGATIVE, *COMPARISONS, "and", "or", "not"],
    "`is [not] null`, `true`, `false`, `unknown`": ["is null", "is not null", *TRUTHS],
    "`is [not] distinct from`": ["is distinct from", "is not distinct from"],
    "`case when c then x ... else y end`, `case x when v then y ... end`": ["case", "case of"],
    "`coalesce(x, ...)`, `nullif(x, y)`, `greatest(x, ...)`, `least(x, ...)`":
        ["coalesce", "nullif", "greatest", "least"],
    "`x [not] in (v, ...)`, `x [not] between [symmetric] a and b`":
        ["in", "not in", "between", "not between", "between symmetric", "not between symmetric"],
    "`s [not] like p [escape e]`, `ilike`, `similar to`, `s ~ r`, `~*`, `!~`, `!~*`":
        ["string ~~ string", "string !~~ string", "like escape", "not like escape",
         "string ~~* string", "string !~~* string", "similar to", "not similar to",
         "similar to escape", "string ~ string", "string ~* string", "string !~ string",
         "string !~* string"],
    "`t at time zone 'Europe/Berlin'`": ["at time zone"],
    "`interval '1 day 2 hours'`, `'1 mon ago'`, `'12:30'`, `'P1DT2H'`": ["interval"],
    "`payload -> 'items' -> 0 ->> 'price'`, `payload #>> '{items,0,price}'`":
        ["json -> string", "json -> int32", "json ->> string", "json #>> string"],
    "`tags[1]`, `grid[1][2]`": ["list [] int32", "grid[1][2]"],
    "`(payload).amount`, `payload.amount`, `payload.items[1].price`":
        ["struct . string", "payload.amount", "payload.items[1].price"],
    "`counts -> 'key'`, `counts ? 'key'`": ["map -> any", "map ? any"],
    "`array[x, ...]`, `cast(array[x, ...] as double[])`":
        ["array(any, ...)", "cast(array[x, ...] as t[])"],
    "`x = any(tags)`, `x <> all(tags)`": _TESTED,
    "`tags @> array['a']`, `tags && more`, `tags \\|\\| more`":
        ["list @> list", "list && list", "list || list"],
    "`cast(payload as json)`, `to_json(tags)`, `tags::string`":
        [text.format(of) for of in ("list", "struct", "map")
         for text in ("cast({} as json)", "to_json({})", "cast({} as string)")],
    "`try(x)`": ["try"],
}


class Forms:
    """Of a Generator."""

    def forms(self, kind, depth):
        """What makes a value of that kind, by name."""
        out = dict(self.conditionals(kind, depth))
        if kind in self.comparable:
            out.update(self.ordered(kind, depth))
        if kind == "bool":
            out.update(self.tests(depth))
            out.update(self.orders(depth))
        if kind in NUMERIC:
            out.update(self.arithmetic(kind, depth))
        if kind == "string":
            out.update(self.texts(depth))
        if kind == "int32":
            out["position(part in s)"] = lambda: self.joined(
                "position({1} in {0})", self.expression("string", depth - 1, True),
                self.expression("string", depth - 1))
        if kind in ("timestamp", "local_timestamp"):
            out["at time zone"] = lambda: self.in_zone(kind, depth)
        if kind == "interval":
            out["interval"] = lambda: self.joined(
                "({} + interval " + quoted(self.random.choice(_INTERVALS)) + ")",
                self.expression("interval", depth - 1, True))
        for source in SOURCES.get(kind, []):
            out[f"cast({source} as {kind})"] = lambda source=source: self.cast(
                "cast({} as {})", source, kind, depth)
        if kind in SOURCES:
            out["x::t"] = lambda: self.cast("({})::{}", self.random.choice(SOURCES[kind]), kind,
                                            depth)
        return out

    def choice(self, what, kind, depth):
        """This form, if it has values of that kind."""
        forms = self.forms(kind, depth)
        if what not in forms:
            return None
        self.count(what)
        return forms[what]()

    def cast(self, template, source, kind, depth):
        made = self.expression(source, depth - 1, True)
        if (source, kind) == ("string", "decimal"):  # 1e-300 has more than 38 digits
            made = self.same(self.random.choice(["s", "trim(u)", "left(s, i % 5)", "(c || '1')",
                                                 "replace(u, 'a', '1')", "right(u, 3)"]))
        return self.joined(template.replace("as {}", "as " + SQL_TYPES[kind])
                           .replace("::{}", "::" + SQL_TYPES[kind]), made)

    def conditionals(self, kind, depth):
        def some(of, fixed=False):
            return self.expression(of, depth - 1, fixed)

        def case_of():
            of = self.compared()
            return self.joined("case {} when {} then {} else {} end", some(of, True), some(of),
                               some(kind), some(kind))
        out = {"case": lambda: self.joined("case when {} then {} when {} then {} else {} end",
                                           some("bool", True), some(kind), some("bool"),
                                           some(kind), some(kind)),
               "case of": case_of,
               "coalesce": lambda: self.joined("coalesce({}, {}, {})", some(kind, True),
                                               some(kind), some(kind))}
        if kind in self.comparable + self.equal:
            out["nullif"] = lambda: self.joined("nullif({}, {})", some(kind, True), some(kind))
        if kind in SQL_TYPES:
            out["try"] = lambda: self.tried(kind, some(kind, True))
        return out

    def tried(self, kind, made):
        """PostgreSQL has no try: a function evaluates the text."""
        return f"try({made[0]})", f"try_{kind}({quoted(made[1])}, row_number)"

    def ordered(self, kind, depth):
        def some(fixed=False):
            return self.expression(kind, depth - 1, fixed)
        return {"greatest": lambda: self.joined("greatest({}, {}, {})", some(True), some(), some()),
                "least": lambda: self.joined("least({}, {})", some(True), some())}

    def compared(self):
        """A kind whose values can be equal."""
        return self.random.choice(self.equal if self.random.random() < 0.2 else self.comparable)

    def tests(self, depth):
        def some(of="bool", fixed=True):
            return self.expression(of, depth - 1, fixed)

        def of_one(template, literals=()):
            """All of one kind; some may be literals only."""
            of = self.compared()
            return self.joined(template, *[
                self.literal(of) if at in literals and of in self.comparable else some(of, at == 0)
                for at in range(template.count("{}"))])

        def null(no):
            of = self.random.choice(self.comparable + self.equal + ["json"])
            made = some(of)
            ours = f"({made[0]} is {no}null)"
            # PostgreSQL asks whether all fields are null.
            asked = {"": "is not distinct from null", "not ": "is distinct from null"}[no]
            theirs = asked if of.startswith("struct ") else f"is {no}null"
            return ours, f"({made[1]} {theirs})"
        # One literal behind what fails: PostgreSQL gets to it later.
        out = {"in": lambda: of_one("({} in ({}, {}, {}))", (1, 2)),
               "not in": lambda: of_one("({} not in ({}, {}))", (1,)),
               "is distinct from": lambda: of_one("({} is distinct from {})"),
               "is not distinct from": lambda: of_one("({} is not distinct from {})"),
               "=": lambda: of_one("({} = {})"), "<>": lambda: of_one("({} <> {})"),
               "is null": lambda: null(""), "is not null": lambda: null("not "),
               "and": lambda: self.joined("({} and {})", some(), some()),
               "or": lambda: self.joined("({} or {})", some(), some()),
               "not": lambda: self.joined("(not {})", some())}
        for truth in TRUTHS:
            out[truth] = lambda truth=truth: self.joined("({} " + truth + ")", some())
        out.update(self.patterns(lambda: some("string")))
        return out

    def orders(self, depth):
        def of_one(template):
            of = self.random.choice(self.comparable)
            return self.joined(template, *[self.expression(of, depth - 1, at == 0)
                                           for at in range(template.count("{}"))])
        out = {name: lambda name=name: of_one("({} " + name + " {} and {})")
               for name in ("between", "not between", "between symmetric", "not between symmetric")}
        for sign in COMPARISONS[2:]:
            out[sign] = lambda sign=sign: of_one("({} " + sign + " {})")
        return out

    def patterns(self, text):
        def matched(how, patterns, escape=""):
            pattern = self.same(quoted(self.random.choice(patterns)))
            return self.joined("({} " + how + " {}" + escape + ")", text(), pattern)
        escaped = ["100#%", "%#_%", "a%", "##%", "%é#%", "#", "_#", "a#bc", "\\%"]
        return {"like escape": lambda: matched(self.random.choice(["like", "ilike"]), escaped,
                                               " escape '#'"),
                "not like escape": lambda: matched(
                    self.random.choice(["not like", "not ilike"]), escaped, " escape '#'"),
                "similar to": lambda: matched("similar to", _SIMILAR),
                "not similar to": lambda: matched("not similar to", _SIMILAR),
                "similar to escape": lambda: matched(
                    self.random.choice(["similar to", "not similar to"]),
                    ["100#%", "%#_%", "a%", "%[#%_]%", "[]#]]%", "(a|#|)+"], " escape '#'")}

    def arithmetic(self, kind, depth):
        def some(fixed=False):
            return self.expression(kind, depth - 1, fixed)
        out = {f"- {kind}": lambda: self.joined("(- {})", some(True))}
        for sign in "+-*/%":
            # Products and quotients of decimals get more and more digits: these are kept in bounds.
            template = ("mod(round(({} " + sign + " {}), 5), 99999.5)"
                        if kind == "decimal" and sign in "*/" else "({} " + sign + " {})")
            if f"{kind} {sign}" in ARITHMETIC:
                out[f"{kind} {sign}"] = lambda template=template: self.joined(template, some(True),
                                                                             some())
        return out

    def texts(self, depth):
        def text(fixed=False):
            return self.expression("string", depth - 1, fixed)

        def number():
            return self.same(self.random.choice(["0", "1", "3", "-1", "i", "j", "i % 5"]))
        out = {"substring(s from i)": lambda: self.joined("substring({} from {})", text(True),
                                                          number()),
               "substring(s from i for n)": lambda: self.joined("substring({} from {} for {})",
                                                                text(True), number(), number())}
        for name, template in _TRIMS.items():
            out[name] = lambda template=template: self.joined(template, text(True), text())
        return out

    def in_zone(self, kind, depth):
        source = "local_timestamp" if kind == "timestamp" else "timestamp"
        return self.joined("({} at time zone " + quoted(self.random.choice(ZONES)) + ")",
                           self.expression(source, depth - 1, True))
