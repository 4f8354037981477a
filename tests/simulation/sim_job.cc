#include "tests/simulation/sim_job.h"

#include <algorithm>
#include <functional>
#include <map>
#include <tuple>

#include "shared/base/time.h"
#include "tests/simulation/fold_tiles.h"

namespace tidemill::test {

using nlohmann::json;

namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kShareModulus = 37;
constexpr const char* kVisitsView = "customer_visits";
constexpr const char* kEveryoneView = "everyone";
constexpr size_t kExactUpTo = 16;

constexpr const char* kJob = R"(
job: %NAME%
%STANDBYS%key_partitions: %KEY_PARTITIONS%
allowed_lateness: 8s
sources:
  transactions:
    max_out_of_orderness: 4s
    stream:
      generator: {partitions: 3, events: %EVENTS%, seed: %SEED%,
                  customers: %CUSTOMERS%, terminals: %TERMINALS%,
                  start_time: 2029-01-01T00:00:00Z,
                  zipf_exponent: 0.8, events_per_second: %RATE%, late_share: 0.1, late_by: 4s,
                  tie_share: 0.1, malformed_share: %MALFORMED%, fraud_share: 0.05, replay: %REPLAY%x}
views:
  customer:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, windows: [5s, 40s]}
      - {function: sum, column: amount, windows: [5s, 40s]}
      - {function: mean, column: amount, windows: [40s]}
      - {function: min, column: amount, windows: [40s]}
      - {function: max, column: amount, windows: [5s]}
      - {function: stddev, column: amount, windows: [40s]}
      - {function: last_n, column: amount, n: 3, windows: [40s]}
  customer_history:
    source: transactions
    entity: [customer_id]
    order_by: [transaction_id]
    aggregations:
      - {function: count, windows: [lifetime]}
      - {function: sum, column: amount, windows: [lifetime]}
      - {function: stddev, column: amount, windows: [lifetime]}
      - {function: min, column: amount, windows: [lifetime]}
      - {function: top_k, column: amount, k: 3, windows: [20s, lifetime]}
      - {function: first, column: terminal_id, windows: [20s, lifetime]}
      - {function: last_n, column: terminal_id, n: 4, windows: [20s, lifetime]}
      - {function: first_distinct_n, column: terminal_id, n: 3, windows: [20s, lifetime]}
      - {function: last_distinct_n, column: terminal_id, n: 3, windows: [20s, lifetime]}
      - {function: count_distinct, column: terminal_id, exact_up_to: 16, windows: [20s, lifetime]}
  customer_visits:
    source: transactions
    entity: [customer_id]
    deduplicate: {by: [terminal_id], within: 12s}
    order_by: [transaction_id]
    aggregations:
      - {function: count, windows: [10s, 30s]}
      - {function: sum, column: amount, windows: [10s, 30s]}
      - {function: last_n, column: terminal_id, n: 4, windows: [30s]}
      - {function: count_distinct, column: terminal_id, exact_up_to: 16, windows: [30s]}
  everyone:
    union:
      - {source: transactions, columns: {everyone: "'all'", amount: amount, terminal_id: terminal_id, transaction_id: transaction_id}}
      - {source: transactions, columns: {everyone: "'all'", amount: amount, terminal_id: terminal_id, transaction_id: transaction_id}}
    entity: [everyone]
    max_rows: 1000
    resolution: 3s
    order_by: [transaction_id]
    aggregations:
      - {function: count, windows: [10s, 30s, lifetime]}
      - {function: stddev, column: amount, windows: [10s, 30s, lifetime]}
      - {function: last_n, column: terminal_id, n: 4, windows: [10s, lifetime]}
      - {function: count_distinct, column: terminal_id, exact_up_to: 16, windows: [30s, lifetime]}
      - {function: top_k, column: amount, k: 3, windows: [30s]}
  terminal_risk:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {name: nb_tx, function: count, windows: [20s], offset: 10s}
      - {name: risk, function: mean, column: cast(is_fraud as double), windows: [20s], offset: 10s}
  terminal_share:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {name: share, function: sum, column: 1000 / (transaction_id % 37), windows: [30s]}
      - {name: nb_tx, function: count, windows: [30s]}
)";

// Rows of `everyone` are kept for 30 s, and 12 s more until the horizon: an eighth of that, rounded
// down to a power of two. Of a tile 64 rows are kept for each leaf as short as its resolution.
constexpr FoldBound kEveryoneBound{int64_t{1} << 22, 128, 2, int64_t{1} << 21};
constexpr int64_t kVisit = 12 * kSecond;

// What an update puts in place of what: features come, go, and stay under another window.
constexpr std::pair<const char*, const char*> kRevision[] = {
    {"{function: count, windows: [5s, 40s]}", "{function: count, windows: [5s, 40s, 55s]}"},
    {"{function: count, windows: [10s, 30s]}", "{function: count, windows: [10s, 30s, 50s]}"},
    {"{name: share, function: sum, column: 1000 / (transaction_id % 37), windows: [30s]}",
     "{name: share, function: sum, column: 1000 / (transaction_id % 37), windows: [30s, 45s]}"},
    {"{function: sum, column: amount, windows: [5s, 40s]}",
     "{function: sum, column: amount, windows: [15s, 40s]}"},
    {"{function: mean, column: amount, windows: [40s]}",
     "{function: mean, column: amount, windows: [10s, 40s, 25s]}"},
    {"      - {function: stddev, column: amount, windows: [40s]}\n", ""},
    {"      - {function: stddev, column: amount, windows: [lifetime]}\n",
     "      - {function: mean, column: amount, windows: [lifetime, 30s]}\n"},
    {"windows: [20s, lifetime]}\n      - {function: first, column: terminal_id",
     "windows: [35s]}\n      - {function: first, column: terminal_id"},
    {"      - {function: sum, column: amount, windows: [10s, 30s]}\n",
     "      - {function: stddev, column: amount, windows: [20s]}\n"},
    {"{name: risk, function: mean, column: cast(is_fraud as double), windows: [20s], offset: 10s}",
     "{name: risk, function: mean, column: cast(is_fraud as double), windows: [5s, 20s], offset: "
     "10s}\n      - {name: top, function: max, column: amount, windows: [20s], offset: 10s}"},
    {"      - {name: nb_tx, function: count, windows: [30s]}\n",
     "      - {name: total, function: sum, column: 1000 / (transaction_id % 37), windows: "
     "[12s]}\n"},
    {"views:\n", R"(services:
  all: {features: [customer.*, terminal_share.share_30s]}
views:
  customer_new:
    source: transactions
    entity: [customer_id]
    aggregations:
      - {function: count, where: amount > 50, windows: [20s]}
      - {name: double, function: sum, column: amount * 2, windows: [20s, 30s]}
  terminal_new:
    source: transactions
    entity: [terminal_id]
    aggregations:
      - {name: greatest, function: max, column: amount, windows: [15s]}
)"},
};

std::vector<double> amounts(const FoldRows& rows) {
  std::vector<double> out;
  out.reserve(rows.size());
  for (const FoldEvent* e : rows) out.push_back(e->amount);
  return out;
}

FoldTexts terminals(const FoldRows& rows) {
  FoldTexts out;
  out.reserve(rows.size());
  for (const FoldEvent* e : rows) out.push_back(e->terminal);
  return out;
}

json doubled(const FoldRows& rows) {
  std::vector<double> values;
  for (const FoldEvent* e : rows) values.push_back(e->amount * 2);
  return fold_sum(values);
}

json large_ones(const FoldRows& rows) {
  return std::count_if(rows.begin(), rows.end(), [](const FoldEvent* e) { return e->amount > 50; });
}

json greatest_amount(const FoldRows& rows) {
  const json greatest = fold_top_k(amounts(rows), 1);
  return greatest.empty() ? json() : greatest[0];
}

json least_amount(const FoldRows& rows) {
  const auto values = amounts(rows);
  return values.empty() ? json() : json(*std::min_element(values.begin(), values.end()));
}

json fraud_share(const FoldRows& rows) {
  std::vector<double> values;
  for (const FoldEvent* e : rows) values.push_back(e->is_fraud ? 1 : 0);
  return fold_mean(values);
}

json shares(const FoldRows& rows) {
  std::vector<double> values;
  for (const FoldEvent* e : rows) {
    const int64_t share = 1000 / (e->id % kShareModulus);  // of integers, as the view's expression
    values.push_back(static_cast<double>(share));
  }
  return fold_sum(values);
}

// `customer` has no order_by: rows of one time go by its one input column.
json last_amounts(FoldRows rows) {
  std::sort(rows.begin(), rows.end(), [](const FoldEvent* a, const FoldEvent* b) {
    return std::tie(a->time, a->amount) < std::tie(b->time, b->amount);
  });
  const auto values = amounts(rows);
  if (values.empty()) return nullptr;
  return std::vector<double>(values.end() - std::min<ptrdiff_t>(3, std::ssize(values)),
                             values.end());
}

// By "view.feature"; the rows are by (event time, transaction id).
using Fold = std::function<json(const FoldRows&)>;

const std::map<std::string, Fold>& folds() {
  static const Fold count = [](const FoldRows& rows) { return json(rows.size()); };
  static const Fold sum = [](const FoldRows& rows) { return fold_sum(amounts(rows)); };
  static const Fold stddev = [](const FoldRows& rows) { return fold_stddev(amounts(rows)); };
  static const Fold last_terminals = [](const FoldRows& rows) {
    return fold_last_n(terminals(rows), 4);
  };
  static const Fold distinct_terminals = [](const FoldRows& rows) {
    return fold_count_distinct(terminals(rows), kExactUpTo);
  };
  static const Fold greatest_amounts = [](const FoldRows& rows) {
    return fold_top_k(amounts(rows), 3);
  };
  static const std::map<std::string, Fold> folds{
      {"customer.count", count},
      {"customer.amount_sum", sum},
      {"customer.amount_mean", [](const FoldRows& rows) { return fold_mean(amounts(rows)); }},
      {"customer.amount_min", least_amount},
      {"customer.amount_max", greatest_amount},
      {"customer.amount_stddev", stddev},
      {"customer.amount_last_n", last_amounts},
      {"customer_history.count", count},
      {"customer_history.amount_sum", sum},
      {"customer_history.amount_stddev", stddev},
      {"customer_history.amount_mean",
       [](const FoldRows& rows) { return fold_mean(amounts(rows)); }},
      {"customer_history.amount_min", least_amount},
      {"customer_history.amount_top_k", greatest_amounts},
      {"customer_history.terminal_id_first",
       [](const FoldRows& rows) { return rows.empty() ? json() : json(rows[0]->terminal); }},
      {"customer_history.terminal_id_last_n", last_terminals},
      {"customer_history.terminal_id_first_distinct_n",
       [](const FoldRows& rows) { return fold_first_distinct_n(terminals(rows), 3); }},
      {"customer_history.terminal_id_last_distinct_n",
       [](const FoldRows& rows) { return fold_last_distinct_n(terminals(rows), 3); }},
      {"customer_history.terminal_id_count_distinct", distinct_terminals},
      {"customer_visits.count", count},
      {"customer_visits.amount_sum", sum},
      {"customer_visits.amount_stddev", stddev},
      {"customer_visits.terminal_id_last_n", last_terminals},
      {"customer_visits.terminal_id_count_distinct", distinct_terminals},
      {"everyone.count", count},
      {"everyone.amount_stddev", stddev},
      {"everyone.terminal_id_last_n", last_terminals},
      {"everyone.terminal_id_count_distinct", distinct_terminals},
      {"everyone.amount_top_k", greatest_amounts},
      {"terminal_risk.nb_tx", count},
      {"terminal_risk.risk", fraud_share},
      {"terminal_risk.top", greatest_amount},
      {"terminal_share.share", shares},
      {"terminal_share.total", shares},
      {"terminal_share.nb_tx", count},
      {"customer_new.count", large_ones},
      {"customer_new.double", doubled},
      {"terminal_new.greatest", greatest_amount},
  };
  return folds;
}

// Those that count, of rows by (time, transaction id): not soon after another one at the terminal.
FoldRows visits(const FoldRows& rows) {
  FoldRows out;
  std::map<std::string, TimeUs> last;
  for (const FoldEvent* row : rows) {
    const auto [before, first] = last.try_emplace(row->terminal, row->time);
    if (first || row->time - before->second >= kVisit) out.push_back(row);
    before->second = row->time;
  }
  return out;
}

FoldRows twice(const FoldRows& rows) {
  FoldRows out;
  for (const FoldEvent* row : rows) out.insert(out.end(), 2, row);
  return out;
}

}  // namespace

const std::array<SimView, 8> kSimViews{{
    {"customer", "customer_id", &FoldEvent::customer, 0},
    {"customer_history", "customer_id", &FoldEvent::customer, 0},
    {kVisitsView, "customer_id", &FoldEvent::customer, 0},
    {kEveryoneView, "everyone", &FoldEvent::everyone, 0},
    {"terminal_risk", "terminal_id", &FoldEvent::terminal, 10 * kSecond},
    {kFallibleView, "terminal_id", &FoldEvent::terminal, 0},
    {"customer_new", "customer_id", &FoldEvent::customer, 0, true},
    {"terminal_new", "terminal_id", &FoldEvent::terminal, 0, true},
}};

std::string sim_job_yaml(uint64_t seed, const std::string& name, const SimPlan& plan,
                         bool revised) {
  std::string yaml = kJob;
  for (const auto& [before, after] : kRevision) {
    const std::string mark = before;
    ASSERT(yaml.find(mark) != std::string::npos);
    if (revised) yaml.replace(yaml.find(mark), mark.size(), after);
  }
  const auto put = [&](const std::string& mark, const std::string& text) {
    yaml.replace(yaml.find(mark), mark.size(), text);
  };
  put("%NAME%", name);
  put("%STANDBYS%", plan.standbys ? "standby_replicas: 1\n" : "");
  put("%KEY_PARTITIONS%", std::to_string(plan.shape.key_partitions));
  put("%EVENTS%", std::to_string(plan.shape.events));
  put("%CUSTOMERS%", std::to_string(plan.shape.customers));
  put("%TERMINALS%", std::to_string(plan.shape.terminals));
  put("%RATE%", std::to_string(plan.shape.events_per_second));
  put("%MALFORMED%", plan.shape.events < 1'000 ? "0.02" : "0.005");
  put("%REPLAY%", std::to_string(plan.shape.replay));
  put("%SEED%", std::to_string(seed));
  return yaml;
}

bool fails_in_view(const FoldEvent& event) { return event.id % kShareModulus == 0; }

void sort_rows(FoldRows* rows) {
  std::sort(rows->begin(), rows->end(), [](const FoldEvent* a, const FoldEvent* b) {
    return std::tie(a->time, a->id) < std::tie(b->time, b->id);
  });
}

FoldRows rows_of_view(const SimView& view, const FoldRows& events_of_key,
                      const std::vector<uint64_t>& below) {
  FoldRows rows = rows_until(events_of_key, below);
  if (view.name == std::string(kFallibleView)) {
    std::erase_if(rows, [](const FoldEvent* e) { return fails_in_view(*e); });
  }
  if (view.name == std::string(kVisitsView)) return visits(rows);
  if (view.name == std::string(kEveryoneView)) return twice(rows);
  return rows;
}

std::optional<DurationUs> sim_window_of(const std::string& feature) {
  const std::string window = feature.substr(feature.rfind('_') + 1);
  return window == "lifetime" ? std::nullopt : std::optional(*parse_duration(window));
}

FoldedFeature fold_feature(const SimView& view, const std::string& feature, const FoldRows& rows,
                           TimeUs end) {
  const size_t split = feature.rfind('_');
  const auto fold = folds().find(view.name + ("." + feature.substr(0, split)));
  ASSERT(fold != folds().end());
  const auto length = sim_window_of(feature);
  CountedRows counted;
  if (view.name == std::string(kEveryoneView)) {
    counted = counted_of_window(rows, kEveryoneBound, end, length);
  } else {
    counted.rows = rows_of_window(rows, end, length);
  }
  return {fold->second(counted.rows), counted.resolution, counted.rows.size()};
}

}  // namespace tidemill::test
