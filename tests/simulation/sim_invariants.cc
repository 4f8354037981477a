#include "tests/simulation/sim_invariants.h"

#include <algorithm>

#include "proto/control.pb.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "tests/simulation/sim_plan.h"

namespace tidemill::test {
namespace {

// Beside rows: headers, and what is applied between two looks at the bound.
constexpr uint64_t kSlackBytes = 64 << 10;

std::string name_of(const ActorAddress& actor) {
  char text[64];
  std::snprintf(text, sizeof(text), "%016llx shard %u",
                static_cast<unsigned long long>(actor.node.value), actor.actor.shard);
  return text;
}

}  // namespace

SimInvariants::SimInvariants(const SimLimits& limits, Fail fail)
    : limits_(limits), fail_(std::move(fail)) {}

void SimInvariants::sent(const SimSent& message) {
  switch (message.type) {
    case kClusterView:
      return on_view(message);
    case kHeartbeat:
      return on_heartbeat(message);
    case kRegisterReplicas:
      return on_registration(message);
    case kOpenSessions:
      return on_opening(message);
    case kSnapshotTaken:
      return on_snapshot(message);
    case kStateWanted:
      return on_state_wanted(message);
    case kFrames:
      return on_frames(message);
    case kSourceBatch:
      return on_batch(message);
    case kFrameAck:
      if (const auto ack = FrameAck::decode(message.body)) {
        acknowledged({message.to, message.from, {ack->job.value}}, ack->link_seq);
      }
      return;
    case kBatchAck:
      if (const auto ack = BatchAck::decode(message.body)) {
        acknowledged({message.to,
                      message.from,
                      {ack->job.value, ack->source.value, ack->reader_epoch.value}},
                     ack->link_seq);
      }
      return;
    default:
      return;
  }
}

// Ownership ------------------------------------------------------------------------------------

void SimInvariants::on_view(const SimSent& message) {
  proto::ClusterView view;
  if (!view.ParseFromArray(message.body.data(), static_cast<int>(message.body.size()))) {
    return fail_("a cluster view cannot be parsed");
  }
  for (const auto& job : view.jobs()) {
    for (int k = 0; k < job.key_partitions_size(); ++k) {
      const auto& owner = job.key_partitions(k);
      grant({Granted::kKeyPartition, job.job(), static_cast<uint32_t>(k), owner.epoch()},
            {owner.node(), owner.shard()}, view.version());
    }
    for (int s = 0; s < job.sources_size(); ++s) {
      const auto& reader = job.sources(s);
      grant({Granted::kSourcePartition, job.job(), static_cast<uint32_t>(s), reader.epoch()},
            {reader.node(), reader.shard()}, view.version());
    }
  }
}

void SimInvariants::grant(const Grant& grant, const Owner& owner, uint64_t view_version) {
  Grant partition = grant;
  partition.epoch = 0;
  auto& [version, epoch] = newest_[partition];
  if (view_version >= version) {
    if (grant.epoch < epoch) {
      fail_("the epoch of partition " + std::to_string(grant.partition) + " fell from " +
            std::to_string(epoch) + " to " + std::to_string(grant.epoch));
    }
    version = view_version;
    epoch = grant.epoch;
  }
  if (owner.node == 0) return;
  const auto [held, is_new] = grants_.try_emplace(grant, owner);
  if (is_new) count("epochs_granted");
  if (!(held->second == owner)) {
    fail_("epoch " + std::to_string(grant.epoch) + " of partition " +
          std::to_string(grant.partition) + " was granted twice");
  }
}

void SimInvariants::act(const Grant& grant, const SimSent& message, const char* how) {
  const auto held = grants_.find(grant);
  const Owner who{message.from.node.value, message.from.actor.shard};
  if (held != grants_.end() && held->second == who) return;
  fail_(name_of(message.from) + " " + how + " for partition " + std::to_string(grant.partition) +
        " under epoch " + std::to_string(grant.epoch) +
        (held == grants_.end() ? ", which nobody was granted" : ", which is another's"));
}

void SimInvariants::on_registration(const SimSent& message) {
  const auto registration = RegisterReplicas::decode(message.body);
  if (!registration) return fail_("a registration cannot be decoded");
  for (const auto& entry : registration->entries) {
    act({Granted::kKeyPartition, registration->job.value, entry.key_partition.value,
         entry.epoch.value},
        message, "registered");
  }
}

void SimInvariants::on_opening(const SimSent& message) {
  const auto opening = OpenSessions::decode(message.body);
  if (!opening) return fail_("an opening of sessions cannot be decoded");
  for (const auto& session : opening->sessions) {
    act({Granted::kKeyPartition, opening->job.value, session.key_partition.value,
         session.epoch.value},
        message, "opened a session");
  }
}

void SimInvariants::on_snapshot(const SimSent& message) {
  proto::SnapshotTaken taken;
  if (!taken.ParseFromArray(message.body.data(), static_cast<int>(message.body.size()))) {
    return fail_("a snapshot's registration cannot be parsed");
  }
  act({Granted::kKeyPartition, taken.job(), taken.key_partition(), taken.epoch()}, message,
      "registered a snapshot");
}

void SimInvariants::on_state_wanted(const SimSent& message) {
  const auto wanted = StateWanted::decode(message.body);
  if (!wanted) return fail_("an asking for a state cannot be decoded");
  act({Granted::kKeyPartition, wanted->job.value, wanted->key_partition.value, wanted->epoch.value},
      message, "asked a store for its state");
}

// Sequences ------------------------------------------------------------------------------------

SimInvariants::Session* SimInvariants::next_of(const SessionId& id, uint64_t seq) {
  Session& session = sessions_[id];
  if (session.next_seq != seq) {
    fail_("a session from " + name_of(id.from) + " to " + name_of(id.to) +
          " goes on with sequence number " + std::to_string(seq) + " instead of " +
          std::to_string(session.next_seq));
  }
  session.next_seq = seq + 1;
  return &session;
}

void SimInvariants::on_frames(const SimSent& message) {
  const auto frames = Frames::decode(message.body);
  if (!frames) return fail_("frames cannot be decoded");
  on_its_way({message.from, message.to, {frames->job.value}}, message, frames->link_seq,
             limits_.frame_credit_bytes);
  for (const FramePart& part : frames->parts) on_part(message, frames->job, part);
}

void SimInvariants::on_part(const SimSent& message, JobId job, const FramePart& part) {
  act({Granted::kKeyPartition, job.value, part.key_partition.value, part.epoch.value}, message,
      "published");
  const SessionId id{
      message.from, message.to, {job.value, 0, 0, part.session}, part.key_partition.value};
  const bool first = !sessions_.contains(id);
  follow_on(next_of(id, part.seq), id, part);
  if (part.kind == PartKind::kImagesBegin) {
    count(part.whole ? "images_of_all_keys" : "images_since_a_version");
  }
  if (first && part.kind == PartKind::kRows) {
    count(part.from_epoch == part.epoch ? "followed_by_rows" : "resumed_by_rows");
  }
}

void SimInvariants::follow_on(Session* session, const SessionId& id, const FramePart& part) {
  const bool rows = part.kind == PartKind::kRows;
  if (!rows && part.kind != PartKind::kImagesClose) return;
  if (rows && session->at_known && part.from_version != session->at) {
    fail_("rows of key partition " + std::to_string(id.key_partition) + " to " + name_of(id.to) +
          " follow on version " + std::to_string(part.from_version) + " instead of " +
          std::to_string(session->at));
  }
  session->at = part.to_version;
  session->at_known = true;
}

void SimInvariants::on_batch(const SimSent& message) {
  const auto batch = SourceBatch::decode(message.body);
  if (!batch) return fail_("a source batch cannot be decoded");
  const SourceBatchHeader& h = batch->header;
  act({Granted::kSourcePartition, h.job.value, h.source.value, h.reader_epoch.value}, message,
      "read");
  on_its_way({message.from, message.to, {h.job.value, h.source.value, h.reader_epoch.value}},
             message, h.link_seq, limits_.batch_credit_bytes);
  for (const SourceBatchPart& part : batch->parts) {
    const SessionId id{message.from,
                       message.to,
                       {h.job.value, h.source.value, h.reader_epoch.value, part.session},
                       part.key_partition.value};
    Session* session = next_of(id, part.seq);
    if (h.end.offset < session->at) {
      fail_("source partition " + std::to_string(h.source.value) + " went back from offset " +
            std::to_string(session->at) + " to " + std::to_string(h.end.offset));
    }
    session->at = h.end.offset;
  }
}

// Bounds ---------------------------------------------------------------------------------------

// A sender forgets what is on its way once nothing was acknowledged for the length of a stall: what
// it has sent since, and what it had sent just before, are each within the credit.
void SimInvariants::on_its_way(const LinkId& link, const SimSent& message, uint64_t link_seq,
                               uint64_t credit) {
  auto& sent = links_[link];
  std::erase_if(sent, [&](const OnItsWay& each) {
    return each.at_us < message.at_us - limits_.link_stall_us;
  });
  uint64_t before = 0;
  for (const OnItsWay& each : sent) before += each.bytes;
  if (before > 2 * credit + kSlackBytes) {
    fail_(std::to_string(before) + " bytes are on their way from " + name_of(link.from) + " to " +
          name_of(link.to) + ", whose credit is " + std::to_string(credit));
  }
  sent.push_back({message.at_us, link_seq, message.body.size()});
}

void SimInvariants::acknowledged(const LinkId& link, uint64_t link_seq) {
  const auto sent = links_.find(link);
  if (sent == links_.end()) return;
  std::erase_if(sent->second, [&](const OnItsWay& each) { return each.link_seq <= link_seq; });
}

// What processes tell --------------------------------------------------------------------------

void SimInvariants::on_heartbeat(const SimSent& message) {
  proto::Heartbeat heartbeat;
  if (!heartbeat.ParseFromArray(message.body.data(), static_cast<int>(message.body.size()))) {
    return fail_("a heartbeat cannot be parsed");
  }
  for (const auto& report : heartbeat.jobs()) {
    on_report(heartbeat.node(), heartbeat.shards(), report);
  }
}

void SimInvariants::on_report(uint64_t node, uint32_t shards, const proto::JobReport& report) {
  // Each worker's readers have a credit of their own.
  const uint64_t bound =
      shards * (3 * limits_.pending_limit_bytes + kWorkerMachines * limits_.batch_credit_bytes +
                kSlackBytes);
  if (report.pending_bytes() > bound) {
    fail_(std::to_string(report.pending_bytes()) + " bytes are in no increment, the bound is " +
          std::to_string(bound));
  }
  auto& of_node = reported_[{node, report.job()}];
  const auto note = [&](const char* what, uint64_t value) {
    uint64_t& greatest = of_node[what];
    greatest = std::max(greatest, value);
  };
  note("evicted_keys", report.evicted_keys());
  note("cold_reads", report.cold_reads());
  note("freed_rows", report.freed_rows());
  note("too_late_rows", report.too_late_rows());
  note("session_gaps", report.session_gaps());
  note("image_bytes_sent", report.image_bytes_sent());
  note("snapshots_registered", report.snapshots());
  note("snapshots_failed", report.snapshot_failures());
  note("snapshots_refused_in_restore", report.refused_snapshots());
  note("states_from_stores", report.states_from_stores());
}

void SimInvariants::add_counts(std::map<std::string, uint64_t>* counts) const {
  for (const auto& [what, n] : counts_) (*counts)[what] += n;
  for (const auto& [of, values] : reported_) {
    for (const auto& [what, n] : values) (*counts)[what] += n;
  }
}

}  // namespace tidemill::test
