"""Expressions mean what they mean in PostgreSQL 15: values bit for bit, and classes of errors."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import expressions
import expressions_nested
from expressions_list import LIST
from postgres import Postgres

TREE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("TIDEMILL_BIN", TREE / "build/release/bin"))
SEED = int(os.environ.get("TIDEMILL_EXPRESSIONS_SEED", "15"))
COUNT = int(os.environ.get("TIDEMILL_EXPRESSIONS", "2000"))
LEAST = 20

# What the driver prints of a value of a type.
PRINTED = {"bool": "({})::text", "int32": "({})::text", "int64": "({})::text",
           "double": "case when ({0}) = 'NaN' then 'NaN' else encode(float8send({0}), 'hex') end",
           "decimal": "encode(convert_to(({})::text, 'UTF8'), 'hex')",
           "string": "encode(convert_to({}, 'UTF8'), 'hex')", "bytes": "encode({}, 'hex')",
           "json": "encode(convert_to(({})::text, 'UTF8'), 'hex')",
           "timestamp": "(extract(epoch from {}) * 1000000)::bigint::text",
           "date": "(({}) - date '1970-01-01')::text"}

SETUP = """
create function value_of(e text, number int) returns text language plpgsql as $$
declare out text;
begin
  execute 'select ' || e || ' from t where row_number = ' || number into out;
  return coalesce(out, E'\\\\N');
exception when others then return '!' || sqlstate;
end $$;
-- Times cannot be infinite in Tidemill.
create function finite_timestamp(seconds float8) returns timestamptz language plpgsql
immutable strict as $$
begin
  if seconds in ('Infinity', '-Infinity') then
    raise exception 'infinite' using errcode = '22008';
  end if;
  return to_timestamp(seconds);
end $$;
create table expressions(number int, e text);
"""


def driver(*arguments, text=""):
    done = subprocess.run([str(BIN / "expression_driver"), *arguments], input=text,
                          capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def functions():
    """What the generator calls; of the rest it says nothing."""
    out = []
    for line in driver("functions"):
        name, types, result, variadic = line.split("\t")
        out.append((name, tuple(types.split(",")) if types else (), result, bool(variadic)))
    return out


def same(ours, theirs):
    """Errors are compared by their class, SQLSTATE's first two characters."""
    if ours.startswith("!") and theirs.startswith("!"):
        return ours[:3] == theirs[:3]
    return ours == theirs


class ExpressionsTest(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.postgres = Postgres()
        cls.enterClassContext(cls.postgres)
        cls.rows = expressions.rows()
        columns = ", ".join(f"{name} {expressions.SQL_TYPES[kind]}"
                            for name, kind in expressions.COLUMNS)
        lines = ["\t".join(expressions.copy_text(field) for field in row) for row in cls.rows]
        copied = "".join(f"{number}\t{line}\n" for number, line in enumerate(lines))
        cls.postgres.psql(SETUP + f"create table t(row_number int primary key, {columns});\n"
                          f"copy t from stdin;\n{copied}\\.\n")
        directory = tempfile.TemporaryDirectory(prefix="tidemill-expressions-")
        cls.enterClassContext(directory)
        cls.path = Path(directory.name) / "rows"
        header = "\t".join(f"{name}:{kind}" for name, kind in expressions.COLUMNS)
        cls.path.write_text(header + "\n" + "\n".join(lines) + "\n", encoding="utf-8")

    def compare(self, pairs):
        """Each pair is an expression for Tidemill and the same for PostgreSQL."""
        answers = driver("evaluate", str(self.path), text="".join(p[0] + "\n" for p in pairs))
        self.assertEqual(len(answers), len(pairs))
        script = "truncate expressions;\ncopy expressions from stdin;\n"
        failures = []
        ours = {}
        failed = set()
        for number, ((tidemill, postgres), answer) in enumerate(zip(pairs, answers)):
            kind, *values = answer.split("\t")
            if kind == "error":
                failures.append(f"{tidemill}\n  is refused: {values[0]}")
                continue
            ours[number] = values
            script += f"{number}\t{expressions.copy_text(PRINTED[kind].format(postgres))}\n"
        script += ("\\.\nselect number, row_number, value_of(e, row_number) from expressions, t "
                   "order by number, row_number;\n")
        for line in self.postgres.psql(script).splitlines():
            number, row, theirs = line.split("|", 2)
            number, row = int(number), int(row)
            if not same(ours[number][row], theirs) and number not in failed:
                failed.add(number)
                shown = {name: value for (name, _), value in
                         zip(expressions.COLUMNS, self.rows[row])}
                failures.append(f"{pairs[number][0]}\n  Tidemill {ours[number][row]}, PostgreSQL "
                                f"{theirs}, where {shown}")
        return failures

    def test_generated(self):
        known = functions()
        pairs, counts = expressions.generate(SEED, known, COUNT, LEAST)
        rare = {what: counts.get(what, 0)
                for what in [f"{f[0]}({', '.join(f[1])})" for f in known] + expressions.CHOICES
                if counts.get(what, 0) < LEAST}
        self.assertEqual(rare, {})
        failures = self.compare(pairs)
        self.assertEqual(len(failures), 0, f"seed {SEED}:\n" + "\n".join(failures[:20]))

    def test_lists(self):
        failures = self.compare(expressions_nested.generate(SEED))
        self.assertEqual(len(failures), 0, f"seed {SEED}:\n" + "\n".join(failures[:40]))

    def test_listed(self):
        failures = self.compare([pair if isinstance(pair, tuple) else (pair, pair)
                                 for pair in LIST])
        self.assertEqual(len(failures), 0, "\n".join(failures[:40]))


if __name__ == "__main__":
    unittest.main()
