#include "shared/runtime/sim/sim_network.h"

#include <algorithm>

namespace tidemill {

SimNetwork::SimNetwork(const SimConfig& config, Random* random, SimFaultCounts* faults)
    : config_(config), random_(random), faults_(faults) {
  heal_all();
}

SimNetwork::Fate SimNetwork::send(SimLinkId id, size_t bytes, int64_t now_us) {
  Link& link = links_[id];
  Fate fate;
  if (link.messages >= config_.link_messages_max ||
      (link.bytes > 0 && link.bytes + bytes > config_.link_bytes_max)) {
    count(SimFault::kLinkFull);
    fate.full = true;
    return fate;
  }
  if (!lets_through(id)) return fate;
  if (random_->chance(drop_)) {
    count(SimFault::kDropped);
    return fate;
  }
  int64_t arrival_us =
      now_us +
      random_->between(std::min(config_.network_delay_us_min, delay_us_max_), delay_us_max_);
  if (link.clogged_until_us > arrival_us) {
    count(SimFault::kDelayed);
    arrival_us = link.clogged_until_us;
  }
  if (random_->chance(reorder_)) {
    count(SimFault::kReordered);
    arrival_us += random_->between(0, config_.reorder_delay_us_max);
  } else {
    arrival_us = std::max(arrival_us, link.last_arrival_us);
    link.last_arrival_us = arrival_us;
  }
  add_arrival(&fate, link, bytes, arrival_us);
  if (random_->chance(duplicate_)) {
    count(SimFault::kDuplicated);
    add_arrival(&fate, link, bytes, arrival_us + random_->between(0, config_.reorder_delay_us_max));
  }
  return fate;
}

void SimNetwork::add_arrival(Fate* fate, Link& link, size_t bytes, int64_t arrival_us) {
  fate->arrival_us[fate->arrivals++] = arrival_us;
  ++link.messages;
  link.bytes += bytes;
}

void SimNetwork::arrived(SimLinkId id, size_t bytes) {
  Link& link = links_[id];
  ASSERT(link.messages > 0 && link.bytes >= bytes);
  --link.messages;
  link.bytes -= bytes;
}

bool SimNetwork::lets_through(SimLinkId id) {
  const Cut cut = links_[id].cut;
  if (cut == Cut::kNone) return true;
  count(cut == Cut::kBothWays ? SimFault::kCut : SimFault::kOneWayCut);
  return false;
}

bool SimNetwork::connects(size_t a, size_t b) const {
  for (const SimLinkId id : {SimLinkId{a, b}, SimLinkId{b, a}}) {
    const auto link = links_.find(id);
    if (link != links_.end() && link->second.cut != Cut::kNone) return false;
  }
  return true;
}

void SimNetwork::cut(SimLinkId id, bool both_ways) {
  links_[id].cut = both_ways ? Cut::kBothWays : Cut::kOneWay;
}

void SimNetwork::heal(SimLinkId id) {
  links_[id].cut = Cut::kNone;
  links_[id].clogged_until_us = 0;
}

void SimNetwork::clog(SimLinkId id, int64_t until_us) { links_[id].clogged_until_us = until_us; }

void SimNetwork::set_faults(double drop, double duplicate, double reorder, int64_t delay_us_max) {
  drop_ = drop;
  duplicate_ = duplicate;
  reorder_ = reorder;
  delay_us_max_ = delay_us_max;
}

void SimNetwork::heal_all() {
  for (auto& [id, link] : links_) heal(id);
  set_faults(config_.drop_probability, config_.duplicate_probability, config_.reorder_probability,
             config_.network_delay_us_max);
}

}  // namespace tidemill
