// What of a table views must have in common with it, and what stays of it whatever views there are.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// A bound that a view states. One by default is the same for all tables, and does not hinder other
// features (folded_image.h).
bool has_own_bound(const proto::Table& table);

// Whether a table's rows can do without those on which an expression fails, or without repeated
// ones, or as summaries: then it is one view's alone.
bool is_alone(const proto::View& view, const proto::Table& table);

// Whether one of its columns or filters can: an event on which one fails gives no row of the table.
bool any_can_fail(const proto::Table& table);
// Those that can, for people; of a view none if it cannot.
std::set<std::string> failing_in(const proto::Table& table);
std::set<std::string> failing_of(const proto::View& view, const proto::Table& table);

bool same_deduplication(const proto::Table& a, const proto::Table& b);
bool same_bound(const proto::Table& a, const proto::Table& b);
bool same_order(const proto::View& a, const proto::View& b);
// The filters of a view's features, in the order in which they are named for the first time.
std::vector<int32_t> filters_of(const proto::View& view);

// Whether a table that was of one view alone leaves out what this one, over `wanted`, would leave
// out.
bool leaves_out_the_same(const proto::Table& held, const proto::View& view,
                         const proto::Table& wanted);

// How far back features may look: without what deduplication needs beyond them. And how far when
// the table was first made.
int64_t reach_kept(const proto::Table& table);
int64_t first_reach(const proto::Table& table);

// The plan's tables as they go on with other views: as they are, with what those that they had
// decide.
std::deque<proto::Table> kept_tables(const proto::JobPlan& plan);

// States in the plan's table which events give it rows: those that its views need.
void state_what_feeds(const proto::JobPlan& plan, int number, proto::Table* table);

}  // namespace tidemill
