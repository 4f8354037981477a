#include "tests/simulation/sim_reads.h"

#include <algorithm>

#include "serving/read_gateway.h"
#include "shared/wire/actors.h"
#include "tests/simulation/growing_source.h"

namespace tidemill::test {

using nlohmann::json;

namespace {

constexpr int64_t kAskAgain = 500'000;

}  // namespace

SimReads::SimReads(uint64_t seed, Simulation* sim, SimMachines* machines, Fail fail)
    : sim_(sim), machines_(machines), fail_(std::move(fail)), random_(seed * 2 + 0x72656164) {}

void SimReads::set_truth(const Truth& truth) {
  for (const SimView& view : kSimViews) {
    auto& by_key = events_[view.join_key];
    by_key.clear();
    for (const FoldEvent& e : truth.events) by_key[e.*view.key].push_back(&e);
    for (auto& [key, rows] : by_key) sort_rows(&rows);
    by_key["nobody"];
  }
  max_event_times_.assign(kPartitionsAtLast, {});
  for (const FoldEvent& e : truth.events) {
    auto& greatest = max_event_times_[e.source_partition];
    if (greatest.empty() || e.time > greatest.rbegin()->second.time) {
      greatest[e.offset] = {e.time, format_timestamp(e.time)};
    }
  }
}

void SimReads::set_job(const std::string& name) {
  job_ = name;
  greatest_.clear();
}

void SimReads::read_some() {
  const size_t store = kFirstStore + random_.below(kStoreMachines);
  for (const auto& [join_key, by_key] : events_) {
    std::vector<std::string> keys;
    for (int i = 0; i < 3; ++i) {
      const auto n = static_cast<ptrdiff_t>(random_.below(by_key.size()));
      keys.push_back(std::next(by_key.begin(), n)->first);
    }
    read(store, join_key, keys, false);
    read(store, join_key, {keys.front()}, false, random_time());
    read(store, join_key, keys, false, std::nullopt, true);
  }
}

TimeUs SimReads::random_time() {
  TimeUs last = 0;
  for (const auto& greatest : max_event_times_) {
    if (!greatest.empty()) last = std::max(last, greatest.rbegin()->second.time);
  }
  return random_.between(kSimEventsFrom, last);
}

void SimReads::read_everything() {
  for (size_t store = kFirstStore; store < kMachines; ++store) {
    for (const auto& [join_key, by_key] : events_) {
      std::vector<std::string> keys;
      for (const auto& [key, rows] : by_key) keys.push_back(key);
      for (const SimView& view : kSimViews) {
        if (view.join_key == join_key && !view.further) answers_at_end_due_ += keys.size();
      }
      read(store, join_key, keys, true);
      read(store, join_key, keys, true, std::nullopt, true);
      for (const std::string& key : keys) {
        read(store, join_key, {key}, true, random_time());
        for (const SimView& view : kSimViews) {
          answers_at_end_due_ += view.join_key == join_key && !view.further;
        }
      }
    }
  }
}

void SimReads::read(size_t store, const std::string& join_key, const std::vector<std::string>& keys,
                    bool at_end, std::optional<TimeUs> as_of, bool further) {
  if (!machines_->up(store)) return;
  json request{{"job", job_}, {"entities", {{join_key, keys}}}, {"offsets", true}};
  if (as_of) request["as_of"] = format_timestamp(*as_of);
  for (const SimView& view : kSimViews) {
    if (view.join_key != join_key || view.further != further) continue;
    request["features"].push_back(view.name + std::string(".*"));
  }
  if (!request.contains("features")) return;
  const Asked asked{store,    sim_->node(machines_->process(store)).value,
                    job_,     join_key,
                    keys,     at_end,
                    as_of,    further,
                    greatest_};
  auto call = std::make_unique<StoreHttpCall>();
  call->request = {"POST", "/v1/features", "application/json", request.dump()};
  call->respond = [=, this](HttpResponse response) {
    if (response.status == 200) {
      answers_in_the_past_ += asked.as_of.has_value();
      check(response.body, asked);
    } else if (asked.as_of && response.status == 400 &&
               response.body.find("before the horizon") != std::string::npos) {
      ++refused_before_horizon_;
      for (const SimView& view : kSimViews) {
        answers_at_end_ += asked.at_end && view.join_key == asked.join_key && !view.further;
      }
    } else if (further && response.status == 404) {
      return;  // the job is not what it was updated to, or this store has not heard of it
    } else if (at_end || (response.status != 503 && response.status != 404)) {
      fail_(machine_name(store) + " answered " + std::to_string(response.status) + " " +
            response.body);
    }
  };
  sim_->post_from_outside(machines_->process(store), kReadGateway, std::move(call));
}

bool SimReads::not_ready(const json& answer, const Asked& asked) const {
  return std::any_of(std::begin(kSimViews), std::end(kSimViews), [&](const SimView& view) {
    if (view.join_key != asked.join_key || view.further != asked.further) return false;
    const json& offsets = answer["offsets"][view.name];
    return std::any_of(offsets.begin(), offsets.end(), [](const json& of) { return of.is_null(); });
  });
}

void SimReads::check(const std::string& body, const Asked& asked) {
  const json answer = json::parse(body);
  // A read may be the first to find that a disk is damaged; the owner sends everything again.
  if (asked.at_end && machines_->damaged(asked.store) && not_ready(answer, asked)) {
    sim_->at(sim_->now_us() + kAskAgain, [this, asked] {
      read(asked.store, asked.join_key, asked.keys, true, asked.as_of, asked.further);
    });
    return;
  }
  for (const SimView& view : kSimViews) {
    if (view.join_key != asked.join_key || view.further != asked.further) continue;
    for (size_t row = 0; row < asked.keys.size(); ++row) check_row(answer, view, row, asked);
  }
}

// V is not below that of any answer from before the request, has as many components at least, and
// everything below it that is in no feature is a durable dead letter.
void SimReads::check_offsets(const json& held, const Asked& asked) {
  if (asked.job != job_) return;
  const json& now = held["offset_vector"];
  const Held partition{asked.store, asked.incarnation, held["key_partition"].get<uint32_t>()};
  const std::string what =
      "V of key partition " + held["key_partition"].dump() + " in " + machine_name(asked.store);
  auto& greatest = greatest_[partition];
  greatest.resize(std::max(greatest.size(), now.size()));
  const auto found = asked.greatest.find(partition);
  std::vector<uint64_t> before;
  if (found != asked.greatest.end()) before = found->second;
  if (now.size() < before.size() || now.size() > kPartitionsAtLast) {
    return fail_(what + " has " + std::to_string(now.size()) + " components");
  }
  before.resize(now.size());
  for (uint32_t s = 0; s < now.size(); ++s) {
    const auto offset = now[s][0].get<uint64_t>();
    if (offset < before[s]) {
      fail_(what + " shrank for source partition " + std::to_string(s) + " from " +
            std::to_string(before[s]) + " to " + std::to_string(offset));
    }
    greatest[s] = std::max(greatest[s], offset);
    check_max_event_time(s, now[s], what);
    const std::string wrong = machines_->letters().check_mark(s, offset);
    if (!wrong.empty()) fail_(wrong);
  }
}

// M_s is that of the records below the offset.
void SimReads::check_max_event_time(uint32_t source, const json& position,
                                    const std::string& what) {
  const auto& greatest = max_event_times_[source];
  const auto behind = greatest.lower_bound(position[0].get<uint64_t>());
  static const std::string none = format_timestamp(kMinTime);
  const std::string& want = behind == greatest.begin() ? none : std::prev(behind)->second.text;
  if (!position[1].is_string() || position[1].get_ref<const std::string&>() != want) {
    fail_(what + ": the largest event time below " + position[0].dump() + " of source partition " +
          std::to_string(source) + " is " + position[1].dump() + ", not " + want);
  }
}

SimReads::Answer SimReads::answer_of(const json& result, size_t row) {
  return {result["values"][row], result["resolution_us"][row], result["statuses"][row],
          result.contains("complete_since_us") ? result["complete_since_us"][row] : json()};
}

void SimReads::check_row(const json& answer, const SimView& view, size_t row, const Asked& asked) {
  const std::string& key = asked.keys[row];
  const bool at_end = asked.at_end;
  const json& held = answer["offsets"][view.name][row];
  if (held.is_null()) {
    ++not_ready_answers_;
    if (at_end) fail_("at the end " + key + " is not ready in " + machine_name(asked.store));
    return;
  }
  check_offsets(held, asked);
  const std::string as_of = answer["as_of"];
  std::vector<uint64_t> below;
  for (const json& component : held["offset_vector"]) {
    below.push_back(at_end ? UINT64_MAX : component[0].get<uint64_t>());
  }
  if (below.size() < kPartitionsAtLast) {
    ++answers_before_growth_;
    if (at_end) return fail_("at the end V of " + key + " has too few components");
    below.resize(kPartitionsAtLast);  // nothing of those that the store has not heard of
  }
  // A key that was asked for before has to be as it was then.
  const auto first = static_cast<size_t>(std::find(asked.keys.begin(), asked.keys.end(), key) -
                                         asked.keys.begin());
  const bool again = first < row && answer["offsets"][view.name][first] == held;
  std::optional<FoldRows> rows;
  const std::string where = machine_name(asked.store) + (at_end ? " at the end " : " at its V ") +
                            key + " as of " + as_of + " ";
  const std::string features = view.name + std::string(".");
  TimeUs end = 0;
  ASSERT(parse_timestamp(as_of, &end));
  for (const json& result : answer["results"]) {
    const auto& name = result["feature"].get_ref<const std::string&>();
    if (!name.starts_with(features)) continue;
    const Answer given = answer_of(result, row);
    if (again && given == answer_of(result, first)) {
      inexact_values_ += given.resolution_us != 0;
      filling_values_ += !given.complete_since_us.is_null();
      continue;
    }
    if (!rows) rows = rows_of_view(view, events_[view.join_key][key], below);
    check_feature(name, given, view, *rows, end - view.offset, where);
  }
  ++(view.further ? further_answers_ : at_end ? answers_at_end_ : answers_while_running_);
}

void SimReads::check_feature(const std::string& name, const Answer& answer, const SimView& view,
                             const FoldRows& rows, TimeUs end, const std::string& where) {
  const std::string feature = name.substr(name.find('.') + 1);
  FoldRows counted = rows;
  if (!answer.complete_since_us.is_null()) {
    ++filling_values_;
    // It is of those rows that are all there, and there is a reason for saying so.
    const TimeUs since = answer.complete_since_us.get<TimeUs>();
    if (since <= end + view.offset) fail_(where + name + " fills, and is complete already");
    const DurationUs reach = sim_window_of(feature).value_or(0) + view.offset;
    std::erase_if(counted, [&](const FoldEvent* e) { return e->time < since - reach; });
  }
  const FoldedFeature want = fold_feature(view, feature, counted, end);
  if (answer.status != "PRESENT" && want.rows > 0) {
    fail_(where + name + " is " + answer.status + " though the key has rows");
  }
  if (answer.status == "PRESENT" && rows.empty()) {
    fail_(where + name + " is PRESENT without rows");
  }
  // Bit for bit: JSON carries the shortest decimal that reads back as the same double.
  if (answer.value != want.value || answer.resolution_us != want.resolution) {
    fail_(where + name + " is " + answer.value.dump() + ", off by " + answer.resolution_us.dump() +
          " us; the fold is " + want.value.dump() + ", off by " + std::to_string(want.resolution));
  }
  inexact_values_ += want.resolution != 0;
}

}  // namespace tidemill::test
