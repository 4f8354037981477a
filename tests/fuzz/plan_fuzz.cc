// Plans from the wire: whatever is accepted can be used: its expressions compile, its source
// partitions are found, its generators generate, its tables hold state.
#include <google/protobuf/stubs/logging.h>

#include "shared/expr/evaluator.h"
#include "shared/plan/plan.h"
#include "shared/plan/source_partitions.h"
#include "shared/source/source_cursor.h"
#include "shared/window/partition_state.h"
#include "tests/fuzz/input.h"

namespace tidemill::fuzz {
namespace {

void use_expressions(const proto::JobPlan& plan, const proto::TableInput& input) {
  const proto::Source& source = plan.sources(static_cast<int>(input.source()));
  std::vector<ColumnType> schema;
  for (const proto::Field& field : source.schema()) {
    schema.push_back(static_cast<ColumnType>(field.type()));
  }
  for (const auto* list : {&input.keys(), &input.columns()}) {
    for (const proto::Expr& expr : *list) ASSERT(Evaluator::compile(expr, schema).ok());
  }
  ASSERT(!input.has_where() || Evaluator::compile(input.where(), schema).ok());
  for (const proto::Expr& expr : input.filters()) {
    const auto filter = Evaluator::compile(expr, schema);
    ASSERT(filter.ok() && filter->type() == ColumnType::kBool);
  }
}

void generate(const proto::Source& source) {
  if (!source.has_generator() || source.generator().customers() > 10'000 ||
      source.generator().terminals() > 10'000) {
    return;  // building its tables would take most of the time
  }
  auto cursor = SourceCursor::open(source, 0, 0, {});
  if (!cursor.ok()) return;
  EventBatch batch;
  ASSERT((*cursor)->read(16, 1 << 16, &batch).ok());
  ASSERT(batch.rows() + batch.bad.size() <= 16);
}

void use(const Plan& plan) {
  for (const proto::Table& table : plan.proto().tables()) {
    for (const proto::TableInput& input : table.inputs()) use_expressions(plan.proto(), input);
  }
  for (uint32_t s = 0; s < plan.source_partitions(); ++s) {
    uint32_t index = 0;
    const proto::Source& source = plan.source_of(s, &index);
    ASSERT(index < partition_count(source));
  }
  for (const proto::Source& source : plan.proto().sources()) generate(source);
  PartitionState state(plan.tables());
  for (const ViewSpec& view : plan.views()) {
    std::vector<const FeatureSpec*> features;
    for (const FeatureSpec& feature : view.features) features.push_back(&feature);
    std::vector<FeatureValue> values;
    ASSERT(!state.compute(view.table, "", 0, features, 0, &values));
    ASSERT(values.size() == features.size() && plan.view(view.name) != nullptr);
  }
}

}  // namespace
}  // namespace tidemill::fuzz

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  google::protobuf::SetLogHandler(nullptr);  // it says a line about every string that is not UTF-8
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tidemill;
  proto::JobPlan message;
  if (!message.ParseFromArray(data, static_cast<int>(size))) return -1;
  const auto plan = Plan::from_proto(std::move(message));
  if (plan.ok()) fuzz::use(**plan);
  return 0;
}
