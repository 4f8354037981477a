#include "shared/evolution/evolution.h"

#include <algorithm>
#include <map>

#include "shared/base/time.h"
#include "shared/evolution/source_changes.h"
#include "shared/evolution/table_rules.h"
#include "shared/evolution/view_changes.h"

namespace tidemill {
namespace {

bool any_refused(const std::vector<Difference>& differences) {
  return std::any_of(differences.begin(), differences.end(),
                     [](const Difference& d) { return d.effect == Effect::kRefused; });
}

std::string edge_text(proto::JobPlan::LeadingEdge edge) {
  return edge == proto::JobPlan::EVENT ? "event" : "wall";
}

void compare_settings(const proto::JobPlan& running, const proto::JobPlan& wanted,
                      std::vector<Difference>* out) {
  const auto add = [&](const char* key, const std::string& was, const std::string& is,
                       Effect effect, const char* reason) {
    if (was != is) out->push_back({key, was + " -> " + is, effect, reason});
  };
  add("job", running.job(), wanted.job(), Effect::kRefused,
      "a running job keeps its name; submit the definition as a job of its own");
  add("key_partitions", std::to_string(running.key_partitions()),
      std::to_string(wanted.key_partitions()), Effect::kRefused,
      "state is kept by key partition; submit the job under another name");
  add("standby_replicas", std::to_string(running.standby_replicas()),
      std::to_string(wanted.standby_replicas()), Effect::kAtOnce,
      "standbys are begun, or given up");
  add("allowed_lateness", format_duration(running.allowed_lateness_us()),
      format_duration(wanted.allowed_lateness_us()), Effect::kAtOnce,
      "the horizon, which only rises, follows it from now on");
  add("leading_edge", edge_text(running.leading_edge()), edge_text(wanted.leading_edge()),
      Effect::kAtOnce, "it is the default of as_of in a read");
}

void compare_services(const proto::JobPlan& running, const proto::JobPlan& wanted,
                      std::vector<Difference>* out) {
  std::map<std::string, std::string> before;
  std::map<std::string, std::string> after;
  for (const proto::Service& s : running.services()) before[s.name()] = s.SerializeAsString();
  for (const proto::Service& s : wanted.services()) after[s.name()] = s.SerializeAsString();
  const auto add = [&](const std::string& name, const char* change) {
    out->push_back({"services." + name, change, Effect::kAtOnce, "services are lists of features"});
  };
  for (const auto& [name, text] : before) {
    const auto found = after.find(name);
    if (found == after.end()) add(name, "removed");
    if (found != after.end() && found->second != text) add(name, "other features");
  }
  for (const auto& [name, text] : after) {
    if (!before.contains(name)) add(name, "added");
  }
}

// The next plan but for its sources.
std::unique_ptr<proto::JobPlan> with_views(const Plan& held, const proto::JobPlan& wanted,
                                           std::vector<Difference>* differences) {
  auto next = std::make_unique<proto::JobPlan>(wanted);
  next->clear_tables();
  next->clear_views();
  next->set_revision(held.proto().revision() + 1);
  NextViews views = changed_views(held, wanted, differences);
  for (proto::View& view : views.views) *next->add_views() = std::move(view);
  next->set_next_view_number(views.next_number);
  for (proto::Table& table : views.tables) *next->add_tables() = std::move(table);
  if (any_refused(*differences)) return next;
  for (int t = 0; t < next->tables_size(); ++t) {  // further ones
    proto::Table* table = next->mutable_tables(t);
    if (table->fed() == proto::Table::FED_UNSPECIFIED) state_what_feeds(*next, t, table);
  }
  next->set_format_version(plan_format_of(*next));
  return next;
}

void refuse_whole(const Error& error, std::vector<Difference>* differences) {
  differences->push_back({"job", "changed", Effect::kRefused, error.message()});
}

}  // namespace

Evolution evolve(const Plan& running, const proto::JobPlan& wanted) {
  Evolution out;
  const proto::JobPlan& held = running.proto();
  compare_settings(held, wanted, &out.differences);
  const auto sources = changed_sources(held, wanted, &out.differences);
  auto next = with_views(running, wanted, &out.differences);
  compare_services(held, wanted, &out.differences);
  if (any_refused(out.differences)) return out;
  next->clear_sources();
  for (const proto::Source& source : sources) *next->add_sources() = source;
  *next->mutable_source_partitions() = held.source_partitions();
  auto plan = Plan::from_proto(std::move(*next));
  if (!plan) {
    refuse_whole(plan.error(), &out.differences);
    return out;
  }
  out.plan = std::move(*plan);
  return out;
}

LaidOver lay_over(const Plan& held, const proto::JobPlan& wanted) {
  LaidOver out;
  auto next = with_views(held, wanted, &out.differences);
  if (any_refused(out.differences)) return out;
  out.plan = std::move(next);
  return out;
}

}  // namespace tidemill
