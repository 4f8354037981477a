#include "shared/evolution/view_changes.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "shared/base/time.h"
#include "shared/evolution/definition_text.h"
#include "shared/evolution/table_rules.h"
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

// What a view needs that no row of the table has.
struct Lacks {
  std::string text;
  void add(const std::string& what) { text += (text.empty() ? "" : " and ") + what; }
};

// Index in `table` of what is a column (filter) of `wanted`; -1 stays -1.
int32_t moved(const Table& wanted, int32_t index, ExprTuple (*of)(const Table&, int32_t),
              int32_t (*shared)(const ExprTuple&, Table*), Table* table) {
  return index < 0 ? index : shared(of(wanted, index), table);
}

class ViewLayout {
 public:
  ViewLayout(const Plan& held, const proto::JobPlan& wanted, std::vector<Difference>* differences)
      : held_(held.proto()),
        wanted_(wanted),
        tables_(kept_tables(held_)),
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
      const bool stays = find_view(wanted_, view.name()) != nullptr;
      if (stays && is_alone(view, table_of(held_, view))) taken_.insert(view.table());
    }
  }

  NextViews run() {
    std::vector<View> out;
    const auto append = [&](std::vector<View> parts) {
      std::move(parts.begin(), parts.end(), std::back_inserter(out));
    };
    for (const View& was : held_.views()) {
      if (was.continued()) continue;
      const View* is = find_view(wanted_, was.name());
      if (is != nullptr) {
        append(lay_known(parts_of(was.name()), *is));
      } else {
        add(path_of(was), "removed", Effect::kAtOnce, kStays);
      }
    }
    for (const View& is : wanted_.views()) {
      if (find_view(held_, is.name()) == nullptr) append(lay_new(is));
    }
    // By now further tables have all their columns.
    for (View& part : out) {
      const View* is = find_view(wanted_, part.name());
      if (is_further(part) && is != nullptr)
        order_part(*is, as_held(table_of(wanted_, *is)), &part);
    }
    return {std::move(out), next_number_, {tables_.begin(), tables_.end()}};
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

  // A view on its way into the next plan: each part over another table, which has what its features
  // need.
  struct Laying {
    const View& view;  // as wanted
    Table wanted;      // its table, with the held plan's numbers of sources
    uint32_t number = 0;
    std::vector<uint32_t> tables;  // that its features may be over, the best first
    std::deque<View> parts;
  };

  std::vector<const View*> parts_of(const std::string& name) const {
    std::vector<const View*> out;
    for (const View& view : held_.views()) {
      if (view.name() == name) out.push_back(&view);
    }
    return out;
  }

  static View* part_over(uint32_t table, Laying* of) {
    for (View& part : of->parts) {
      if (part.table() == table) return &part;
    }
    View& part = of->parts.emplace_back(of->view);
    part.clear_features();
    part.clear_order();
    part.set_table(table);
    part.set_number(of->number);
    return &part;
  }

  static void add_table(uint32_t table, Laying* of) {
    if (std::find(of->tables.begin(), of->tables.end(), table) == of->tables.end()) {
      of->tables.push_back(table);
    }
  }

  std::vector<View> lay_known(const std::vector<const View*>& was, const View& is) {
    const View& first = *was.front();
    Laying of{is, as_held(table_of(wanted_, is)), numbers_.at(is.name()), {}, {}};
    const Table& held = tables_[first.table()];
    if (!same_basis(first, held, is, of.wanted)) return {};
    for (const View* part : was) {
      add_table(part->table(), &of);
      part_over(part->table(), &of);
    }
    if (!is_alone(is, of.wanted)) {
      for (const uint32_t t : tables_for(is, of.wanted)) add_table(t, &of);
    }
    for (const View* part : was) {
      for (const Feature& before : part->features()) {
        const Feature* after = find_feature(is, before.name());
        if (after == nullptr) {
          propose(path_of(is, before), "removed");
          differences_->back().reason = kStays;
          if (has_own_bound(held)) refuse(path_of(is, before), kFolded);
          continue;
        }
        compare(*part, before, of.wanted, *after);
        lay(*after, part->table(), &of);
      }
    }
    for (const Feature& feature : is.features()) {
      const bool known = std::any_of(was.begin(), was.end(), [&](const View* part) {
        return find_feature(*part, feature.name()) != nullptr;
      });
      if (known) continue;
      propose(path_of(is, feature), "added");
      lay(feature, std::nullopt, &of);
    }
    for (View& part : of.parts) order_part(is, of.wanted, &part);
    propose_order(was, of);
    std::vector<View> out = finished(std::move(of.parts));
    if (held.has_deduplication() &&
        (!same_order(first, out.front()) || filters_of(first) != filters_of(out.front()))) {
      add(path_of(is), "another order of rows, or other conditions", Effect::kRefused,
          std::string("they decide which one of repeated rows counts") + kOtherView);
    }
    return out;
  }

  // Rows are in another order than they were in, for features of some part.
  void propose_order(const std::vector<const View*>& was, const Laying& of) {
    for (const View* before : was) {
      for (const View& part : of.parts) {
        if (part.table() != before->table() || part.features_size() == 0) continue;
        if (same_order(*before, part)) continue;
        const Table& table = tables_[part.table()];
        return propose(path_of(of.view) + ".order_by",
                       order_text(table, *before) + " -> " + order_text(table, part));
      }
    }
  }

  // Over the first table whose rows have what the feature needs, `own` before all others; over a
  // further one if none has.
  void lay(const Feature& feature, std::optional<uint32_t> own, Laying* of) {
    std::vector<uint32_t> tables = of->tables;
    if (own) tables.insert(tables.begin(), *own);
    for (const uint32_t t : tables) {
      if (!lacks_of(*of, feature, tables_[t]).text.empty()) continue;
      return lay_feature(*of, tables_[t], feature, part_over(t, of));
    }
    // Then it is said what is missing.
    const bool must_be_there = is_alone(of->view, of->wanted) || feature.lifetime() || unchanged_;
    if (must_be_there && !tables.empty()) {
      return lay_feature(*of, tables_[tables.front()], feature, part_over(tables.front(), of));
    }
    lay_further(feature, of);
  }

  // Over a table that gets its first rows with this change.
  void lay_further(const Feature& feature, Laying* of) {
    const std::string path = path_of(of->view, feature);
    if (feature.lifetime()) {
      return refuse(path,
                    "nothing is known of the rows before the change, so that a lifetime window "
                    "over them would never be complete; submit it as a job of its own");
    }
    const bool alone = is_alone(of->view, of->wanted);
    const uint32_t number = further_table(*of);
    Table* const table = &tables_[number];
    Feature laid = feature;
    if (!alone) {
      const Table& wanted = of->wanted;
      laid.set_column(moved(wanted, feature.column(), &column_of, &shared_column, table));
      laid.set_filter(moved(wanted, feature.filter(), &filter_of, &shared_filter, table));
      const auto by = static_cast<int32_t>(feature.by()) - 1;
      laid.set_by(static_cast<uint32_t>(moved(wanted, by, &column_of, &shared_column, table) + 1));
      for (const uint32_t column : deciding_columns(feature, of->view.order())) {
        shared_column(column_of(wanted, static_cast<int32_t>(column)), table);
      }
      table->set_retention_us(std::max<int64_t>(table->retention_us(), reach_of(feature)));
    }
    *part_over(number, of)->add_features() = std::move(laid);
    fill(path, "complete for every as_of from the newest event time at the change + " +
                   format_duration(reach_of(feature) + table->deduplication().within_us()));
  }

  // Views of one entity and sources share it, unless one must have its rows alone.
  uint32_t further_table(const Laying& of) {
    const auto [known, is_new] =
        further_.try_emplace(of.view.table(), static_cast<uint32_t>(tables_.size()));
    if (is_new) {
      tables_.push_back(is_alone(of.view, of.wanted) ? of.wanted : without_columns(of.wanted));
      tables_.back().set_since_revision(held_.revision() + 1);
    }
    return known->second;
  }

  // Of the view's order the columns that the part's table has: those that are missing decide
  // between no rows of its features. A view that has its rows alone has all of them, or is refused.
  void order_part(const View& view, const Table& wanted, View* part) {
    part->clear_order();
    Lacks lacks;
    for (const uint32_t column : view.order()) {
      const auto index = static_cast<int32_t>(column);
      const int32_t place = find_column(column_of(wanted, index), tables_[part->table()]);
      if (place >= 0) part->add_order(static_cast<uint32_t>(place));
      if (place < 0) lacks.add(column_text(wanted, index));
    }
    if (lacks.text.empty() || !is_alone(view, wanted)) return;
    add(path_of(view) + ".order_by", "changed", Effect::kRefused,
        "the rows of " + wanted.entity() + " do not have " + lacks.text);
  }

  // Whether it is over a table that this change adds.
  bool is_further(const View& part) const {
    return part.table() >= static_cast<uint32_t>(held_.tables_size());
  }

  std::vector<View> finished(std::deque<View> parts) {
    std::vector<View> out;
    for (View& part : parts) {
      if (part.features_size() == 0) continue;
      part.set_continued(!out.empty());
      check_lifetimes(part);
      out.push_back(std::move(part));
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

  std::vector<View> lay_new(const View& is) {
    Laying of{is, as_held(table_of(wanted_, is)), next_number_++, {}, {}};
    for (const uint32_t t : tables_for(is, of.wanted)) {
      const bool all = !is_alone(is, of.wanted) || has_all(of, tables_[t]);
      if (all) of.tables.push_back(t);
    }
    if (is_alone(is, of.wanted) && !of.tables.empty()) {
      of.tables.resize(1);
      taken_.insert(of.tables.front());
    }
    propose(path_of(is), "added");
    const size_t at = differences_->size() - 1;
    for (const Feature& feature : is.features()) {
      propose(path_of(is, feature), "added");
      lay(feature, std::nullopt, &of);
    }
    for (View& part : of.parts) order_part(is, of.wanted, &part);
    const bool fills = std::all_of(of.parts.begin(), of.parts.end(),
                                   [&](const View& part) { return is_further(part); });
    if (fills) {
      (*differences_)[at].effect = Effect::kFills;
      (*differences_)[at].reason = "its rows are kept from the change on";
    }
    return finished(std::move(of.parts));
  }

  // Whether rows that a view had alone have all that this one needs.
  bool has_all(const Laying& of, const Table& held) const {
    const auto& features = of.view.features();
    const auto& order = of.view.order();
    return std::all_of(
               features.begin(), features.end(),
               [&](const Feature& feature) { return lacks_of(of, feature, held).text.empty(); }) &&
           std::all_of(order.begin(), order.end(), [&](uint32_t column) {
             return find_column(column_of(of.wanted, static_cast<int32_t>(column)), held) >= 0;
           });
  }

  // Of a view that has its columns and order.
  void check_lifetimes(const View& view) {
    if (is_further(view)) return;  // it has none
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

  // The tables that the view may be over, of those that there were: those that others of its entity
  // and sources share, or if it must have one alone, such a one that has lost its view. What is
  // folded for features that nobody has any more is of no use.
  std::vector<uint32_t> tables_for(const View& view, const Table& wanted) const {
    std::vector<uint32_t> out;
    for (uint32_t t = 0; t < static_cast<uint32_t>(held_.tables_size()); ++t) {
      const Table& held = tables_[t];
      if (held.fed() == Table::FED_NONE || has_own_bound(held) || !same_rows(held, wanted))
        continue;
      const bool fits = is_alone(view, wanted) ? !is_had(t) && !has_own_bound(wanted) &&
                                                     leaves_out_the_same(held, view, wanted)
                                               : !held.has_deduplication() && !any_can_fail(held);
      if (fits) out.push_back(t);
    }
    return out;
  }

  bool is_had(uint32_t table) const {
    return taken_.contains(table) ||
           std::any_of(held_.views().begin(), held_.views().end(), [&](const View& view) {
             return view.table() == table && find_view(wanted_, view.name()) != nullptr;
           });
  }

  // What the table's rows lack of what the feature needs.
  static Lacks lacks_of(const Laying& of, const Feature& feature, const Table& held) {
    Lacks out;
    std::vector<int32_t> columns;
    if (feature.column() >= 0) columns.push_back(feature.column());
    if (feature.by() > 0) columns.push_back(static_cast<int32_t>(feature.by()) - 1);
    const auto add_missing = [&](int32_t column) {
      if (find_column(column_of(of.wanted, column), held) < 0) {
        out.add(column_text(of.wanted, column));
      }
    };
    for (const int32_t column : columns) add_missing(column);
    if (feature.filter() >= 0 && find_filter(filter_of(of.wanted, feature.filter()), held) < 0) {
      out.add("the condition " + filter_text(of.wanted, feature.filter()));
    }
    for (const uint32_t column : deciding_columns(feature, of.view.order())) {
      const auto index = static_cast<int32_t>(column);
      if (std::find(columns.begin(), columns.end(), index) == columns.end()) add_missing(index);
    }
    // Readers leave out events that pass no condition of a table, if nobody asks for them.
    if (feature.filter() < 0 && held.fed() != Table::FED_ALL) {
      out.add("an entry for events that pass none of the conditions that there are");
    }
    return out;
  }

  // Adds the feature to `out`, as one over the held table.
  void lay_feature(const Laying& of, const Table& held, const Feature& feature, View* out) {
    const View& view = of.view;
    Feature laid = feature;
    if (feature.column() >= 0) {
      laid.set_column(find_column(column_of(of.wanted, feature.column()), held));
    }
    if (feature.by() > 0) {
      const auto by = static_cast<int32_t>(feature.by()) - 1;
      laid.set_by(static_cast<uint32_t>(find_column(column_of(of.wanted, by), held) + 1));
    }
    if (feature.filter() >= 0) {
      laid.set_filter(find_filter(filter_of(of.wanted, feature.filter()), held));
    }
    const Lacks lacks = lacks_of(of, feature, held);
    if (!lacks.text.empty()) {
      refuse(path_of(view, feature),
             "the rows of " + held.entity() + " do not have " + lacks.text +
                 "; submit it as a job of its own, or this job under another name");
    } else if (feature.lifetime() && reach_of(feature) > first_reach(held)) {
      refuse(path_of(view, feature), "its window ends " + format_duration(reach_of(feature)) +
                                         " before as_of, and what is older than " +
                                         format_duration(first_reach(held)) +
                                         " is in the summaries of keys already");
    } else if (has_own_bound(held) && !same_values_) {
      refuse(path_of(view, feature), kFolded);
    } else if (!feature.lifetime()) {
      keep_for(view, feature, out->table());
    }
    *out->add_features() = std::move(laid);
  }

  // Has the table keep rows for as long as the feature looks back.
  void keep_for(const View& view, const Feature& feature, uint32_t number) {
    Table* const table = &tables_[number];
    const Table& was = held_.tables(static_cast<int>(number));
    const int64_t reach = reach_of(feature);
    const int64_t more = reach - reach_kept(was);
    if (more > 0) {
      if (!table->has_first_retention_us()) table->set_first_retention_us(table->retention_us());
      const int64_t needed = reach + table->deduplication().within_us();
      table->set_retention_us(std::max<int64_t>(table->retention_us(), needed));
      return fill(path_of(view, feature),
                  "rows of " + was.entity() + " are kept for " + format_duration(reach_kept(was)) +
                      " so far; complete for every as_of from the horizon at the change + " +
                      format_duration(more));
    }
    if (was.since_revision() == 0 && reach <= first_reach(was)) return;
    fill(path_of(view, feature),
         "rows of " + was.entity() +
             " are kept that far back since a former change: until they are there it says since "
             "when it is complete");
  }

  void fill(const std::string& path, const std::string& reason) {
    if (unchanged_ || differences_->empty() || differences_->back().path != path) return;
    differences_->back().effect = Effect::kFills;
    differences_->back().reason = reason;
  }

  static uint32_t number_of(const proto::JobPlan& plan, int view) {
    const View& of = plan.views(view);
    return of.has_number() ? of.number() : static_cast<uint32_t>(view);
  }

  const proto::JobPlan& held_;
  const proto::JobPlan& wanted_;
  std::deque<Table> tables_;  // of the next plan
  std::vector<Difference>* differences_;
  std::vector<uint32_t> sources_;  // of the wanted plan, in the held one; UINT32_MAX: it has none
  std::map<std::string, uint32_t> numbers_;
  uint32_t next_number_;
  std::set<uint32_t> taken_;              // tables that are of one view alone
  std::map<uint32_t, uint32_t> further_;  // by table of the wanted plan
  bool unchanged_ = false;                // the feature at hand
  bool same_values_ = false;              // likewise, but for its default
};

}  // namespace

NextViews changed_views(const Plan& held, const proto::JobPlan& wanted,
                        std::vector<Difference>* differences) {
  return ViewLayout(held, wanted, differences).run();
}

}  // namespace tidemill
