#include "worker/store_search.h"

#include <algorithm>
#include <tuple>

#include "shared/base/assert.h"

namespace tidemill {
namespace {

constexpr int64_t kSecondUs = 1'000'000;
// For stores to say what they hold. A young job, which has no snapshot yet, does not stand still
// for long because a store is away.
constexpr int64_t kAnswersOfAllUs = 3 * kSecondUs;
constexpr int64_t kAnswersOfYoungUs = kSecondUs * 3 / 10;
// Beyond that reading the sources again is as good.
constexpr int64_t kSearchUs = 120 * kSecondUs;
constexpr int64_t kAskAgainUs = 300'000;
constexpr int64_t kSilenceUs = 3 * kSecondUs;
constexpr int64_t kTryAgainUs = kSecondUs;

uint64_t records(const OffsetVector& offsets) {
  uint64_t sum = 0;
  for (const SourcePosition& p : offsets) sum += p.offset;
  return sum;
}

}  // namespace

StoreSearch::StoreSearch(int64_t now_us, bool lost)
    : lost_(lost),
      answers_until_us_(now_us + (lost ? kAnswersOfAllUs : kAnswersOfYoungUs)),
      until_us_(now_us + kSearchUs) {}

StoreSearch::Tried StoreSearch::tried(const ActorAddress& store) const {
  const auto found = tried_.find(store);
  return found == tried_.end() ? Tried() : found->second;
}

// Those that have failed less often come first, then those that have applied more.
const StoreReplica* StoreSearch::best(std::span<const StoreReplica> stores) const {
  const StoreReplica* out = nullptr;
  const auto rank = [this](const StoreReplica& each) {
    return std::make_tuple(-static_cast<int64_t>(tried(each.store).failures),
                           records(each.state->offsets));
  };
  for (const StoreReplica& each : stores) {
    if (each.state == nullptr || !each.state->holds_state || tried(each.store).refused) continue;
    if (out == nullptr || rank(each) > rank(*out)) out = &each;
  }
  return out;
}

StoreSearch::Step StoreSearch::next(std::span<const StoreReplica> stores, int64_t now_us) {
  if (now_us >= until_us_) return {Step::What::kGiveUp, {}, {}};
  if (asked_ && now_us - asked_->heard_us >= kSilenceUs) failed(now_us);
  if (asked_) {
    if (now_us - asked_->asked_us < kAskAgainUs) return {};
    asked_->asked_us = now_us;
    return {Step::What::kAsk, asked_->store, asked_->stamp};
  }
  const bool all_answered =
      std::all_of(stores.begin(), stores.end(), [](const auto& each) { return each.answered; });
  if (!all_answered && now_us < answers_until_us_) return {};
  const StoreReplica* from = best(stores);
  if (from == nullptr) {
    // A store may be starting again itself.
    if (lost_ && now_us < answers_until_us_) return {};
    return {Step::What::kGiveUp, {}, {}};
  }
  if (now_us < tried(from->store).again_us) return {};
  asked_ = Asked{from->store, {from->state->epoch, from->state->version}, now_us, now_us};
  return {Step::What::kAsk, asked_->store, asked_->stamp};
}

bool StoreSearch::on_answer(const ActorAddress& from, const StateWritten& answer, int64_t now_us) {
  if (!asked_ || asked_->store != from || asked_->stamp != answer.stamp) return false;
  asked_->heard_us = now_us;
  switch (answer.outcome) {
    case StateWritten::Outcome::kWorking:
      return false;
    case StateWritten::Outcome::kWritten:
      return true;
    case StateWritten::Outcome::kFailed:
      failed(now_us);
      return false;
    case StateWritten::Outcome::kRefused:
      tried_[from].refused = true;
      asked_.reset();
      return false;
  }
  return false;
}

void StoreSearch::not_restored(bool damaged, int64_t now_us) {
  ASSERT(asked_);
  if (damaged) tried_[asked_->store].refused = true;
  failed(now_us);
}

void StoreSearch::failed(int64_t now_us) {
  Tried& store = tried_[asked_->store];
  ++store.failures;
  store.again_us = now_us + kTryAgainUs;
  asked_.reset();
}

}  // namespace tidemill
