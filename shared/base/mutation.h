// Deliberate bugs, to prove that the simulation would notice them. The product is built without
// TIDEMILL_MUTATIONS and `mutated` is a constant false; the simulation's copy of the libraries is
// built with it, and one mutation at a time is switched on by the harness.
#pragma once

namespace tidemill {

enum class Mutation {
  kNone,
  kIgnoreGap,               // a receiver does not notice a missing sequence number
  kApplyTwice,              // a batch that arrives twice is applied twice
  kUnnumberedMark,          // a mark without rows is accepted whatever its sequence number
  kFrameOnWrongVersion,     // a replica applies a frame whose first version is not its own
  kAcceptOldEpoch,          // an older epoch is not refused
  kCloseImagesEarly,        // images are closed without the keys changed while they were sent
  kDropLateByClock,         // a row is dropped because it is late against the leading edge
  kOrderDependentSum,       // sums are added up as plain doubles
  kMarkBeforeDeadLetters,   // a batch goes out although its dead letters could not be written
  kCatchUpPastDeadLetters,  // a catch-up read marks records whose dead letters are not written
  kRepeatDeadLetters,       // a reader writes what is durable from an earlier one again
  kForgetGrownOffsets,      // a key partition loses its V when its plan grows
  kIgnoreGrownOffsets,      // a replica keeps to the source partitions that it was filled with
};

#ifdef TIDEMILL_MUTATIONS
extern Mutation active_mutation;  // set by the harness before a run, constant during it
inline bool mutated(Mutation m) { return active_mutation == m; }
#else
constexpr bool mutated(Mutation) { return false; }
#endif

}  // namespace tidemill
