"""Expressions mean what they mean in PostgreSQL 15: values bit for bit, and classes of errors."""

import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import expressions
import expressions_forms
import expressions_values
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

# All rows at once, as that is faster, and row by row where one of them fails.
SETUP = """
create function values_of(e text) returns text language plpgsql as $$
declare
  out text;
  one text;
  number int;
begin
  execute 'select string_agg(coalesce(e, E''\\\\N''), '' '' order by row_number) from (select '
          'row_number, ' || e || ' as e from t) as all_rows' into out;
  return out;
exception when others then
  for number in select row_number from t order by row_number loop
    begin
      execute 'select ' || e || ' from t where row_number = $1' into one using number;
      one := coalesce(one, E'\\\\N');
    exception when others then one := '!' || sqlstate;
    end;
    out := concat_ws(' ', out, one);
  end loop;
  return out;
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
TRY = """
create function try_{0}(e text, number int) returns {1} language plpgsql as $$
declare out {1};
begin
  execute 'select ' || e || ' from t where row_number = $1' into out using number;
  return out;
exception when others then return null;
end $$;
"""


def driver(*arguments, text=""):
    done = subprocess.run([str(BIN / "expression_driver"), *arguments], input=text,
                          capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def functions():
    """What the generator calls."""
    out = []
    for line in driver("functions"):
        signature, name, types, result, variadic = line.split("\t")
        out.append((signature, name, tuple(types.split(",")) if types else (), result,
                    bool(variadic)))
    return out


def documented_forms():
    """The rows of the table in docs/expressions.md."""
    text = (TREE / "docs/expressions.md").read_text(encoding="utf-8")
    table = text.split("## Operators and forms\n", 1)[1].split("\n\n- ", 1)[0]
    return [line[2:].split(" | ", 1)[0] for line in table.splitlines() if line.startswith("| `")]


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
        cls.rows = expressions_values.rows()
        lines = ["\t".join(expressions_values.copy_text(field) for field in row)
                 for row in cls.rows]
        tries = "".join(TRY.format(*each) for each in expressions_values.SQL_TYPES.items())
        cls.postgres.psql(SETUP + tries + expressions_values.postgres_table(lines))
        directory = tempfile.TemporaryDirectory(prefix="tidemill-expressions-")
        cls.enterClassContext(directory)
        cls.path = Path(directory.name) / "rows"
        cls.columns = expressions_values.COLUMNS + expressions_values.NESTED
        header = "\t".join(f"{name}:{expressions_values.tidemill_type(kind)}"
                           for name, kind in cls.columns)
        cls.path.write_text(header + "\n" + "\n".join(lines) + "\n", encoding="utf-8")

    def compare(self, pairs):
        """Each pair is an expression for Tidemill and the same for PostgreSQL."""
        answers = driver("evaluate", str(self.path), text="".join(p[0] + "\n" for p in pairs))
        self.assertEqual(len(answers), len(pairs))
        script = "truncate expressions;\ncopy expressions from stdin;\n"
        failures = []
        ours = {}
        for number, ((tidemill, postgres), answer) in enumerate(zip(pairs, answers)):
            kind, *values = answer.split("\t")
            if kind == "error":
                failures.append(f"{tidemill}\n  is refused: {values[0]}")
                continue
            ours[number] = values
            script += f"{number}\t{expressions_values.copy_text(PRINTED[kind].format(postgres))}\n"
        script += "\\.\nselect number, values_of(e) from expressions order by number;\n"
        for line in self.postgres.psql(script).splitlines():
            number, theirs = line.split("|", 1)
            failure = self.difference(ours[int(number)], theirs.split(" "))
            if failure is not None:
                failures.append(f"{pairs[int(number)][0]}\n  {failure}")
        return failures

    def difference(self, ours, theirs):
        """What the first row is that has another value, or none."""
        self.assertEqual(len(ours), len(self.rows))
        self.assertEqual(len(theirs), len(self.rows))
        for row, one, other in zip(self.rows, ours, theirs):
            if not same(one, other):
                shown = {name: value for (name, _), value in zip(self.columns, row)}
                return f"Tidemill {one}, PostgreSQL {other}, where {shown}"
        return None

    def test_generated(self):
        known = functions()
        pairs, counts = expressions.generate(SEED, known, COUNT, LEAST)
        forms = [form for row in expressions_forms.DOCUMENTED.values() for form in row]
        uses = {what: counts.get(what, 0)
                for what in {*(f[0] for f in known), *forms, *counts}}
        failures = self.compare(pairs)
        print(f"seed {SEED}: {len(pairs)} expressions with {len(uses)} functions, operators and "
              f"forms, each at least {min(uses.values())} times: {len(failures)} differ")
        self.assertEqual({what: count for what, count in uses.items() if count < LEAST}, {})
        self.assertEqual(len(failures), 0, f"seed {SEED}:\n" + "\n".join(failures[:20]))

    def test_forms_are_those_of_the_documentation(self):
        self.assertEqual(documented_forms(), list(expressions_forms.DOCUMENTED))

    def test_listed(self):
        failures = self.compare([pair if isinstance(pair, tuple) else (pair, pair)
                                 for pair in LIST])
        self.assertEqual(len(failures), 0, "\n".join(failures[:40]))


if __name__ == "__main__":
    unittest.main()
