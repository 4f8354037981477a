// What the summaries of keys hold of rows that have gone into them, for lifetime windows: which
// features can be read from summaries that were made for others.
#pragma once

#include <vector>

#include "proto/plan.pb.h"

namespace tidemill {

// The features that the summaries of a table's keys are made for: those it names, or those of its
// views that have a lifetime window, in their order.
std::vector<proto::LifetimeFeature> summarized_features(const proto::JobPlan& plan, uint32_t table);

// Whether summaries made for `kept` hold what the feature, which has a lifetime window, needs; all
// over one table. `order`: of its view. No for some that could be read: they are then refused.
bool summaries_hold(const std::vector<proto::LifetimeFeature>& kept, const proto::Feature& feature,
                    const google::protobuf::RepeatedField<uint32_t>& order);

// The columns of a view's order that decide between rows in which the feature shows different values;
// none if it does not go by the order of rows.
std::vector<uint32_t> deciding_columns(const proto::Feature& feature,
                                       const google::protobuf::RepeatedField<uint32_t>& order);

}  // namespace tidemill
