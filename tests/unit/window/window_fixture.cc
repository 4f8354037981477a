#include "tests/unit/window/window_fixture.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "shared/base/hash.h"
#include "shared/columns/row_block_writer.h"

namespace tidemill::testing {
namespace {

uint64_t below(Random* random, uint64_t n) { return (*random)() % n; }

TimeUs next_time(const RowShape& shape, TimeUs* clock, Random* random) {
  constexpr DurationUs kSteps[] = {kMicrosPerSecond, 1000, 1};
  if (shape.times == 3) {
    switch (below(random, 4)) {
      case 0:
        return kMinTime + static_cast<int64_t>(below(random, 5));
      case 1:
        return kMaxTime - static_cast<int64_t>(below(random, 5));
      case 2:
        return static_cast<int64_t>((*random)());
      default:
        return static_cast<int64_t>(below(random, 100));
    }
  }
  const DurationUs step = kSteps[shape.times];
  *clock += static_cast<int64_t>(below(random, shape.times == 1 ? 2 : 5)) * step;
  if (below(random, 100) >= static_cast<uint64_t>(shape.late_percent)) return *clock;
  return *clock - static_cast<int64_t>(below(random, 2000)) * step;
}

Cell random_cell(ColumnType type, const RowShape& shape, Random* random) {
  if (below(random, 100) < static_cast<uint64_t>(shape.nulls_percent)) return std::monostate();
  constexpr double kSpecial[] = {0.0,
                                 -0.0,
                                 1.0,
                                 -1.0,
                                 1e308,
                                 -1e308,
                                 5e-324,
                                 0x1p-1022,
                                 0x1.fffffffffffffp1023,
                                 std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()};
  switch (type) {
    case ColumnType::kBool:
      return below(random, 2) == 1;
    case ColumnType::kDouble:
      if (shape.values == 0) return static_cast<double>(below(random, 100'000)) / 100;
      if (shape.values == 1) return any_double(random);
      return kSpecial[below(random, std::size(kSpecial))];
    case ColumnType::kInt32:
      return static_cast<int64_t>(static_cast<int32_t>((*random)()));
    case ColumnType::kString:
      return std::string(below(random, 20), static_cast<char>('a' + below(random, 3)));
    default:
      return shape.values == 0 ? static_cast<int64_t>(below(random, 1000))
                               : static_cast<int64_t>((*random)());
  }
}

void push_cell(const Cell& cell, Column* column) {
  const bool null = std::holds_alternative<std::monostate>(cell);
  column->nulls.push_back(null ? 1 : 0);
  switch (storage_of(column->type)) {
    case Storage::kBits:
      column->bools.push_back(!null && std::get<bool>(cell) ? 1 : 0);
      break;
    case Storage::kDoubles:
      column->doubles.push_back(null ? 0 : std::get<double>(cell));
      break;
    case Storage::kStrings:
      column->strings.push_back(null ? std::string_view("")
                                     : std::string_view(std::get<std::string>(cell)));
      break;
    default:
      column->ints.push_back(null ? 0 : std::get<int64_t>(cell));
  }
}

ColumnType value_type(Function function, ColumnType column) {
  switch (function) {
    case Function::kCount:
      return ColumnType::kInt64;
    case Function::kMin:
    case Function::kMax:
      return column;
    case Function::kCountDistinct:
    case Function::kApproxCountDistinct:
    case Function::kHistogram:
      return ColumnType::kInt64;
    case Function::kSkew:
    case Function::kSkewPop:
    case Function::kKurtosis:
    case Function::kKurtosisPop:
    case Function::kApproxPercentile:
    case Function::kDecayedSum:
    case Function::kDecayedCount:
      return ColumnType::kDouble;
    case Function::kSum:
      return column == ColumnType::kDouble ? column : ColumnType::kInt64;
    default:
      return function >= Function::kFirst ? column : ColumnType::kDouble;
  }
}

// Parameters that such a function may have.
void set_parameters(Random* random, FeatureSpec* f) {
  constexpr uint32_t kSizes[] = {1, 2, 5, 40, 1000};
  constexpr uint32_t kAccuracies[] = {1'000, 10'000, 200'000};
  constexpr uint32_t kPercentiles[] = {0, 10'000, 500'000, 999'999, 1'000'000};
  constexpr DurationUs kHalfLives[] = {kMicrosPerSecond, 1'234'567, 3600 * kMicrosPerSecond,
                                       7 * kMicrosPerDay + 1};
  f->n = kSizes[below(random, std::size(kSizes))];
  switch (f->function) {
    case Function::kApproxCountDistinct:
      f->n = 4 + static_cast<uint32_t>(below(random, 13));
      break;
    case Function::kApproxPercentile:
      f->n = 0;
      f->bound = static_cast<uint32_t>(below(random, 2) == 0 ? 16 : 1024);
      f->relative_accuracy = kAccuracies[below(random, std::size(kAccuracies))];
      f->percentile = kPercentiles[below(random, std::size(kPercentiles))];
      break;
    case Function::kHistogram:
      f->map = true;
      f->n = 0;
      f->bound = 1 + static_cast<uint32_t>(below(random, 40));
      break;
    case Function::kTopKByFrequency:
    case Function::kBottomKByFrequency:
      f->map = below(random, 2) == 0;
      f->bound = 1 + static_cast<uint32_t>(below(random, 1000));
      break;
    case Function::kDecayedSum:
    case Function::kDecayedCount:
      f->n = 0;
      f->half_life = kHalfLives[below(random, std::size(kHalfLives))];
      break;
    default:
      break;
  }
}

// Only such columns have percentiles, as plans see to.
bool has_percentiles(const TableSchema& schema, int32_t column) {
  const ColumnType type = schema.columns[static_cast<size_t>(column)];
  return type == ColumnType::kDouble || type == ColumnType::kInt64 || type == ColumnType::kInt32 ||
         type == ColumnType::kDecimal;
}

bool decays(const FeatureSpec& f) {
  return f.function == Function::kDecayedSum || f.function == Function::kDecayedCount;
}

// Some columns that it may be grouped by, now and then.
void group(const TableSchema& schema, Random* random, FeatureSpec* f) {
  constexpr uint32_t kMostGroups[] = {1, 2, 7, 40};
  if (!may_be_grouped(f->function) || below(random, 3) != 0) return;
  const auto by = static_cast<int32_t>(below(random, schema.columns.size()));
  const ColumnType type = schema.columns[static_cast<size_t>(by)];
  if (type == ColumnType::kDouble) return;
  f->by = by;
  f->map = true;
  f->max_groups = kMostGroups[below(random, std::size(kMostGroups))];
}

// Some columns in some order; the feature's own is among them, as in every plan.
std::vector<uint32_t> random_order(const TableSchema& schema, int32_t column, Random* random) {
  std::vector<uint32_t> out;
  for (uint32_t c = 0; c < schema.columns.size(); ++c) {
    if (static_cast<int32_t>(c) == column || below(random, 3) == 0) out.push_back(c);
  }
  for (size_t i = out.size(); i > 1; --i) std::swap(out[i - 1], out[below(random, i)]);
  return out;
}

}  // namespace

TableSchema every_type_schema(DurationUs retention) {
  TableSchema schema;
  schema.entity = "customer_id";
  schema.entity_seed = hash_bytes(schema.entity, 0);
  schema.key_types = {ColumnType::kString};
  schema.columns = {ColumnType::kDouble, ColumnType::kInt64,  ColumnType::kInt32,
                    ColumnType::kBool,   ColumnType::kString, ColumnType::kTimestamp};
  schema.filters = 2;
  schema.retention = retention;
  return schema;
}

TableSchema one_double_schema(DurationUs retention) {
  TableSchema schema;
  schema.entity = "terminal_id";
  schema.entity_seed = hash_bytes(schema.entity, 0);
  schema.key_types = {ColumnType::kString};
  schema.columns = {ColumnType::kDouble};
  schema.retention = retention;
  return schema;
}

TableSchemas test_schemas(DurationUs retention) {
  return std::make_shared<const std::vector<TableSchema>>(
      std::vector{every_type_schema(retention), one_double_schema(retention)});
}

double any_double(Random* random) {
  // Every exponent alike; now and then NaN or an infinity.
  const double x = std::bit_cast<double>((*random)());
  return std::isfinite(x) || below(random, 8) == 0 ? x : 0.5;
}

std::vector<Row> random_rows(size_t count, const RowShape& shape, const TableSchema& schema,
                             Random* random) {
  std::vector<Row> rows(count);
  TimeUs clock = kStart;
  for (Row& row : rows) {
    row.time = next_time(shape, &clock, random);
    for (const ColumnType type : schema.columns) {
      row.cells.push_back(random_cell(type, shape, random));
    }
    for (uint32_t f = 0; f < schema.filters; ++f) row.filters.push_back(below(random, 3) != 0);
  }
  return rows;
}

std::vector<KeyedRow> keyed(const std::vector<Row>& rows, const std::string& key,
                            const TableSchema& schema) {
  std::vector<KeyedRow> out;
  const uint64_t hash = hash_entity_key(key, schema.entity_seed);
  for (const Row& row : rows) out.push_back({key, hash, row});
  return out;
}

std::vector<uint8_t> encode_block(uint16_t table, const TableSchema& schema,
                                  std::span<const KeyedRow> rows) {
  std::vector<Column> columns(schema.columns.size());
  std::vector<Column> filters(schema.filters);
  for (size_t c = 0; c < columns.size(); ++c) columns[c].type = schema.columns[c];
  for (Column& f : filters) f.type = ColumnType::kBool;
  std::vector<uint32_t> indexes;
  std::vector<uint64_t> hashes;
  std::vector<TimeUs> times;
  std::vector<std::string_view> keys;
  for (const KeyedRow& row : rows) {
    indexes.push_back(static_cast<uint32_t>(indexes.size()));
    hashes.push_back(row.hash);
    times.push_back(row.row.time);
    keys.push_back(row.key);
    for (size_t c = 0; c < columns.size(); ++c) push_cell(row.row.cells[c], &columns[c]);
    for (size_t f = 0; f < filters.size(); ++f) push_cell(bool(row.row.filters[f]), &filters[f]);
  }
  std::vector<const Column*> column_pointers, filter_pointers;
  for (const Column& c : columns) column_pointers.push_back(&c);
  for (const Column& f : filters) filter_pointers.push_back(&f);
  ByteWriter out;
  write_row_block(table, {indexes, hashes, times, keys, column_pointers, filter_pointers}, &out);
  return out.take();
}

void append_rows(PartitionState* state, uint16_t table, const TableSchema& schema,
                 std::span<const KeyedRow> rows, uint64_t version) {
  const auto bytes = encode_block(table, schema, rows);
  auto block = RowBlockView::parse(bytes);
  ASSERT(block.ok());
  state->append(*block, version);
}

bool may_be_grouped(Function function) {
  switch (function) {
    case Function::kFirstN:
    case Function::kLastN:
    case Function::kFirstDistinctN:
    case Function::kLastDistinctN:
    case Function::kTopK:
    case Function::kBottomK:
    case Function::kTopKByFrequency:
    case Function::kBottomKByFrequency:
    case Function::kHistogram:
      return false;
    default:
      return true;
  }
}

std::vector<FeatureSpec> random_features(size_t count, const TableSchema& schema,
                                         DurationUs longest, Random* random) {
  std::vector<FeatureSpec> out;
  while (out.size() < count) {
    FeatureSpec f;
    f.function = static_cast<Function>(1 + below(random, kFunctions));
    f.column = static_cast<int32_t>(below(random, schema.columns.size() + 1)) - 1;
    f.filter = static_cast<int32_t>(below(random, schema.filters + 1)) - 1;
    f.window = static_cast<int64_t>(below(random, static_cast<uint64_t>(longest))) + 1;
    if (below(random, 3) == 0)
      f.offset = static_cast<int64_t>(below(random, 1 + static_cast<uint64_t>(longest) / 4));
    f.closed = static_cast<Closed>(1 + below(random, 4));
    if (f.column < 0 && f.function != Function::kCount && f.function != Function::kDecayedCount) {
      continue;
    }
    if (f.function == Function::kApproxPercentile && !has_percentiles(schema, f.column)) continue;
    if (f.column >= 0)
      f.type = value_type(f.function, schema.columns[static_cast<size_t>(f.column)]);
    if (f.function >= Function::kFirst) f.order = random_order(schema, f.column, random);
    if (f.function > Function::kLast) set_parameters(random, &f);
    group(schema, random, &f);
    out.push_back(f);
  }
  return out;
}

std::vector<FeatureSpec> random_lifetime_features(size_t count, const TableSchema& schema,
                                                  Random* random) {
  std::vector<FeatureSpec> out = random_features(count, schema, 1000, random);
  for (FeatureSpec& f : out) {
    if (decays(f)) f.function = Function::kMax;  // has no lifetime windows
    if (f.function == Function::kMax && f.column < 0) f.function = Function::kCount;
    f.half_life = 0;
    f.lifetime = true;
    f.window = 0;
    f.offset = std::min(f.offset, schema.retention);
  }
  return out;
}

std::vector<FeatureSpec> all_features(const TableSchema& schema,
                                      const std::vector<DurationUs>& windows,
                                      const std::vector<DurationUs>& offsets) {
  std::vector<FeatureSpec> out;
  for (int function = 1; function <= kFunctions; ++function) {
    for (int32_t column = -1; column < static_cast<int32_t>(schema.columns.size()); ++column) {
      const bool rows = function == 1 || function == static_cast<int>(Function::kDecayedCount);
      if (column < 0 && !rows) continue;
      if (function == static_cast<int>(Function::kApproxPercentile) &&
          !has_percentiles(schema, column)) {
        continue;
      }
      for (int32_t filter = -1; filter < static_cast<int32_t>(schema.filters); ++filter) {
        for (int closed = 1; closed <= 4; ++closed) {
          for (const DurationUs window : windows) {
            for (const DurationUs offset : offsets) {
              FeatureSpec f;
              f.function = static_cast<Function>(function);
              f.column = column;
              f.filter = filter;
              f.closed = static_cast<Closed>(closed);
              f.window = window;
              f.offset = offset;
              f.n = 2;
              Random parameters(static_cast<uint64_t>(function + column + closed));
              if (f.function > Function::kBottomK) set_parameters(&parameters, &f);
              if (column >= 0) f.order = {static_cast<uint32_t>(column)};
              f.type = column < 0
                           ? ColumnType::kInt64
                           : value_type(f.function, schema.columns[static_cast<size_t>(column)]);
              out.push_back(f);
              if (closed != 1 || filter > 0 || !may_be_grouped(f.function)) continue;
              f.by = filter < 0 ? kFlag : kName;
              f.max_groups = 4;
              f.map = true;
              out.push_back(f);
            }
          }
        }
      }
    }
  }
  return out;
}

std::vector<FeatureValue> compute(const PartitionState& state, uint16_t table,
                                  const std::string& key, uint64_t hash,
                                  const std::vector<FeatureSpec>& features, TimeUs as_of,
                                  bool* found) {
  std::vector<const FeatureSpec*> pointers;
  for (const FeatureSpec& f : features) pointers.push_back(&f);
  std::vector<FeatureValue> out;
  const bool has_rows = state.compute(table, key, hash, pointers, as_of, &out);
  if (found != nullptr) *found = has_rows;
  return out;
}

std::string describe(const FeatureSpec& f) {
  return "function " + std::to_string(static_cast<int>(f.function)) + " column " +
         std::to_string(f.column) + " filter " + std::to_string(f.filter) + " window " +
         std::to_string(f.window) + " offset " + std::to_string(f.offset) + " closed " +
         std::to_string(static_cast<int>(f.closed)) + " n " + std::to_string(f.n) +
         (f.by < 0 ? ""
                   : " by " + std::to_string(f.by) + " groups " + std::to_string(f.max_groups)) +
         (f.lifetime ? " lifetime" : "") + (f.gap > 0 ? " gap " + std::to_string(f.gap) : "") +
         (f.steps == nullptr ? ""
                             : " every " + std::to_string(f.steps->every) + " of unit " +
                                   std::to_string(static_cast<int>(f.steps->unit)) + " window " +
                                   std::to_string(f.steps->window) + " " + f.steps->zone.name());
}

std::string difference(const std::vector<FeatureSpec>& features,
                       const std::vector<FeatureValue>& expected,
                       const std::vector<FeatureValue>& actual) {
  if (expected.size() != actual.size() || expected.size() != features.size()) return "sizes";
  for (size_t i = 0; i < features.size(); ++i) {
    if (!same_value(expected[i], actual[i])) {
      return describe(features[i]) + ": expected " + show(expected[i]) + ", got " + show(actual[i]);
    }
  }
  return "";
}

std::vector<FeatureValue> reference_all(const std::vector<Row>& rows, const TableSchema& schema,
                                        const std::vector<FeatureSpec>& features, TimeUs as_of) {
  std::vector<FeatureValue> out;
  for (const FeatureSpec& f : features) {
    out.push_back(reference_value(rows, schema, f, as_of));
    if (is_null(out.back())) out.back() = f.otherwise;
  }
  return out;
}

std::vector<std::vector<uint8_t>> images(const PartitionState& state) {
  std::vector<std::vector<uint8_t>> out;
  for (size_t slot = 0; slot < state.slot_count(); ++slot) {
    if (!state.slot_changed_since(slot, 0)) continue;
    ByteWriter writer;
    state.encode_image(slot, &writer);
    out.push_back(writer.take());
  }
  std::sort(out.begin(), out.end());
  return out;
}

PartitionState restarted(const PartitionState& state, const TableSchemas& schemas) {
  PartitionState out(schemas);
  out.raise_horizon(state.horizon());
  for (const auto& image : images(state)) {
    ByteReader reader(image);
    ASSERT(out.apply_image(&reader, 1).ok());
  }
  return out;
}

}  // namespace tidemill::testing
