/* Folds a whole topic of card payments, fast: what each customer and terminal has over all time. It
 * shares nothing with the product, and takes events as the generator writes them.
 *
 *   tally AS_OF TERMINALS_AS_OF KEYS SAMPLE <records >tallies
 *
 * Records are lines "PARTITION OFFSET JSON". Events up to AS_OF count for customers, up to
 * TERMINALS_AS_OF for terminals (microseconds UTC). Lines of the keys in the file KEYS ("c 17" or
 * "t 4", one a line) are copied to the file SAMPLE. What is written, a line per key:
 *
 *   c ID ROWS COUNT SUM MIN MAX     SUM: of the amounts, exact, in units of 2^-60
 *   t ID ROWS COUNT FRAUDS          ROWS: all events, COUNT: those that count
 *   events N other M                other: records that are no events
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS = 1 << 20, UNIT = 60, LINE = 1 << 16 };

typedef struct {
  int64_t rows, count, frauds;
  __int128 sum;
  double min, max;
  int sampled;
} Key;

static Key customers[IDS], terminals[IDS];

static void fail(const char* why, const char* what) {
  fprintf(stderr, "tally: %s: %s\n", why, what);
  exit(1);
}

static Key* key_of(Key* keys, const char* digits) {
  const long id = strtol(digits, NULL, 10);
  if (id < 0 || id >= IDS) fail("no such key", digits);
  return &keys[id];
}

static int digits(const char* text, int from, int count) {
  int value = 0;
  for (int i = from; i < from + count; ++i) {
    if (text[i] < '0' || text[i] > '9') fail("no time", text);
    value = value * 10 + text[i] - '0';
  }
  return value;
}

/* Days since 1970 of a date of the Gregorian calendar. */
static int64_t days(int year, int month, int day) {
  year -= month <= 2;
  const int64_t era = year / 400, of_era = year % 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* 2018-04-01T00:00:31[.000000]Z */
static int64_t micros(const char* t) {
  int64_t us = days(digits(t, 0, 4), digits(t, 5, 2), digits(t, 8, 2)) * 86400;
  us = (us + digits(t, 11, 2) * 3600 + digits(t, 14, 2) * 60 + digits(t, 17, 2)) * 1000000;
  int64_t unit = 100000;
  if (t[19] == '.') {
    for (int i = 20; t[i] != 'Z'; ++i, unit /= 10) us += digits(t, i, 1) * unit;
  }
  return us;
}

static const char* value(const char* line, const char* name) {
  const char* found = strstr(line, name);
  return found ? found + strlen(name) : NULL;
}

static void count_customer(Key* key, double amount) {
  const double scaled = ldexp(amount, UNIT);
  if (scaled != floor(scaled) || !(fabs(amount) < 0x1p40)) fail("no such amount", "");
  key->min = key->count == 0 || amount < key->min ? amount : key->min;
  key->max = key->count == 0 || amount > key->max ? amount : key->max;
  key->sum += (__int128)scaled;
  ++key->count;
}

/* False: it is no event. */
static int count_line(const char* line, int64_t as_of, int64_t terminals_as_of, FILE* sample) {
  const char* time = value(line, "\"event_time\":\"");
  const char* customer = value(line, "\"customer_id\":\"");
  const char* terminal = value(line, "\"terminal_id\":\"");
  const char* amount = value(line, "\"amount\":");
  const char* fraud = value(line, "\"is_fraud\":");
  if (!time || !customer || !terminal || !amount || !fraud) return 0;
  Key *const c = key_of(customers, customer), *const t = key_of(terminals, terminal);
  const int64_t us = micros(time);
  ++c->rows;
  ++t->rows;
  if (us <= as_of) count_customer(c, strtod(amount, NULL));
  if (us <= terminals_as_of) {
    ++t->count;
    t->frauds += fraud[0] == 't';
  }
  if (c->sampled || t->sampled) fputs(line, sample);
  return 1;
}

static void read_keys(const char* path) {
  FILE* file = fopen(path, "r");
  char kind, id[32];
  if (!file) fail("cannot read", path);
  while (fscanf(file, " %c %31s", &kind, id) == 2) {
    key_of(kind == 'c' ? customers : terminals, id)->sampled = 1;
  }
  fclose(file);
}

static void print_integer(__int128 number) {
  char text[48], *at = text + sizeof(text) - 1;
  const int negative = number < 0;
  unsigned __int128 rest = negative ? -(unsigned __int128)number : (unsigned __int128)number;
  *at = 0;
  do *--at = (char)('0' + rest % 10);
  while (rest /= 10);
  if (negative) *--at = '-';
  fputs(at, stdout);
}

static void print_keys(void) {
  for (int id = 0; id < IDS; ++id) {
    const Key* key = &customers[id];
    if (key->rows == 0) continue;
    printf("c %d %lld %lld ", id, (long long)key->rows, (long long)key->count);
    print_integer(key->sum);
    printf(" %.17g %.17g\n", key->min, key->max);
  }
  for (int id = 0; id < IDS; ++id) {
    const Key* key = &terminals[id];
    if (key->rows == 0) continue;
    printf("t %d %lld %lld %lld\n", id, (long long)key->rows, (long long)key->count,
           (long long)key->frauds);
  }
}

int main(int argc, char** argv) {
  static char line[LINE];
  if (argc != 5) fail("usage", "tally AS_OF TERMINALS_AS_OF KEYS SAMPLE");
  const int64_t as_of = atoll(argv[1]), terminals_as_of = atoll(argv[2]);
  read_keys(argv[3]);
  FILE* sample = fopen(argv[4], "w");
  if (!sample) fail("cannot write", argv[4]);
  long long events = 0, other = 0;
  while (fgets(line, sizeof(line), stdin)) {
    count_line(line, as_of, terminals_as_of, sample) ? ++events : ++other;
  }
  if (ferror(stdin) || fclose(sample) != 0) fail("cannot copy to", argv[4]);
  print_keys();
  printf("events %lld other %lld\n", events, other);
  return fflush(stdout) == 0 ? 0 : 1;
}
