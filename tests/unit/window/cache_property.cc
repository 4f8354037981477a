#include "tests/unit/window/cache_property.h"

#include <rapidcheck.h>

#include "shared/base/hash.h"
#include "tests/unit/window/any_seed.h"

namespace tidemill::testing {
namespace {

std::vector<Row> rows_of_few_values(const CacheProperty& of, const TableSchema& schema,
                                    Random* random) {
  const RowShape shape{static_cast<int>((*random)() % 3), 0, static_cast<int>((*random)() % 2 * 20),
                       0};
  auto rows = random_rows(2000 + (*random)() % of.more_rows, shape, schema, random);
  const auto few = 1 + static_cast<int64_t>((*random)() % static_cast<uint64_t>(of.values));
  for (Row& row : rows) {
    for (Cell& cell : row.cells) {
      if (auto* x = std::get_if<int64_t>(&cell)) *x %= few;
    }
  }
  return rows;
}

std::vector<FeatureSpec> features_of(const CacheProperty& of, const TableSchema& schema,
                                     DurationUs longest, Random* random) {
  std::vector<FeatureSpec> features = random_features(of.features, schema, longest, random);
  std::erase_if(features, [&](const FeatureSpec& f) { return !of.takes(f); });
  for (FeatureSpec& f : features) {
    if ((*random)() % 2 == 0) f.window = longest + 1;
  }
  return features;
}

}  // namespace

void caches_change_nothing(const CacheProperty& of) {
  Random random(any_seed());
  if (random() % 4 != 0) return;
  const TableSchema schema = every_type_schema(kMaxTime);
  auto rows = rows_of_few_values(of, schema, &random);
  std::vector<Row> late;
  for (size_t i = 0; i < of.late; ++i) late.push_back(rows[random() % rows.size()]);
  const DurationUs longest = rows.back().time - kStart + 1;
  const std::vector<FeatureSpec> features = features_of(of, schema, longest, &random);
  PartitionState state(test_schemas(kMaxTime));
  const uint64_t hash = hash_entity_key("a", schema.entity_seed);
  append_rows(&state, 0, schema, keyed(rows, "a", schema));
  for (size_t at = 0;; at += 100) {
    const TimeUs as_of = rows[random() % 2 == 0 ? rows.size() - 1 : random() % rows.size()].time;
    const auto values = compute(state, 0, "a", hash, features, as_of);
    RC_ASSERT(difference(features, values, compute(state, 0, "a", hash, features, as_of)) == "");
    if (at % of.reference_every == 0) {
      RC_ASSERT(difference(features, reference_all(rows, schema, features, as_of), values) == "");
    }
    if (at == late.size()) break;
    const auto part = std::span(late).subspan(at, 100);
    append_rows(&state, 0, schema, keyed({part.begin(), part.end()}, "a", schema));
    rows.insert(rows.begin() + 500, part.begin(), part.end());
  }
}

}  // namespace tidemill::testing
