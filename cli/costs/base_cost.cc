#include "cli/costs/base_cost.h"

#include <algorithm>

#include "cli/costs/row_cost.h"
#include "shared/plan/features.h"
#include "shared/window/base_summary.h"

namespace tidemill::costs {
namespace {

// Third and fourth powers of ordinary numbers, and a sum of values that decay.
constexpr double kWideBytes = sizeof(WideSums) + 3 * 8 * sizeof(uint64_t);
constexpr double kBucketBytes = 16;
constexpr double kSlackRows =
    16;  // of rows for lists: at most twice as many as needed, or so many more
constexpr double kIndexBytes = 8;  // of a counted value
constexpr double kGroupsRoom = 1.5;
constexpr double kGroupBytes = 250;  // with ordinary sums

struct Kept {
  std::string what;
  std::string bound;
  double bytes = 0;
};

std::string up_to(uint64_t n, const char* what) {
  return "up to " + std::to_string(n) + " " + what;
}

Kept of_numbers(Families families) {
  const bool wide = (families & kWide) != 0;
  return {"sums, counts, extremes", "", sizeof(Summary) + (wide ? kWideBytes : 0)};
}

Kept of_hashes(uint32_t n) {
  return {"hashes of distinct values", up_to(uint64_t{n} + 1, "hashes"),
          (n + 1.0) * sizeof(uint64_t)};
}

Kept of_sketch(const CollectionSpec& spec, ColumnType type) {
  switch (spec.kind) {
    case CollectionKind::kRegisters: {
      const uint64_t registers = uint64_t{1} << spec.n;
      return {"registers of distinct values", up_to(registers, "registers"),
              static_cast<double>(registers)};
    }
    case CollectionKind::kBuckets:
      return {"buckets of numbers", up_to(spec.n, "buckets"), spec.n * kBucketBytes};
    default: {
      const double text = storage_of(type) == Storage::kStrings ? kTextBytes : 0;
      return {"how often each value occurs", up_to(spec.n, "values"),
              spec.n * (sizeof(ValueCounts::Entry) + kIndexBytes + text)};
    }
  }
}

// Of so many groups half as many again may gather before some go.
Kept of_groups(const proto::Feature& feature, ColumnType by) {
  const double text = storage_of(by) == Storage::kStrings ? kTextBytes : 0;
  const auto group = static_cast<double>(largest_group_bytes(feature));
  return {"what the function needs of each value of by", up_to(feature.max_groups(), "values"),
          kGroupsRoom * feature.max_groups() * (kGroupBytes + group + text)};
}

Kept of_rows(uint32_t n, double row) {
  return {"rows of lists", up_to(n, "rows, and as many on their way out"),
          std::max(2.0 * n, n + kSlackRows) * row};
}

// Costs of one table by what is kept, in the order in which features ask for it.
class Costs {
 public:
  Costs(const TableSchema& schema) : schema_(schema), plan_(schema) {}

  void add(const std::string& name, const FeatureSpec& feature, const proto::Feature& message) {
    const SummaryInput input = summary_input_of(feature);
    if (!reads_collection(feature)) {
      const size_t at = plan_.numbers_of(input);
      return add(name, 'n', at, of_numbers(plan_.numbers[at].families));
    }
    const CollectionSpec spec = collection_of(feature);
    if (spec.is_sketch() && spec.grouped()) {
      const ColumnType by = schema_.columns[static_cast<size_t>(spec.by)];
      return add(name, 's', plan_.sketch_of(spec), of_groups(message, by));
    }
    if (spec.is_sketch()) {
      const ColumnType type = schema_.columns[static_cast<size_t>(spec.column)];
      return add(name, 's', plan_.sketch_of(spec), of_sketch(spec, type));
    }
    if (spec.kind == CollectionKind::kHashes) {
      const size_t at = plan_.hashes_of(input);
      return add(name, 'h', at, of_hashes(plan_.hashes[at].n));
    }
    const auto list = std::find_if(plan_.lists.begin(), plan_.lists.end(), [&](const auto& each) {
      CollectionSpec same = spec;
      same.n = each.n;
      return each == same;
    });
    add(name, 'l', static_cast<size_t>(list - plan_.lists.begin()),
        of_rows(spec.grouped() ? spec.max_groups : list->n, row_bytes(schema_)));
  }

  std::vector<BaseCost> take() { return std::move(costs_); }

 private:
  void add(const std::string& name, char kind, size_t at, Kept kept) {
    const auto [index, is_new] = index_.try_emplace({kind, at}, costs_.size());
    if (is_new) costs_.push_back({std::move(kept.what), std::move(kept.bound), {}, kept.bytes});
    costs_[index->second].features.push_back(name);
  }

  const TableSchema& schema_;
  const BasePlan plan_;
  std::map<std::pair<char, size_t>, size_t> index_;
  std::vector<BaseCost> costs_;
};

}  // namespace

std::vector<BaseCost> base_costs(const Plan& plan, uint16_t table) {
  Costs costs((*plan.tables())[table]);
  for (size_t v = 0; v < plan.views().size(); ++v) {
    const ViewSpec& view = plan.views()[v];
    if (view.table != table) continue;
    for (size_t f = 0; f < view.features.size(); ++f) {
      const FeatureSpec& feature = view.features[f];
      const proto::View& message = plan.proto().views(static_cast<int>(v));
      if (!feature.lifetime) continue;
      costs.add(view.name + "." + feature.name, feature, message.features(static_cast<int>(f)));
    }
  }
  return costs.take();
}

}  // namespace tidemill::costs
