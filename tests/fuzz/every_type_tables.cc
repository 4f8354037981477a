#include "tests/fuzz/every_type_tables.h"

#include <array>

#include "shared/base/assert.h"
#include "shared/columns/row_block_writer.h"
#include "shared/window/block_list.h"

namespace tidemill::fuzz {
namespace {

constexpr uint8_t kScale = 2;                     // of the column of decimals
constexpr TimeUs kStart = 1'522'540'800'000'000;  // 2018-04-01

std::shared_ptr<const NestedType> tag_lists() {
  static const auto type = [] {
    NestedType out;
    out.kind = ColumnType::kList;
    out.fields.resize(1);
    out.fields[0].type.kind = ColumnType::kString;
    return std::make_shared<const NestedType>(std::move(out));
  }();
  return type;
}

template <typename Add>
void add_sketches(int32_t column, ColumnType type, const Add& add,
                  std::vector<FeatureSpec>* features) {
  add(Function::kApproxCountDistinct, column, ColumnType::kInt64);
  features->back().n = 4;
  add(Function::kHistogram, column, ColumnType::kInt64);
  features->back().map = true;
  if (is_nested(type)) features->back().nested_key = tag_lists();
  features->back().bound = 2;
  const Storage storage = storage_of(type);
  const bool number = storage != Storage::kStrings || type == ColumnType::kDecimal;
  if (storage == Storage::kBits || !number) return;
  add(Function::kSkew, column, ColumnType::kDouble);
  add(Function::kKurtosis, column, ColumnType::kDouble);
  if (type == ColumnType::kTimestamp || type == ColumnType::kDate) return;
  add(Function::kApproxPercentile, column, ColumnType::kDouble);
  features->back().bound = 16;
  features->back().relative_accuracy = 10'000;
  features->back().percentile = 500'000;
}

// By the column itself.
template <typename Add>
void add_groups(int32_t column, ColumnType type, const Add& add,
                std::vector<FeatureSpec>* features) {
  if (type == ColumnType::kDouble) return;
  for (const Function function : {Function::kCount, Function::kLast, Function::kCountDistinct,
                                  Function::kApproxCountDistinct, Function::kMean}) {
    if (function == Function::kMean && storage_of(type) == Storage::kStrings) continue;
    add(function, column, function == Function::kLast ? type : ColumnType::kInt64);
    features->back().n = 4;
    features->back().order = {static_cast<uint32_t>(column)};
    features->back().by = column;
    features->back().max_groups = 2;
    features->back().map = true;
    if (is_nested(type)) features->back().nested_key = tag_lists();
  }
}

std::vector<FeatureSpec> features_of(const TableSchema& schema) {
  std::vector<FeatureSpec> features;
  const auto add = [&](Function function, int32_t column, ColumnType type) {
    FeatureSpec feature;
    feature.function = function;
    feature.column = column;
    feature.filter = schema.filters > 0 && features.size() % 2 == 1 ? 0 : -1;
    feature.window = kMicrosPerDay;
    feature.closed = static_cast<Closed>(features.size() % 4 + 1);
    feature.type = type;
    if (column >= 0) feature.column_scale = schema.scales[static_cast<size_t>(column)];
    if (is_nested(type)) feature.nested = tag_lists();
    features.push_back(feature);
  };
  add(Function::kCount, -1, ColumnType::kInt64);
  for (size_t c = 0; c < schema.columns.size(); ++c) {
    const ColumnType type = schema.columns[c];
    const auto column = static_cast<int32_t>(c);
    add(Function::kCount, column, ColumnType::kInt64);
    for (int function = 10; function <= 18; ++function) {
      add(static_cast<Function>(function), column, type);
      features.back().n = 3;
      features.back().order = {static_cast<uint32_t>(c)};
    }
    add_groups(column, type, add, &features);
    add_sketches(column, type, add, &features);
    if (type == ColumnType::kBool || type == ColumnType::kString || is_nested(type)) continue;
    add(Function::kMin, column, type);
    add(Function::kMax, column, type);
    if (type == ColumnType::kTimestamp) continue;
    const bool whole = type != ColumnType::kDouble && type != ColumnType::kDecimal;
    add(Function::kSum, column, whole ? ColumnType::kInt64 : type);
    add(Function::kMean, column, ColumnType::kDouble);
    add(Function::kStddevSamp, column, ColumnType::kDouble);
  }
  return features;
}

// Rows of one table as a block: `columns` and `filters` are equally long.
struct Rows {
  std::vector<TimeUs> times;
  std::vector<std::string_view> keys;
  std::vector<Column> columns;
  std::vector<Column> filters;
};

void append(uint16_t table, const Rows& rows, PartitionState* state) {
  std::vector<uint32_t> indexes(rows.times.size());
  std::vector<uint64_t> hashes(rows.times.size());
  for (uint32_t i = 0; i < indexes.size(); ++i) {
    indexes[i] = i;
    hashes[i] = rows.keys[i].size();
  }
  std::vector<const Column*> columns, filters;
  for (const Column& column : rows.columns) columns.push_back(&column);
  for (const Column& filter : rows.filters) filters.push_back(&filter);
  ByteWriter out;
  write_row_block(table, {indexes, hashes, rows.times, rows.keys, columns, filters}, &out);
  const auto block = RowBlockView::parse(out.bytes());
  ASSERT(block.ok() && fits(*every_type_tables(), *block));
  state->append(*block, 1);
}

Column bools(std::vector<uint8_t> values) {
  Column column;
  column.type = ColumnType::kBool;
  column.nulls.assign(values.size(), 0);
  column.bools = std::move(values);
  return column;
}

Column ints(ColumnType type, std::vector<int64_t> values) {
  Column column;
  column.type = type;
  column.nulls.assign(values.size(), 0);
  column.ints = std::move(values);
  return column;
}

}  // namespace

const TableSchemas& every_type_tables() {
  static const TableSchemas tables = [] {
    std::vector<TableSchema> out(2);
    out[0].entity = "a";
    out[0].columns = {ColumnType::kDouble,  ColumnType::kInt64,  ColumnType::kInt32,
                      ColumnType::kBool,    ColumnType::kString, ColumnType::kTimestamp,
                      ColumnType::kDecimal, ColumnType::kList};
    out[0].scales = {0, 0, 0, 0, 0, 0, kScale, 0};
    out[0].filters = 2;
    out[1].entity = "b";
    out[1].filters = 1;
    for (TableSchema& schema : out) {
      schema.key_types = {ColumnType::kString};
      schema.retention = 400 * kMicrosPerDay;
    }
    out[0].retention = 100 * kMicrosPerDay;
    out[0].lifetime = features_of(out[0]);
    for (FeatureSpec& feature : out[0].lifetime) {
      feature.lifetime = true;
      feature.window = 0;
    }
    out[0].views = {{0, out[0].retention, true, {}}, {1, kMicrosPerDay, false, {0, 1}}};
    return std::make_shared<const std::vector<TableSchema>>(std::move(out));
  }();
  return tables;
}

void use(const PartitionState& state) {
  const auto& tables = *every_type_tables();
  for (size_t t = 0; t < tables.size(); ++t) {
    const auto table = static_cast<uint16_t>(t);
    auto features = features_of(tables[table]);
    features.insert(features.end(), tables[table].lifetime.begin(), tables[table].lifetime.end());
    std::vector<const FeatureSpec*> wanted;
    for (const FeatureSpec& feature : features) wanted.push_back(&feature);
    std::vector<std::string> keys;
    state.sample_keys(table, 4, &keys);
    keys.emplace_back("none");
    for (const std::string& key : keys) {
      for (const TimeUs as_of : {kStart, kStart + 3600 * kMicrosPerSecond, kMaxTime}) {
        std::vector<FeatureValue> values;
        state.compute(table, key, key.size(), wanted, as_of, &values);
        ASSERT(values.size() == wanted.size());
      }
    }
  }
  for (size_t slot = 0; slot < state.slot_count(); ++slot) {
    if (!state.slot_changed_since(slot, 0)) continue;
    ByteWriter image, again;
    state.encode_image(slot, &image);
    PartitionState one(every_type_tables());
    one.raise_horizon(state.horizon());
    ByteReader in(image.bytes());
    ASSERT(one.apply_image(&in, 1).ok() && in.remaining() == 0);
    if (one.slot_count() == 0 || !one.slot_changed_since(0, 0)) continue;
    one.encode_image(0, &again);
    ASSERT(again.bytes() == image.bytes());
  }
}

PartitionState small_state() {
  PartitionState state(every_type_tables());
  Rows rows;
  rows.times = {kStart, kStart + 1, kStart + 3600 * kMicrosPerSecond};
  rows.keys = {"k", "k", "longer key"};
  Column amount;
  amount.type = ColumnType::kDouble;
  amount.nulls = {0, 1, 0};
  amount.doubles = {1.5, 0, -3};
  Column name;
  name.type = ColumnType::kString;
  name.nulls = {0, 0, 0};
  name.strings = {"ann", "", "bob"};
  Column price;  // 1.10, null, -9999999999.99
  price.type = ColumnType::kDecimal;
  price.nulls = {0, 1, 0};
  std::array<std::array<char, kMaxDecimalEncoding>, 2> digits;
  const size_t small = encode_decimal({110, kScale}, digits[0].data());
  const size_t large = encode_decimal({-999'999'999'999, kScale}, digits[1].data());
  price.strings = {{digits[0].data(), small}, {}, {digits[1].data(), large}};
  Column tags;  // ["a", null], [], null
  tags.type = ColumnType::kList;
  tags.nulls = {0, 0, 1};
  tags.strings = {{"\x05\x02\x01"
                   "a",
                   4},
                  {"\0", 1},
                  {}};
  rows.columns = {amount,
                  ints(ColumnType::kInt64, {1, -2, INT64_MAX}),
                  ints(ColumnType::kInt32, {1, -2, 3}),
                  bools({1, 0, 1}),
                  name,
                  ints(ColumnType::kTimestamp, {kStart, kMinTime, kMaxTime}),
                  price,
                  tags};
  rows.filters = {bools({1, 1, 0}), bools({0, 1, 0})};
  append(0, rows, &state);
  rows.columns.clear();
  rows.filters.resize(1);
  append(1, rows, &state);
  // Folds the first key's rows in table 0, where they have lifetime windows.
  state.raise_horizon(kStart + 100 * kMicrosPerDay + kMicrosPerSecond);
  return state;
}

}  // namespace tidemill::fuzz
