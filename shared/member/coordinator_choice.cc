#include "shared/member/coordinator_choice.h"

#include "shared/wire/actors.h"

namespace tidemill {
namespace {

constexpr int64_t kForgottenUs = 10'000'000;

}  // namespace

CoordinatorChoice::CoordinatorChoice(size_t coordinators, int64_t patience_us)
    : coordinators_(coordinators), patience_us_(patience_us), current_(node(0)) {
  ASSERT(coordinators > 0 && coordinators <= kCoordinatorsMax);
}

NodeId CoordinatorChoice::node(size_t i) { return NodeId{kCoordinatorNode.value + i}; }

std::vector<NodeId> CoordinatorChoice::to_ask(int64_t now_us) const {
  if (heard_ && now_us - heard_at_us_ <= patience_us_) return {current_};
  std::vector<NodeId> all;
  for (size_t i = 0; i < coordinators_; ++i) all.push_back(node(i));
  return all;
}

bool CoordinatorChoice::answered(NodeId node, uint64_t generation, int64_t now_us) {
  const bool known =
      node.value >= kCoordinatorNode.value && node.value < kCoordinatorNode.value + coordinators_;
  if (!known || is_deposed(generation, now_us)) return false;
  generation_ = generation;
  heard_ = true;
  heard_at_us_ = now_us;
  if (node == current_) return false;
  current_ = node;
  return true;
}

bool CoordinatorChoice::is_deposed(uint64_t generation, int64_t now_us) const {
  return coordinators_ > 1 && generation < generation_ && now_us - heard_at_us_ < kForgottenUs;
}

Result<std::vector<std::string>> parse_coordinators(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(text.substr(at, comma - at));
    at = comma + 1;
    const auto& endpoint = out.back();
    if (!endpoint.starts_with("tcp://") || endpoint.find_first_of(" \t") != std::string::npos ||
        std::count(out.begin(), out.end(), endpoint) > 1) {
      return user_error("'" + text +
                        "' is no list of the endpoints of coordinators: write "
                        "tcp://HOST:PORT, or tcp://HOST:PORT,tcp://HOST:PORT, each once");
    }
  }
  if (out.size() > kCoordinatorsMax) {
    return user_error(std::to_string(out.size()) + " coordinators; there can be " +
                      std::to_string(kCoordinatorsMax));
  }
  return out;
}

}  // namespace tidemill
