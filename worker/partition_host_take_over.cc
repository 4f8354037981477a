// PartitionHost: without a snapshot to begin with, from the state of a store's replica to an active
// key partition. Only if no store has one are the sources read from their start.
#include "shared/obs/log.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "worker/partition_host.h"

namespace tidemill {

void PartitionHost::search_stores(Job* job) {
  const int64_t now = runtime_.monotonic_us();
  for (auto& [k, owner] : job->owned) {
    if (owner.phase != HoldingPhase::kSearching) continue;
    const auto step = owner.search->next(job->publisher->store_replicas(k), now);
    if (step.what == StoreSearch::Step::What::kAsk) {
      runtime_.send(self_, step.store, kStateWanted,
                    StateWanted{job->id, k, owner.epoch, step.stamp}.encode());
    } else if (step.what == StoreSearch::Step::What::kGiveUp) {
      if (owner.search->lost()) {
        log_event(LogLevel::kWarning, "state_from_sources",
                  {{"job", job->id.value},
                   {"key_partition", k.value},
                   {"reason", "no snapshot is good, and no store has a state to begin with"}});
      }
      end_search(job, &owner, k, StateHead());
    }
  }
}

// Replicas have had their time to say where they stand.
void PartitionHost::end_search(Job* job, OwnedPartition* owner, KeyPartitionId k, StateHead head) {
  owner->search.reset();
  begin(job, owner, k, std::move(head));
  owner->open_sessions_at_us = runtime_.monotonic_us();
}

void PartitionHost::on_state_written(const Message& message) {
  auto answer = StateWritten::decode(message.body);
  if (!answer) {
    log_event(LogLevel::kWarning, "message_refused",
              {{"what", "StateWritten"}, {"reason", answer.error().message()}});
    return;
  }
  Job* job = find(answer->job);
  if (job == nullptr) return;
  const auto found = job->owned.find(answer->key_partition);
  if (found == job->owned.end() || found->second.phase != HoldingPhase::kSearching ||
      found->second.epoch != answer->epoch) {
    return;
  }
  OwnedPartition& owner = found->second;
  if (owner.search->on_answer(message.from, *answer, runtime_.monotonic_us())) {
    owner.phase = HoldingPhase::kRestoring;
    owner.disk->restore({answer->text}, false);
  } else if (!answer->text.empty()) {
    log_event(LogLevel::kWarning, "state_not_had_from_store",
              {{"job", job->id.value},
               {"key_partition", answer->key_partition.value},
               {"node", message.from.node.value},
               {"reason", answer->text}});
  }
}

// What a store has written for this owner is fetched and verified as any snapshot is.
void PartitionHost::on_taken_over(Job* job, OwnedPartition* owner, const DiskRestored& restored) {
  const KeyPartitionId k = restored.key_partition;
  const uint64_t node = owner->search->store().node.value;
  if (!restored.error.empty()) {
    log_event(LogLevel::kWarning, "state_not_had_from_store",
              {{"job", job->id.value},
               {"key_partition", k.value},
               {"node", node},
               {"reason", restored.error}});
    owner->search->not_restored(restored.damaged, runtime_.monotonic_us());
    owner->phase = HoldingPhase::kSearching;
    return;
  }
  log_event(LogLevel::kInfo, "state_from_store",
            {{"job", job->id.value},
             {"key_partition", k.value},
             {"node", node},
             {"version", restored.head.stamp().version},
             {"snapshot", restored.manifest}});
  ++job->states_from_stores;
  end_search(job, owner, k, restored.head);
  // Nothing that the registry knows of can be restored: at once there is to be something that can.
  owner->in_storage = false;
  owner->write_at_us = runtime_.monotonic_us();
}

}  // namespace tidemill
