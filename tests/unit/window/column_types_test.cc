// Columns of the types that every_type_schema() does not have: decimals, dates, bytes, JSON, lists,
// structs and maps. Whatever order rows come in, in which parts, and what was restarted in between:
// every function says the same, over every kind of window, of rows and of what is kept of old ones.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "shared/base/decimal.h"
#include "shared/base/hash.h"
#include "shared/nested/nested_json.h"
#include "tests/unit/window/any_seed.h"
#include "tests/unit/window/window_fixture.h"

namespace tidemill::testing {
namespace {

enum : int32_t { kPrice, kHuge, kDay, kPayload, kDetails, kItems, kPlace, kRates };
constexpr uint8_t kScale = 2;  // of kPrice

TableSchema schema_of(DurationUs retention) {
  TableSchema out;
  out.entity_seed = 7;
  out.columns = {ColumnType::kDecimal, ColumnType::kDecimal, ColumnType::kDate,
                 ColumnType::kBytes,   ColumnType::kJson,    ColumnType::kList,
                 ColumnType::kStruct,  ColumnType::kMap};
  out.scales = {kScale, 0, 0, 0, 0, 0, 0, 0};
  out.filters = 2;
  out.retention = retention;
  return out;
}

NestedType nested_type(ColumnType kind) {
  const auto field = [](const char* name, ColumnType of) {
    NestedType::Field out;
    out.name = name;
    out.type.kind = of;
    return out;
  };
  NestedType out;
  out.kind = kind;
  if (kind == ColumnType::kList) out.fields = {field("", ColumnType::kInt64)};
  if (kind == ColumnType::kStruct) {
    out.fields = {field("city", ColumnType::kString), field("zip", ColumnType::kInt32)};
  }
  if (kind == ColumnType::kMap) {
    out.fields = {field("", ColumnType::kString), field("", ColumnType::kDouble)};
  }
  return out;
}

std::string nested_bytes(ColumnType kind, const std::string& json) {
  NestedJsonParser parser;
  std::string_view value;
  RC_ASSERT(!parser.parse(nested_type(kind), json, &value).has_value());
  return std::string(value);
}

std::string decimal_bytes(__int128 unscaled, uint8_t scale) {
  char buffer[kMaxDecimalEncoding];
  return {buffer, encode_decimal({unscaled, scale}, buffer)};
}

Cell any_cell(int32_t column, uint64_t values, Random* random) {
  if ((*random)() % 8 == 0) return std::monostate();
  const auto number = static_cast<int64_t>((*random)() % values);
  const std::string digits = std::to_string(number);
  switch (column) {
    case kPrice:
      return decimal_bytes(number - static_cast<int64_t>(values / 3), kScale);
    case kHuge: {
      __int128 huge = number;  // of up to 28 digits
      for (auto i = (*random)() % 4 * 8; i > 0; --i) huge *= 10;
      return decimal_bytes((*random)() % 2 == 0 ? huge : -huge, 0);
    }
    case kDay:
      return number - 10;
    case kPayload:
      return std::string(static_cast<size_t>(number % 30), static_cast<char>(number));
    case kDetails:
      return number % 2 == 0 ? digits : "{\"a\": " + digits + "}";
    case kItems:
      return nested_bytes(ColumnType::kList, number % 3 == 0 ? "[]" : "[" + digits + ",null]");
    case kPlace:
      return nested_bytes(ColumnType::kStruct, R"({"city":"c)" + digits + R"(","zip":null})");
    default:
      return nested_bytes(ColumnType::kMap, R"({"r)" + digits + R"(":0.5})");
  }
}

std::vector<Row> any_rows(const TableSchema& schema, Random* random) {
  TableSchema times = schema;
  times.columns.clear();
  const auto count = *rc::gen::inRange<size_t>(1, 400);
  RowShape shape;
  shape.times = *rc::gen::inRange(0, 3);
  shape.late_percent = *rc::gen::element(0, 10, 90);
  auto rows = random_rows(count, shape, times, random);
  const uint64_t values = *rc::gen::element<uint64_t>(3, 40, 10'000);
  for (Row& row : rows) {
    for (int32_t c = kPrice; c <= kRates; ++c) row.cells.push_back(any_cell(c, values, random));
  }
  return rows;
}

// Of what it takes, as plans see to.
bool takes(const FeatureSpec& f) {
  const bool decimal = f.column == kPrice || f.column == kHuge;
  switch (f.function) {
    case Function::kMin:
    case Function::kMax:
      return decimal || f.column == kDay;
    case Function::kTopK:
    case Function::kBottomK:
      return decimal || f.column == kDay || f.column == kPayload;
    case Function::kSum:
    case Function::kMean:
    case Function::kVarPop:
    case Function::kVarSamp:
    case Function::kStddevPop:
    case Function::kStddevSamp:
    case Function::kSkew:
    case Function::kSkewPop:
    case Function::kKurtosis:
    case Function::kKurtosisPop:
    case Function::kApproxPercentile:
    case Function::kDecayedSum:
      return decimal;
    default:
      return true;
  }
}

void make_kind(DurationUs longest, Random* random, FeatureSpec* f) {
  const auto any = [&](DurationUs most) {
    return 1 + static_cast<int64_t>((*random)() % static_cast<uint64_t>(most));
  };
  const uint64_t kind = (*random)() % 4;
  if (kind == 0) {
    f->gap = any(longest) / (1 << (*random)() % 12) + 1;
  } else if (kind == 1) {
    WindowSteps steps;
    steps.unit = WindowSteps::Unit::kMicros;
    steps.window = f->window;
    steps.every = any(f->window);
    steps.zone = *TimeZone::find("UTC");
    f->steps = std::make_shared<const WindowSteps>(steps);
  } else if (kind == 2 && f->half_life == 0) {
    f->lifetime = true;
    f->window = 0;
  }
}

// Windows that reach back `longest` at most, so that what is older is folded.
std::vector<FeatureSpec> any_features(const TableSchema& schema, DurationUs longest,
                                      Random* random) {
  std::vector<FeatureSpec> out;
  while (out.size() < 30) {
    FeatureSpec f = random_features(1, schema, std::max<DurationUs>(1, longest / 4), random)[0];
    if (f.column >= 0 && !takes(f)) continue;
    const bool decimal = f.column == kPrice || f.column == kHuge;
    if (decimal && f.function == Function::kSum) f.type = ColumnType::kDecimal;
    if (f.column == kPrice) f.column_scale = kScale;
    make_kind(std::max<DurationUs>(1, longest / 4), random, &f);
    out.push_back(std::move(f));
  }
  return out;
}

struct Job {
  explicit Job(Random* random)
      : schema(schema_of(*rc::gen::element(DurationUs{kMaxTime}, DurationUs{400},
                                           DurationUs{300'000}, DurationUs{20'000'000}))) {
    rows = any_rows(schema, random);
    for (const Row& row : rows) leading = std::max(leading, row.time);
    const bool folds = schema.retention != kMaxTime;
    features = any_features(schema, folds ? schema.retention : leading - kStart + 4, random);
    for (const FeatureSpec& f : features) {
      if (f.lifetime) schema.lifetime.push_back(f);
    }
    schemas = std::make_shared<const std::vector<TableSchema>>(std::vector{schema});
    all = keyed(rows, "key", schema);
    if (folds) horizon = leading - static_cast<int64_t>((*random)() % 1000);
  }
  void append(PartitionState* state, size_t from, size_t to, Random* random) const {
    for (size_t at = from; at < to;) {
      const size_t length = std::min(to - at, 1 + (*random)() % 100);
      append_rows(state, 0, schema, std::span(all).subspan(at, length));
      at += length;
      if (horizon != kMinTime && (*random)() % 3 == 0) {
        state->raise_horizon(horizon - static_cast<int64_t>((*random)() % 1'000'000));
      }
    }
  }
  std::vector<FeatureValue> read(const PartitionState& state, TimeUs as_of) const {
    return compute(state, 0, "key", all[0].hash, features, as_of);
  }

  TableSchema schema;
  TableSchemas schemas;
  std::vector<FeatureSpec> features;
  std::vector<Row> rows;
  std::vector<KeyedRow> all;
  TimeUs leading = kMinTime;
  TimeUs horizon = kMinTime;
};

RC_GTEST_PROP(ColumnTypes, ValuesDependOnTheRowsAlone, ()) {
  Random random(any_seed());
  Job job(&random);
  PartitionState in_order(job.schemas), shuffled(job.schemas);
  const size_t middle = random() % (job.all.size() + 1);
  job.append(&in_order, 0, middle, &random);
  PartitionState continued = restarted(in_order, job.schemas);
  for (PartitionState* state : {&in_order, &continued}) {
    job.append(state, middle, job.all.size(), &random);
  }
  std::shuffle(job.all.begin(), job.all.end(), random);
  job.append(&shuffled, 0, job.all.size(), &random);
  for (PartitionState* state : {&in_order, &continued, &shuffled}) {
    state->raise_horizon(job.horizon);
  }
  PartitionState again = restarted(shuffled, job.schemas);
  for (const PartitionState* state : {&shuffled, &continued, &again}) {
    RC_ASSERT(images(*state) == images(in_order));
  }
  for (int i = 0; i < 3; ++i) {
    const TimeUs as_of =
        std::max(job.horizon, i == 0 ? job.leading : job.rows[random() % job.rows.size()].time);
    const auto expected = job.read(in_order, as_of);
    for (const PartitionState* state : {&in_order, &shuffled, &continued, &again}) {
      RC_ASSERT(difference(job.features, expected, job.read(*state, as_of)) == "");
    }
  }
}

}  // namespace
}  // namespace tidemill::testing
