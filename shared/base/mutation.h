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
  kCloseImagesEarly,        // images are closed at a later version than the one that they hold at
  kDropLateByClock,         // a row is dropped because it is late against the leading edge
  kOrderDependentSum,       // sums are added up as plain doubles
  kMarkBeforeDeadLetters,   // a batch goes out although its dead letters could not be written
  kCatchUpPastDeadLetters,  // a catch-up read marks records whose dead letters are not written
  kRepeatDeadLetters,       // a reader writes what is durable from an earlier one again
  kForgetGrownOffsets,      // a key partition loses its V when its plan grows
  kIgnoreGrownOffsets,      // a replica keeps to the source partitions that it was filled with
  kSkipFsync,               // files of states and snapshots are not synced
  kReadVBeforeRegistering,  // a new owner goes by a replica's V from before it registered there
  kCompareStamps,           // stamps are compared as numbers instead of by ancestry
  kOpenOneOffsetLate,       // a session is opened one offset behind V
  kPublishBeforeReplica,    // a new owner publishes before it has reached the replica's V
  kForgetUnpublished,       // keys changed before the snapshot and never published are forgotten
  kEvictUncovered,          // keys are evicted that no increment covers, and read from disk alone
  kDeleteNamedFile,         // a file is removed that a retained manifest names
  kForgetMaxEventTime,      // a session opens without M_s
  kHorizonFallsOnRecovery,  // a restored state begins without its horizon
  kIgnoreCuts,              // parts reach across a replica's V, and are taken to lie before it
  kTrustDamagedManifest,    // checksums are not compared when a state is restored
  kDropPendingOnSnapshot,   // changes made while an increment is written are dropped with it
  kImagesWithoutFloors,     // a replica takes over images, and not since when they are whole
  kForgetFloorOnPromotion,  // a standby that becomes the owner takes what it has for whole
  kHandOverHeadOnly,        // an owner is given a store's V without the rows not yet on its disk
};

#ifdef TIDEMILL_MUTATIONS
extern Mutation active_mutation;  // set by the harness before a run, constant during it
inline bool mutated(Mutation m) { return active_mutation == m; }
#else
constexpr bool mutated(Mutation) { return false; }
#endif

}  // namespace tidemill
