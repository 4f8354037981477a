"""Random expressions over lists, structs and maps: lists are PostgreSQL's arrays of one dimension,
structs its composite types, maps its hstore. As a whole they are compared as JSON."""

from expressions_forms import COMPARISONS
from expressions_values import MAPS, NESTED, STRUCTS, quoted, sql_type, tidemill_type

# What lists are of. Timestamps have another JSON in PostgreSQL: of lists of them it is an element,
# or whether it is there, that is compared.
COMPARED = ["int32", "int64", "double", "bool", "string", "date", "bytes", "decimal", "timestamp"]
_STRUCTURES = ["struct inner", "struct item"]
ELEMENTS = COMPARED + ["json"] + _STRUCTURES
# What array_to_string() writes as PostgreSQL does.
_WRITTEN = [kind for kind in COMPARED if kind != "timestamp"]
LISTS = [f"{kind}[]" for kind in ELEMENTS]
MAP_KINDS = [f"map {name}" for name in MAPS]
STRUCT_KINDS = [f"struct {name}" for name in STRUCTS]
WHOLE = LISTS + STRUCT_KINDS + MAP_KINDS
# Kinds with an equality.
EQUAL = [kind for kind in WHOLE if kind != "json[]"]
_TESTED = {f"any {sign} {word}(list)": (sign, word) for sign in COMPARISONS
           for word in ("any", "all")}


class Nested:
    """Of a Generator."""

    def nested_leaf(self, kind):
        names = [name for name, of in NESTED if of == kind]
        if names and (not kind.endswith("[]") or self.random.random() < 0.4):
            return self.same(self.random.choice(names))
        if kind.endswith("[]"):
            return self.array(kind[:-2], 0)
        return self.same({"struct inner": "(q).o", "struct item": "(r).items[1]"}[kind])

    def nested_forms(self, kind, depth):
        """What makes a value of that kind from lists, structs or maps, by name."""
        out = {}
        if kind.endswith("[]"):
            out.update(self.lists(kind[:-2], depth))
        if kind in ELEMENTS:
            out["list [] int32"] = lambda: self.joined(
                "({})[{}]", self.expression(kind + "[]", depth - 1, True), self.index())
        if kind in _WRITTEN:
            out["grid[1][2]"] = lambda: self.grid(kind)
        out.update(self.fields(kind, depth))
        for name, (_, value) in MAPS.items():
            if value == kind:
                out["map -> any"] = lambda name=name: self.map_value(name, depth)
        if kind == "bool":
            out.update(self.truths(depth))
        if kind == "int32":
            out.update(self.numbers(depth))
        if kind == "string":
            out.update(self.nested_texts(depth))
        return out

    def nested_call(self, what, kind, depth):
        """This form, if it has values of that kind."""
        forms = self.nested_forms(kind, depth)
        if what not in forms:
            return None
        self.count(what)
        return forms[what]()

    # Parts.

    def index(self):
        return self.same(self.random.choice(["1", "1", "2", "3", "0", "-1", "i", "(j % 4)"]))

    def element(self, kind, depth, added=True, null=0.15):
        """An element of a list: `added` to it, as its values are."""
        if self.random.random() < null:
            return self.same("null")
        made = self.expression(kind, depth - 1, fixed=True)
        if added and kind == "double":  # -0 is 0 there
            return made[0], f"({made[1]} + 0::float8)"
        if added and kind == "decimal":  # rounded to the digits of all
            return made[0], f"cast({made[1]} as numeric(12, 2))"
        return made

    def array(self, kind, depth, cast=False):
        elements = [self.element(kind, depth, null=0)]
        while self.random.random() < 0.6 and len(elements) < 4:
            elements.append(self.element(kind, depth))
        self.random.shuffle(elements)
        template = "array[" + ", ".join(["{}"] * len(elements)) + "]"
        if cast or kind == "decimal":
            types = tidemill_type(kind) + ("(12, 2)[]" if kind == "decimal" else "[]")
            return tuple(f"cast({made} as {of})" for made, of in
                         zip(self.joined(template, *elements), (types, sql_type(kind + "[]"))))
        return self.joined(template, *elements)

    def empty(self, kind):
        """Not for all rows: PostgreSQL works out at once that (array[])[1] is null, and makes null
        of what it is in, errors beside it and all."""
        names = kind + ("(12, 2)" if kind == "decimal" else ""), sql_type(kind + "[]")[:-2]
        other = self.array(kind, 0)
        return tuple(f"case when b then cast(array[] as {name}[]) else {made} end"
                     for name, made in zip(names, other))

    def lists(self, kind, depth):
        whole = kind + "[]"

        def some():
            return self.expression(whole, depth - 1, True)

        def adding(template, turned=False, null=0.15):
            pair = [some(), self.element(kind, depth, null=null)]
            return self.joined(template, *(reversed(pair) if turned else pair))
        out = {"array(any, ...)": lambda: self.array(kind, depth),
               "list || list": lambda: self.joined("({} || {})", some(), some()),
               "array_cat(list, list)": lambda: self.joined("array_cat({}, {})", some(), some()),
               "list || any": lambda: adding("({} || {})", null=0),
               "any || list": lambda: adding("({} || {})", True, null=0),
               "array_append(list, any)": lambda: adding("array_append({}, {})"),
               "array_prepend(any, list)": lambda: adding("array_prepend({}, {})", True)}
        if not kind.startswith("struct "):
            out["cast(array[x, ...] as t[])"] = lambda: self.array(kind, depth, True)
            out["array()"] = lambda: self.empty(kind)
        if kind != "json":
            out["array_remove(list, any)"] = lambda: self.joined(
                "array_remove({}, {})", some(), self.element(kind, depth, False))
        for name, (key, value) in MAPS.items():
            if key == kind:
                out["akeys(map)"] = lambda name=name: self.of_map("akeys({})", "keys_{1}({0})",
                                                                  name, depth)
            if value == kind:
                out["avals(map)"] = lambda name=name: self.of_map("avals({})", "values_{1}({0})",
                                                                  name, depth)
        if kind == "string":
            out.update(self.splits(depth))
        return out

    def splits(self, depth):
        def text():
            return self.expression("string", depth - 1, True)

        def by():
            return self.random.choice([self.same(t) for t in ("','", "''", "'a'", "u", "' '")])
        return {"string_to_array(string, string)": lambda: self.joined(
                    "string_to_array({}, {})", text(),
                    self.same("null") if self.random.random() < 0.2 else by()),
                "string_to_array(string, string, string)": lambda: self.joined(
                    "string_to_array({}, {}, {})", text(), by(), by())}

    def grid(self, kind):
        """PostgreSQL's arrays of two dimensions are such lists if all of them have one length."""
        rows = [", ".join(["{}"] * 2)] * self.random.randrange(1, 4)
        template = "(array[" + ", ".join(f"array[{row}]" for row in rows) + "])"
        leaves = [self.element(kind, 0, null=0) for _ in range(2 * len(rows))]
        if kind == "decimal":
            leaves = [(f"cast({ours} as decimal(12, 2))", theirs) for ours, theirs in leaves]
        return self.joined(template + "[{}][{}]", *leaves, self.index(), self.index())

    def fields(self, kind, depth):
        out = {}
        found = [(of, name) for of, fields in STRUCTS.items()
                 for name, (_, is_of) in fields.items() if is_of == kind]
        if found:
            of, name = self.random.choice(found)
            out["struct . string"] = lambda: self.joined(
                "({})." + name, self.expression(f"struct {of}", depth - 1, True))
        plain = [name for of, name in found if of == "payload"]
        if plain:
            def of_column():
                path = f"{self.random.choice('qr')}", self.random.choice(plain)
                return f"{path[0]}.{path[1]}", f"({path[0]}).{path[1]}"
            out["payload.amount"] = of_column
        deep = [name for of, name in found if of == "item"]
        if deep:
            def of_item():
                column, index = self.random.choice("qr"), self.random.choice(["1", "2", "i", "0"])
                path = f"items[{index}].{self.random.choice(deep)}"
                return f"{column}.{path}", f"({column}).{path}"
            out["payload.items[1].price"] = of_item
        return out

    # Maps.

    def of_map(self, ours, theirs, name, depth):
        made = self.expression(f"map {name}", depth - 1, True)
        return ours.format(made[0]), theirs.format(made[1], name)

    def key(self, name, depth):
        kind = MAPS[name][0]
        made = self.expression(kind, min(depth - 1, 1), True)
        if kind == "string" and self.random.random() < 0.6:
            made = self.same(quoted(self.random.choice(["a", "abc", "", "é", "aa", "it's"])))
        if kind == "int32" and self.random.random() < 0.5:
            made = self.same(self.random.choice(["1", "-13", "10", "i"]))
        if kind == "date" and self.random.random() < 0.7:
            made = self.same("d")
        return made

    def map_value(self, name, depth):
        whole = self.expression(f"map {name}", depth - 1, True)
        key = self.key(name, depth)
        return (f"({whole[0]} -> {key[0]})",
                f"cast(({whole[1]} -> cast({key[1]} as text)) as {sql_type(MAPS[name][1])})")

    def has_key(self, depth):
        name = self.random.choice(list(MAPS))
        whole = self.expression(f"map {name}", depth - 1, True)
        key = self.key(name, depth)
        return f"({whole[0]} ? {key[0]})", f"({whole[1]} ? cast({key[1]} as text))"

    # What is no list, struct or map.

    def truths(self, depth):
        def some(kinds):
            kind = self.random.choice(kinds)
            return [self.expression(kind, depth - 1, True) for _ in range(2)]

        def tested(sign, word):
            kinds = COMPARED + (_STRUCTURES if sign in ("=", "<>") else [])
            kind = self.random.choice(kinds)
            return self.joined("({} " + f"{sign} {word}" + "({}))",
                               self.element(kind, depth, False),
                               self.expression(kind + "[]", depth - 1, True))
        lists = [f"{kind}[]" for kind in COMPARED + _STRUCTURES]
        out = {f"list {sign} list": lambda sign=sign: self.joined("({} " + sign + " {})",
                                                                  *some(lists))
               for sign in ("@>", "<@", "&&")}
        out["map ? any"] = lambda: self.has_key(depth)
        for name, (sign, word) in _TESTED.items():
            out[name] = lambda sign=sign, word=word: tested(sign, word)
        return out

    def numbers(self, depth):
        def some(kinds=LISTS):
            return self.expression(self.random.choice(kinds), depth - 1, True)

        def position():
            kind = self.random.choice(COMPARED + _STRUCTURES)
            return self.joined("array_position({}, {})", some([kind + "[]"]),
                               self.element(kind, depth, False))
        return {"cardinality(list)": lambda: self.joined("cardinality({})", some()),
                "cardinality(map)": lambda: self.of_map(
                    "cardinality({})", "cardinality(akeys({}))", self.random.choice(list(MAPS)),
                    depth),
                "array_length(list, int32)": lambda: self.joined(
                    "array_length({}, {})", some(),
                    self.same(self.random.choice(["1", "1", "2", "i"]))),
                "array_position(list, any)": position}

    def nested_texts(self, depth):
        def written(template, *texts):
            kind = self.random.choice(_WRITTEN)
            return self.joined(template, self.expression(kind + "[]", depth - 1, True), *texts)

        def text():
            return self.random.choice([self.same(t) for t in ("','", "''", "u", "'; '", "'é'")])
        out = {"array_to_string(list, string)": lambda: written("array_to_string({}, {})", text()),
               "array_to_string(list, string, string)": lambda: written(
                   "array_to_string({}, {}, {})", text(), text())}
        kinds = {"list": [kind for kind in LISTS if kind != "timestamp[]"], "struct": STRUCT_KINDS,
                 "map": MAP_KINDS}
        for of, some in kinds.items():
            for how in ("to_json({})", "cast({} as json)", "cast({} as string)"):
                out[how.format(of)] = lambda how=how, some=some: self.shown(
                    how, self.random.choice(some), depth)
        return out

    def shown(self, how, kind, depth):
        """The JSON of it as text."""
        return self.json_text(kind, self.expression(kind, depth - 1, True), how)

    def json_text(self, kind, made, how="to_json({})"):
        ours = how.format(made[0])
        theirs = f"json_{kind[4:]}" if kind.startswith("map ") else "to_json"
        return (ours if "string" in how else f"cast({ours} as text)",
                f"cast({theirs}({made[1]}) as text)")

    def printed(self, kind, made):
        """A whole expression, as something whose value has a text."""
        if kind == "timestamp[]":
            return self.joined("({})[{}]", made, self.index())
        return self.json_text(kind, made)
