#include "shared/evolution/view_changes.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "shared/base/time.h"
#include "shared/evolution/definition_text.h"
#include "shared/plan/summaries.h"
#include "shared/plan/table_inputs.h"
#include "shared/plan/table_layout.h"
#include "shared/plan/window_kinds.h"

namespace tidemill {
namespace {

using proto::Feature;
using proto::Table;
using proto::View;

constexpr char kStays[] = "what is kept for it stays, for others that may want it";
constexpr char kNotSummarized[] =
    "the summaries of keys do not hold what it needs of rows that have gone into them, which "
    "nobody "
    "has any more; submit it as a job of its own";
constexpr char kFolded[] =
    "the view's rows are folded for the features that it has (max_rows, resolution); submit it as "
    "a "
    "job of its own";
constexpr char kOtherView[] = "; give the view another name in a job of its own";

const View* find_view(const proto::JobPlan& plan, const std::string& name) {
  for (const View& view : plan.views()) {
    if (view.name() == name) return &view;
  }
  return nullptr;
}

const Feature* find_feature(const View& view, const std::string& name) {
  for (const Feature& feature : view.features()) {
    if (feature.name() == name) return &feature;
  }
  return nullptr;
}

const Table& table_of(const proto::JobPlan& plan, const View& view) {
  return plan.tables(static_cast<int>(view.table()));
}

// One by default is the same for all tables, and does not hinder other features (folded_image.h).
bool has_own_bound(const Table& table) { return table.has_bound() && !table.bound().by_default(); }

// Whether a table's rows can do without those on which an expression fails, or without repeated
// ones, or as summaries: then it is one view's alone.
bool is_alone(const View& view, const Table& table) {
  return table.has_deduplication() || has_own_bound(table) || view_can_fail(view, table);
}

// An event on which one fails gives no row of the table.
bool any_can_fail(const Table& table) {
  for (int c = 0; c < table.column_types_size(); ++c) {
    if (column_can_fail(table, c)) return true;
  }
  for (int f = 0; f < table.inputs(0).filters_size(); ++f) {
    if (filter_can_fail(table, f)) return true;
  }
  return false;
}

std::vector<std::string> texts_of(const Table& table, const proto::Deduplication& of) {
  std::vector<std::string> out{std::to_string(of.within_us())};
  for (const uint32_t column : of.by()) {
    out.push_back(column_text(table, static_cast<int32_t>(column)));
  }
  if (of.filter() > 0) out.push_back(filter_text(table, static_cast<int32_t>(of.filter()) - 1));
  return out;
}

bool same_deduplication(const Table& a, const Table& b) {
  if (a.has_deduplication() != b.has_deduplication()) return false;
  return !a.has_deduplication() || texts_of(a, a.deduplication()) == texts_of(b, b.deduplication());
}

bool same_bound(const Table& a, const Table& b) {
  if (has_own_bound(a) != has_own_bound(b)) return false;
  return !has_own_bound(a) || (a.bound().max_rows() == b.bound().max_rows() &&
                               a.bound().resolution_us() == b.bound().resolution_us());
}

// The filters of a view's features, in the order in which they are named for the first time.
std::vector<int32_t> filters_of(const View& view) {
  std::vector<int32_t> out;
  for (const Feature& feature : view.features()) {
    if (feature.filter() < 0) continue;
    if (std::find(out.begin(), out.end(), feature.filter()) == out.end()) {
      out.push_back(feature.filter());
    }
  }
  return out;
}

bool same_order(const View& a, const View& b) {
  return std::equal(a.order().begin(), a.order().end(), b.order().begin(), b.order().end());
}

// What a view needs that no row of the table has.
struct Lacks {
  std::string text;
  void add(const std::string& what) { text += (text.empty() ? "" : " and ") + what; }
};

class ViewLayout {
 public:
  ViewLayout(const Plan& held, const proto::JobPlan& wanted, std::vector<Difference>* differences)
      : held_(held.proto()),
        wanted_(wanted),
        differences_(differences),
        next_number_(held_.next_view_number()) {
    for (const proto::Source& source : wanted.sources()) {
      uint32_t index = UINT32_MAX;
      for (int i = 0; i < held_.sources_size(); ++i) {
        if (held_.sources(i).name() == source.name()) index = static_cast<uint32_t>(i);
      }
      sources_.push_back(index);
    }
    for (int v = 0; v < held_.views_size(); ++v) {
      const View& view = held_.views(v);
      const uint32_t number = number_of(held_, v);
      numbers_[view.name()] = number;
      next_number_ = std::max(next_number_, number + 1);
      if (!is_alone(view, table_of(held_, view))) shared_.insert(view.table());
    }
  }

  NextViews run() {
    std::vector<View> out;
    for (const View& was : held_.views()) {
      const View* is = find_view(wanted_, was.name());
      if (is != nullptr) {
        out.push_back(lay_known(was, *is));
      } else {
        add(path_of(was), "removed", Effect::kAtOnce, kStays);
      }
    }
    for (const View& is : wanted_.views()) {
      if (find_view(held_, is.name()) == nullptr) out.push_back(lay_new(is));
    }
    return {std::move(out), next_number_};
  }

 private:
  static std::string path_of(const View& view) { return "views." + view.name(); }
  static std::string path_of(const View& view, const Feature& feature) {
    return path_of(view) + "." + feature.name();
  }
  void add(const std::string& path, const std::string& change, Effect effect,
           const std::string& reason) {
    differences_->push_back({path, change, effect, reason});
  }

  // A table of the wanted plan with the held one's numbers of sources.
  Table as_held(Table table) const {
    for (proto::TableInput& input : *table.mutable_inputs()) {
      input.set_source(sources_[input.source()]);
    }
    return table;
  }

  static std::set<std::string> failing_of(const View& view, const Table& table) {
    std::set<std::string> out;
    if (!view_can_fail(view, table)) return out;
    for (int c = 0; c < table.column_types_size(); ++c) {
      if (column_can_fail(table, c)) out.insert(column_text(table, c));
    }
    for (int f = 0; f < table.inputs(0).filters_size(); ++f) {
      if (filter_can_fail(table, f)) out.insert("where " + filter_text(table, f));
    }
    return out;
  }

  static std::string list_of(const std::set<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
    return out.empty() ? "none" : out;
  }

  // Whether a view may go on over its rows; if not, what has changed is refused.
  bool same_basis(const View& was, const Table& held, const View& is, const Table& wanted) {
    const std::string path = path_of(is);
    if (was.entity_size() != is.entity_size() || held.entity() != wanted.entity()) {
      add(path + ".entity", held.entity() + " -> " + wanted.entity(), Effect::kRefused,
          std::string("the view's rows are kept by entity") + kOtherView);
      return false;
    }
    if (!same_rows(held, wanted)) {
      add(path, "other sources, keys or conditions of them", Effect::kRefused,
          std::string("they decide which rows there are") + kOtherView);
      return false;
    }
    if (!same_deduplication(held, wanted) || !same_bound(held, wanted)) {
      add(path, "another deduplication, or another bound of its rows", Effect::kRefused,
          std::string("they decide which rows count, and are kept") + kOtherView);
      return false;
    }
    const auto failing = failing_of(was, held);
    const auto now = failing_of(is, wanted);
    if (failing == now) return true;
    add(path, "expressions that can fail: " + list_of(failing) + " -> " + list_of(now),
        Effect::kRefused,
        "an event on which one fails is missing in all of the view's features, and those on which "
        "none fails any more are not kept; write try(...), or" +
            std::string(kOtherView).substr(1));
    return false;
  }

  View lay_known(const View& was, const View& is) {
    const Table& held = table_of(held_, was);
    const Table wanted = as_held(table_of(wanted_, is));
    View out = is;
    out.set_table(was.table());
    out.set_number(numbers_.at(was.name()));
    out.clear_features();
    if (!same_basis(was, held, is, wanted)) return out;
    for (const Feature& before : was.features()) {
      const Feature* after = find_feature(is, before.name());
      if (after == nullptr) {
        propose(path_of(was, before), "removed");
        differences_->back().reason = kStays;
        if (has_own_bound(held)) refuse(path_of(was, before), kFolded);
        continue;
      }
      compare(was, before, wanted, *after);
      lay_feature(is, wanted, held, *after, &out);
    }
    for (const Feature& feature : is.features()) {
      if (find_feature(was, feature.name()) != nullptr) continue;
      propose(path_of(is, feature), "added");
      lay_feature(is, wanted, held, feature, &out);
    }
    const std::string before = order_text(held, was);
    const std::string after = order_text(wanted, is);
    if (before != after) propose(path_of(is) + ".order_by", before + " -> " + after);
    lay_order(is, wanted, held, &out);
    check_lifetimes(out);
    if (held.has_deduplication() && (!same_order(was, out) || filters_of(was) != filters_of(out))) {
      add(path_of(is), "another order of rows, or other conditions", Effect::kRefused,
          std::string("they decide which one of repeated rows counts") + kOtherView);
    }
    return out;
  }

  void compare(const View& view, const Feature& before, const Table& wanted, const Feature& after) {
    const DefinitionText was = feature_text(table_of(held_, view), before);
    const DefinitionText is = feature_text(wanted, after);
    const std::string what = difference_text(was, is);
    if (!what.empty()) propose(path_of(view, before), what);
    unchanged_ = what.empty();
    same_values_ = difference_text(without_default(was), without_default(is)).empty();
  }

  // What a value is computed from: what stands where it would be null is added at the end.
  static DefinitionText without_default(DefinitionText text) {
    std::erase_if(text, [](const auto& entry) { return entry.first == kDefaultKey; });
    return text;
  }

  // Said to be there at once, until something of it turns out to be missing.
  void propose(const std::string& path, const std::string& change) {
    unchanged_ = false;
    same_values_ = false;
    add(path, change, Effect::kAtOnce, "its rows are kept");
  }
  void refuse(const std::string& path, const std::string& reason) {
    if (unchanged_ || differences_->empty() || differences_->back().path != path) {
      add(path, "changed", Effect::kRefused, reason);
      return;
    }
    differences_->back().effect = Effect::kRefused;
    differences_->back().reason = reason;
  }

  View lay_new(const View& is) {
    const Table wanted = as_held(table_of(wanted_, is));
    View out = is;
    out.set_number(next_number_++);
    out.clear_features();
    propose(path_of(is), "added");
    const std::optional<uint32_t> number = shared_table(is, wanted);
    if (!number) {
      refuse(path_of(is),
             is_alone(is, wanted)
                 ? "a view with expressions that can fail, a deduplication or a bound "
                   "has rows of its own, and none are kept for it yet; submit it as "
                   "a job of its own"
                 : "no view of that entity over the same sources is there, so its rows "
                   "are not kept yet; submit it as a job of its own");
      return out;
    }
    out.set_table(*number);
    const Table& held = held_.tables(static_cast<int>(*number));
    for (const Feature& feature : is.features()) {
      propose(path_of(is, feature), "added");
      lay_feature(is, wanted, held, feature, &out);
    }
    propose(path_of(is) + ".order_by", order_text(wanted, is));
    lay_order(is, wanted, held, &out);
    if (differences_->back().effect == Effect::kAtOnce) differences_->pop_back();
    check_lifetimes(out);
    return out;
  }

  // Of a view that has its columns and order.
  void check_lifetimes(const View& view) {
    const auto kept = summarized_features(held_, view.table());
    for (const Feature& feature : view.features()) {
      if (!feature.lifetime() || summaries_hold(kept, feature, view.order())) continue;
      const std::string path = path_of(view, feature);
      const auto known = std::find_if(differences_->begin(), differences_->end(),
                                      [&](const Difference& d) { return d.path == path; });
      if (known == differences_->end()) {
        add(path, "another order of rows", Effect::kRefused, kNotSummarized);
      } else if (known->effect != Effect::kRefused) {
        known->effect = Effect::kRefused;
        known->reason = kNotSummarized;
      }
    }
  }

  // The table that views of this entity over these inputs share. One that no view has any more is
  // none: nobody has written its rows since.
  std::optional<uint32_t> shared_table(const View& view, const Table& wanted) const {
    if (is_alone(view, wanted)) return std::nullopt;
    for (const uint32_t t : shared_) {
      const Table& held = held_.tables(static_cast<int>(t));
      if (!any_can_fail(held) && same_rows(held, wanted)) return t;
    }
    return std::nullopt;
  }

  // Adds the feature to `out`, as one over the held table.
  void lay_feature(const View& view, const Table& wanted, const Table& held, const Feature& feature,
                   View* out) {
    Feature laid = feature;
    Lacks lacks;
    if (feature.column() >= 0) {
      laid.set_column(place_column(wanted, feature.column(), held, &lacks));
    }
    if (feature.by() > 0) {
      const int32_t by = place_column(wanted, static_cast<int32_t>(feature.by()) - 1, held, &lacks);
      laid.set_by(static_cast<uint32_t>(by + 1));
    }
    if (feature.filter() >= 0) {
      const int32_t filter = find_filter(filter_of(wanted, feature.filter()), held);
      if (filter < 0) lacks.add("the condition " + filter_text(wanted, feature.filter()));
      laid.set_filter(filter);
    }
    // Readers leave out events that pass no condition of a table, if nobody asks for them.
    if (feature.filter() < 0 && rows_kept(held_, out->table()) != RowsKept::kAll) {
      lacks.add("an entry for events that pass none of the conditions that there are");
    }
    if (!lacks.text.empty()) {
      refuse(path_of(view, feature),
             "the rows of " + held.entity() + " do not have " + lacks.text +
                 "; submit it as a job of its own, or this job under another name");
    } else if (!feature.lifetime() && reach_of(feature) > reach_kept(held)) {
      refuse(path_of(view, feature), "it looks back " + format_duration(reach_of(feature)) +
                                         ", and rows of " + held.entity() + " are kept for " +
                                         format_duration(reach_kept(held)) +
                                         "; submit it as a job of its own, or this job under "
                                         "another name");
    } else if (feature.lifetime() && reach_of(feature) > reach_kept(held)) {
      refuse(path_of(view, feature), "its window ends " + format_duration(reach_of(feature)) +
                                         " before as_of, and what is older than " +
                                         format_duration(reach_kept(held)) +
                                         " is in the summaries of keys already");
    } else if (has_own_bound(held) && !same_values_) {
      refuse(path_of(view, feature), kFolded);
    }
    *out->add_features() = std::move(laid);
  }

  // How far back features may look: without what deduplication needs beyond them.
  static int64_t reach_kept(const Table& table) {
    return table.retention_us() -
           (table.has_deduplication() ? table.deduplication().within_us() : 0);
  }

  static int32_t place_column(const Table& wanted, int32_t column, const Table& held,
                              Lacks* lacks) {
    const int32_t place = find_column(column_of(wanted, column), held);
    if (place < 0) lacks->add(column_text(wanted, column));
    return place;
  }

  // The difference that the order makes is the last one.
  void lay_order(const View& view, const Table& wanted, const Table& held, View* out) {
    out->clear_order();
    Lacks lacks;
    for (const uint32_t column : view.order()) {
      const int32_t place = place_column(wanted, static_cast<int32_t>(column), held, &lacks);
      out->add_order(static_cast<uint32_t>(std::max(0, place)));
    }
    if (!lacks.text.empty()) {
      refuse(path_of(view) + ".order_by",
             "the rows of " + held.entity() + " do not have " + lacks.text);
    }
  }

  static uint32_t number_of(const proto::JobPlan& plan, int view) {
    const View& of = plan.views(view);
    return of.has_number() ? of.number() : static_cast<uint32_t>(view);
  }

  const proto::JobPlan& held_;
  const proto::JobPlan& wanted_;
  std::vector<Difference>* differences_;
  std::vector<uint32_t> sources_;  // of the wanted plan, in the held one; UINT32_MAX: it has none
  std::map<std::string, uint32_t> numbers_;
  uint32_t next_number_;
  std::set<uint32_t> shared_;  // tables that any view may have
  bool unchanged_ = false;     // the feature at hand
  bool same_values_ = false;   // likewise, but for its default
};

}  // namespace

NextViews changed_views(const Plan& held, const proto::JobPlan& wanted,
                        std::vector<Difference>* differences) {
  return ViewLayout(held, wanted, differences).run();
}

std::vector<Table> kept_tables(const Plan& held) {
  const proto::JobPlan& plan = held.proto();
  std::vector<Table> out(plan.tables().begin(), plan.tables().end());
  for (uint32_t t = 0; t < out.size(); ++t) {
    out[t].clear_summarized();
    for (proto::LifetimeFeature& kept : summarized_features(plan, t)) {
      *out[t].add_summarized() = std::move(kept);
    }
  }
  return out;
}

}  // namespace tidemill
