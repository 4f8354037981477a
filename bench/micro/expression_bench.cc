// What expressions of views cost for a row. Items are rows of a batch of card transactions.
#include "bench/micro/harness.h"
#include "bench/micro/inputs.h"
#include "shared/expr/evaluator.h"
#include "shared/source/transaction_generator.h"

namespace tidemill::micro {
namespace {

// As a job has it: the plan of a view that sums it up.
proto::Expr expression_of(const std::string& text) {
  const auto plan = plan_of(R"(job: expression
sources:
  transactions:
    stream: {generator: {events: 1}}
views:
  of_it:
    source: transactions
    entity: [customer_id]
    aggregations: [{name: n, function: count_distinct, column: ")" +
                            text + "\", windows: [1h]}]\n");
  return plan->proto().tables(0).inputs(0).columns(0);
}

void evaluate(benchmark::State& state, const char* text) {
  constexpr uint64_t kRows = 4'096;
  const EventBatch batch = transaction_batch(kRows);
  std::vector<ColumnType> schema;
  for (const Column& column : batch.columns) schema.push_back(column.type);
  Evaluator evaluator = check(Evaluator::compile(expression_of(text), schema));
  std::vector<RowError> errors;
  measure(state, kRows, [&] {
    errors.clear();
    benchmark::DoNotOptimize(evaluator.evaluate(batch, &errors).size());
  });
}
BENCHMARK_CAPTURE(evaluate, arithmetic, "amount * 2 + 1");
BENCHMARK_CAPTURE(evaluate, condition, "amount > 50 and (not is_fraud or terminal_id = '17')");
BENCHMARK_CAPTURE(evaluate, cast, "cast(is_fraud as double)");
BENCHMARK_CAPTURE(
    evaluate, choice,
    "case when amount < 10 then 'low' when amount < 100 then 'middle' else 'high' end");
BENCHMARK_CAPTURE(evaluate, text, "upper(substr(terminal_id, 1, 2)) || '-' || customer_id");
BENCHMARK_CAPTURE(evaluate, pattern, "customer_id like '%1_3'");
BENCHMARK_CAPTURE(evaluate, calendar, "extract(hour from event_time)");

}  // namespace
}  // namespace tidemill::micro
