#include "worker/source_reader.h"

#include <limits>

#include "shared/base/mutation.h"
#include "shared/member/member_agent.h"
#include "shared/obs/log.h"
#include "shared/source/batch_writer.h"
#include "shared/wire/messages.h"

namespace tidemill {
namespace {

constexpr int64_t kBytesPerRow = 32;  // of a row block, roughly

constexpr int64_t kRetryAfterErrorUs = 1'000'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr int64_t kConfirmedForUs = 1'000'000;  // a log's word that it is at its end holds
constexpr int64_t kFinishedPollUs = 5'000'000;  // of a followed file that is finished
constexpr double kPacedBatchUs = 40'000;        // of wall time that one paced batch stands for
constexpr size_t kBadSamples = 5;

double replay_speed_of(const proto::Source& source) {
  if (source.has_kafka()) return 0;
  return source.has_files() ? source.files().replay_speed() : source.generator().replay_speed();
}

}  // namespace

SourceReader::SourceReader(Runtime& runtime, ActorId self, const WorkerConfig& config, JobId job,
                           std::shared_ptr<const Plan> plan, SourcePartitionId source, Epoch epoch,
                           std::shared_ptr<DeadLetterStorage> dead_letters)
    : runtime_(runtime),
      self_(self),
      config_(config),
      job_(job),
      plan_(std::move(plan)),
      source_(source),
      epoch_(epoch),
      bounds_(read_bounds(config, 1)),
      registered_(plan_->key_partitions()),
      last_opened_(plan_->key_partitions()),
      dead_letters_(std::make_shared<ReaderDeadLetters>()) {
  dead_letters_->storage = std::move(dead_letters);
  uint32_t index = 0;
  const proto::Source& read = plan_->source_of(source_.value, &index);
  replay_speed_ = replay_speed_of(read);
  follow_ = read.has_files() && read.files().follow();
}

// Batches that were loaded by the former revision are as good: it kept all that this one keeps, but
// for what is of further tables, and says how many it knew of. They lie in their loader's memory, so that it goes once they are sent.
void SourceReader::set_plan(std::shared_ptr<const Plan> plan) {
  const bool revised = plan->proto().revision() != plan_->proto().revision();
  plan_ = std::move(plan);
  if (!revised) return;
  main_.outdated = catch_up_.outdated = true;
  uint32_t index = 0;
  const double speed = replay_speed_of(plan_->source_of(source_.value, &index));
  if (speed == replay_speed_) return;
  replay_speed_ = speed;
  pace_start_us_ = -1;
}

SourceReader::Session* SourceReader::find(KeyPartitionId k) {
  for (auto& [host, sessions] : sessions_) {
    const auto it = sessions.find(k);
    if (it != sessions.end()) return &it->second;
  }
  return nullptr;
}

void SourceReader::on_open(const ActorAddress& from, const OpenSessions& message) {
  if (message.reader_epoch != epoch_) return;  // asks another grant; it will ask again
  SessionsClosed refused{job_, source_, epoch_, {}};
  for (const OpenSessions::Session& asked : message.sessions) {
    if (asked.key_partition.value >= registered_.size()) continue;
    Epoch& registered = registered_[asked.key_partition.value];
    if (asked.epoch < registered && !mutated(Mutation::kAcceptOldEpoch)) {
      refused.sessions.push_back({asked.key_partition, asked.session});
      continue;
    }
    registered = std::max(registered, asked.epoch);
    // An id is never opened twice: messages of its first life may still be under way.
    LastOpened& last = last_opened_[asked.key_partition.value];
    if (last.host == from && asked.session <= last.id) {
      const Session* open = find(asked.key_partition);
      const bool alive = open != nullptr && open->host == from && open->id >= asked.session;
      if (!alive) refused.sessions.push_back({asked.key_partition, asked.session});
      continue;
    }
    last = {from, asked.session};
    open(from, asked);
  }
  if (!refused.sessions.empty()) {
    runtime_.send(self_, from, kSessionsClosed, refused.encode());
  }
  if (first_open_us_ < 0 && open_sessions() > 0) first_open_us_ = runtime_.monotonic_us();
  pump();
}

void SourceReader::open(const ActorAddress& from, const OpenSessions::Session& asked) {
  for (auto& [host, sessions] : sessions_) sessions.erase(asked.key_partition);
  Session session(from, asked);
  session.catching_up = !main_.active || session.position < main_.position.offset;
  sessions_[from][asked.key_partition] = std::move(session);
  links_.try_emplace(from, credit_bytes_);
}

// Every key partition that has an owner, as far as this worker knows, has a session of that owner.
bool SourceReader::all_open() const {
  size_t owned = 0;
  size_t open = 0;
  for (const NodeId owner : owners_) owned += owner != NodeId{};
  for (const auto& [host, sessions] : sessions_) {
    for (const auto& [k, s] : sessions) open += owners_[k.value] == host.node;
  }
  return owned > 0 && open == owned;
}

size_t SourceReader::open_sessions() const {
  size_t n = 0;
  for (const auto& [host, sessions] : sessions_) n += sessions.size();
  return n;
}

void SourceReader::restart(Read* read, const SourcePosition& from) {
  end(read);
  read->active = true;
  read->position = from;
  read->retry_at_us = 0;
  read->error.clear();
}

// The main read starts where the furthest session stands, once all have opened or time is up. It
// moves on to a session that opens far ahead of it, which would stand still until then.
void SourceReader::start_main_if_ready() {
  if (first_open_us_ < 0 || open_sessions() == 0) return;
  const bool waited = runtime_.monotonic_us() - first_open_us_ >= config_.session_wait_ms * 1000;
  if (!main_.active && !waited && !all_open()) return;
  SourcePosition furthest;
  for (const auto& [host, sessions] : sessions_) {
    for (const auto& [k, s] : sessions) {
      if (s.position >= furthest.offset)
        furthest = {s.position, s.max_event_time, s.finished, s.last};
    }
  }
  // Where the main read is about to be; while it loads nobody knows, and it is asked again then.
  const uint64_t read_to = main_.ready ? main_.ready->end.offset : main_.position.offset;
  if (main_.active && (main_.loading || furthest.offset <= read_to)) return;
  pace_start_us_ = -1;
  restart(&main_, furthest);
  for (auto& [host, sessions] : sessions_) {
    for (auto& [k, s] : sessions) s.catching_up = s.position < furthest.offset;
  }
}

void SourceReader::start_catch_up_if_needed() {
  if (!main_.active || catch_up_.active) return;
  const Session* furthest_behind = nullptr;
  for (auto& [host, sessions] : sessions_) {
    for (auto& [k, s] : sessions) {
      if (!s.catching_up) continue;
      if (s.position >= main_.position.offset) {
        s.catching_up = false;
      } else if (furthest_behind == nullptr || s.position < furthest_behind->position) {
        furthest_behind = &s;
      }
    }
  }
  if (furthest_behind == nullptr) return;
  restart(&catch_up_, {furthest_behind->position, furthest_behind->max_event_time, false,
                       furthest_behind->last});
}

// The catch-up read has reached the main position: its sessions follow the main read from here.
// Sessions that opened behind the catch-up read meanwhile need another one.
void SourceReader::join_main() {
  if (!catch_up_.active || catch_up_.position.offset < main_.position.offset) return;
  for (auto& [host, sessions] : sessions_) {
    for (auto& [k, s] : sessions) {
      if (s.position >= main_.position.offset) s.catching_up = false;
    }
  }
  end(&catch_up_);
}

void SourceReader::pump() {
  start_main_if_ready();
  start_catch_up_if_needed();
  for (Read* read : {&main_, &catch_up_}) {
    if (!read->active) continue;
    if (read->ready && due(*read) && may_send(read)) send(read);
    if (read->active && !read->ready && !read->loading) load(read);
  }
  join_main();
  start_catch_up_if_needed();
}

// No further than the least cut before the sessions of the read. Those that it has just sent to
// may not be at its position yet; those behind it wait for another one.
uint64_t SourceReader::load_until(const Read& read) const {
  uint64_t until = SourceCursor::kNoEnd;
  for (const auto& [host, sessions] : sessions_) {
    for (const auto& [k, s] : sessions) {
      if (s.catching_up != (&read == &catch_up_)) continue;
      until = std::min(until, s.cut_behind(std::max(s.position, read.position.offset)));
    }
  }
  return until;
}

void SourceReader::load(Read* read) {
  const bool catch_up = read == &catch_up_;
  if (!changed_.empty() || (catch_up && read->position.finished)) return;
  if (runtime_.monotonic_us() < read->retry_at_us) return;
  // A message may exceed the credit by itself: with little credit, batches are small too.
  size_t records = std::min(bounds_.records, credit_bytes_ / kBytesPerRow + 1);
  if (!catch_up && replay_speed_ > 0) records = std::min(records, paced_records_);
  // At the main position the sessions join the main read.
  if (catch_up && read->position.offset >= main_.position.offset) return;
  if (std::exchange(read->outdated, false)) {
    dispose(runtime_, self_, source_lane(job_, source_, catch_up), std::move(read->loader));
  }
  read->loading = true;
  auto load = std::make_shared<SourceLoad>();
  load->plan = plan_;
  load->from = read->position;
  load->limits = {records, static_cast<size_t>(bounds_.bytes), load_until(*read)};
  load->follow = follow_;
  load->letters = catch_up ? nullptr : dead_letters_;
  load->applied = catch_up ? 0 : applied_offset();
  auto done = std::make_unique<BatchLoaded>();
  done->job = job_;
  done->source = source_;
  done->epoch = epoch_;
  done->catch_up = catch_up;
  done->generation = read->generation;
  done->loader = std::move(read->loader);
  done->batch = read->spare ? std::move(read->spare) : std::make_unique<LoadedBatch>();
  load->done = std::move(done);
  const uint64_t lane = load->done->lane();
  const auto run = [load, runtime = &runtime_] {
    if (Status loaded = load->run(*runtime); !loaded) {
      load->done->loader.reset();
      load->done->error = loaded.error().message();
      load->done->source_changed = loaded.error().code() == ErrorCode::kSourceChanged;
    }
    return std::move(load->done);
  };
  // What is new does not wait for what is caught up.
  runtime_.run_blocking(self_, lane, catch_up ? Urgency::kSoon : Urgency::kNow, run);
}

void SourceReader::on_loaded(std::unique_ptr<BatchLoaded> loaded) {
  Read* read = loaded->catch_up ? &catch_up_ : &main_;
  if (!read->active || loaded->generation != read->generation) {
    return dispose(runtime_, self_, loaded->lane(), std::move(loaded->loader));
  }
  read->loading = false;
  if (!loaded->catch_up && loaded->dead_letters) dead_letter_counts_ = loaded->dead_letters;
  if (!loaded->error.empty()) return on_failed(read, *loaded);
  read->error.clear();
  read->loader = std::move(loaded->loader);
  if (loaded->nothing_to_read) {
    read->spare = std::move(loaded->batch);
    read->retry_at_us = kNever;
    return;
  }
  LoadedBatch& batch = *loaded->batch;
  batch.read_wall_us = runtime_.wall_us();
  read_cost_.add(batch.read_cost);
  evaluate_cost_.add(batch.evaluate_cost);
  if (!loaded->catch_up) {
    count(*loaded);
    note_idleness(batch);
  }
  const bool newly_finished = batch.end.finished && !batch.begin.finished;
  const bool nothing_new = batch.begin.offset == batch.end.offset && !newly_finished;
  if (batch.end.finished) {
    read->retry_at_us = follow_ ? runtime_.monotonic_us() + kFinishedPollUs : kNever;
  } else if (nothing_new) {
    read->retry_at_us = runtime_.monotonic_us() + config_.poll_interval_ms * 1000;
  }
  if (nothing_new) {
    read->spare = std::move(loaded->batch);
    return;
  }
  if (!loaded->catch_up && replay_speed_ > 0) adapt_pace(batch);
  read->ready = std::move(loaded->batch);
  pump();
}

void SourceReader::on_failed(Read* read, const BatchLoaded& loaded) {
  if (read->error != loaded.error) {
    log_event(LogLevel::kWarning, "source_read_failed",
              {{"job", job_.value}, {"source_partition", source_.value}, {"reason", loaded.error}});
  }
  read->error = loaded.error;
  if (loaded.source_changed && changed_.empty()) changed_ = loaded.error;
  if (read == &main_) at_end_since_us_ = -1;
  read->retry_at_us = runtime_.monotonic_us() + kRetryAfterErrorUs;
}

void SourceReader::count(const BatchLoaded& loaded) {
  const LoadedBatch& batch = *loaded.batch;
  records_ += batch.records;
  null_keys_ += batch.null_keys;
  tombstones_ += batch.events.tombstones;
  log_ = loaded.log;
  for (const auto* bad : {&batch.events.bad, &batch.failed}) {
    for (const BadRecord& b : *bad) {
      if (bad_samples_.size() >= kBadSamples) return;
      bad_samples_.push_back(std::to_string(b.offset) + ": " + b.message);
    }
  }
}

// The log must have been at its end, by its own word, all the time.
void SourceReader::note_idleness(const LoadedBatch& batch) {
  const bool moved = batch.begin.offset != batch.end.offset;
  at_end_seen_us_ = runtime_.monotonic_us();
  if (!batch.at_end) {
    at_end_since_us_ = -1;
  } else if (moved || at_end_since_us_ < 0) {
    at_end_since_us_ = at_end_seen_us_;
  }
}

// A load that hangs confirms nothing, and what is loaded and not sent yet is behind the marks.
bool SourceReader::idle() const {
  const int64_t now = runtime_.monotonic_us();
  const int64_t fresh_us = std::max(kConfirmedForUs, 2 * config_.poll_interval_ms * 1000);
  if (at_end_since_us_ < 0 || main_.ready || now - at_end_seen_us_ > fresh_us) return false;
  uint32_t index = 0;
  return now - at_end_since_us_ >= plan_->source_of(source_.value, &index).idle_after_us();
}

uint64_t SourceReader::applied_offset() const {
  if (open_sessions() < plan_->key_partitions()) return 0;
  for (const auto& [host, sessions] : sessions_) {
    for (const auto& [k, s] : sessions) {
      if (s.catching_up) return 0;
    }
  }
  return applied_.least();
}

// The next paced batch gets about as many records as kPacedBatchUs brings at this one's rate.
void SourceReader::adapt_pace(const LoadedBatch& batch) {
  if (batch.records == 0 || batch.begin.max_event_time == kMinTime) return;
  const DurationUs span = batch.end.max_event_time - batch.begin.max_event_time;
  if (span <= 0) return;
  const double wall_us = static_cast<double>(span) / replay_speed_;
  const double records = static_cast<double>(batch.records) * kPacedBatchUs / wall_us;
  const double limit = static_cast<double>(bounds_.records);
  paced_records_ = static_cast<size_t>(std::clamp(records, 1.0, limit));
}

// A replay at a multiple of event time holds a batch back until its last event is due.
bool SourceReader::due(const Read& read) {
  if (replay_speed_ <= 0 || &read == &catch_up_ || read.ready->events.rows() == 0) return true;
  const TimeUs last = read.ready->end.max_event_time;
  if (pace_start_us_ < 0) {
    pace_start_us_ = runtime_.monotonic_us();
    pace_event_time_ = read.ready->event_times().front();
  }
  const auto due_us =
      pace_start_us_ +
      static_cast<int64_t>(static_cast<double>(last - pace_event_time_) / replay_speed_);
  return runtime_.monotonic_us() >= due_us;
}

// Whether a read sends its batch to a session. One that is behind the batch, or has a cut within
// it, waits for another catch-up read; one at or past its end has it all, but is told if the log
// ends just there.
bool SourceReader::takes_part(const Read& read, const LoadedBatch& batch, const Session& s) const {
  if (s.catching_up != (&read == &catch_up_)) return false;
  if (s.position < batch.begin.offset || s.crosses_cut(batch.end.offset)) return false;
  return s.position < batch.end.offset || (batch.end.finished && s.position == batch.end.offset);
}

// Sessions that could not take part in what the main read has sent.
void SourceReader::leave_behind() {
  for (auto& [host, sessions] : sessions_) {
    for (auto& [k, s] : sessions) s.catching_up |= s.position < main_.position.offset;
  }
}

// Whether the batch that is ready can go out. Nobody to send it to: the read ends, and starts anew
// where sessions stand.
bool SourceReader::may_send(Read* read) {
  const bool catching_up = read == &catch_up_;
  size_t total = 0;
  size_t without_credit = 0;
  std::vector<ActorAddress> laggards;
  for (const auto& [host, sessions] : sessions_) {
    const SendLink& link = links_.at(host);
    const bool credit = catching_up ? link.has_credit_to_catch_up() : link.has_credit();
    size_t n = 0;
    for (const auto& [k, s] : sessions) n += takes_part(*read, *read->ready, s);
    total += n;
    if (n > 0 && !credit) {
      without_credit += n;
      laggards.push_back(host);
    }
  }
  if (total == 0) {
    end(read);
    if (!catching_up && open_sessions() == 0) first_open_us_ = -1;
    return false;
  }
  if (without_credit * 4 > total) return false;
  for (const ActorAddress& host : laggards) close_sessions(host, catching_up);
  return true;
}

// What is still being loaded for it is dropped when it comes.
void SourceReader::end(Read* read) {
  ++read->generation;
  read->active = false;
  read->loading = false;
  dispose(runtime_, self_, source_lane(job_, source_, read == &catch_up_), std::move(read->loader));
  read->ready.reset();
}

void SourceReader::close() {
  end(&main_);
  end(&catch_up_);
}

void SourceReader::send(Read* read) {
  const bool catching_up = read == &catch_up_;
  std::unique_ptr<LoadedBatch> batch = std::move(read->ready);
  // The sessions of a catch-up read join the main read at its position. Behind it, dead letters
  // may not be durable yet.
  if (catching_up && batch->end.offset > main_.position.offset &&
      !mutated(Mutation::kCatchUpPastDeadLetters)) {
    batch->cut(main_.position);
  }
  // The next records are read while these are written into messages.
  read->position = batch->end;
  const bool goes_on = !catching_up || batch->end.offset < main_.position.offset;
  if (goes_on && !read->outdated) load(read);
  std::vector<ActorAddress> hosts;
  for (const auto& [host, sessions] : sessions_) hosts.push_back(host);
  for (const ActorAddress& host : hosts) send_to(host, *read, *batch);
  if (!catching_up) leave_behind();
  read->spare = std::move(batch);
}

void SourceReader::send_to(const ActorAddress& host, const Read& read, const LoadedBatch& batch) {
  SessionsOfLink& sessions = sessions_.at(host);
  uint32_t parts = 0;
  for (const auto& [k, s] : sessions) parts += takes_part(read, batch, s);
  if (parts == 0) return;
  StageTimer timer(runtime_, &scatter_cost_);
  SendLink& link = links_.at(host);
  const bool of_main = &read == &main_;
  SourceBatchWriter writer(
      {job_, source_, epoch_, 0, batch.end, batch.read_wall_us, of_main, of_main && idle(),
       batch.known_tables},
      parts);
  for (auto& [k, s] : sessions) {
    if (!takes_part(read, batch, s)) continue;
    writer.begin_part(k, s.id, s.next_seq++);
    scatter_cost_.rows += batch.write_blocks(k.value, s.position, writer.blocks());
    s.forwarded(batch.end);
  }
  const uint64_t link_seq = link.sent(writer.size(), runtime_.monotonic_us());
  if (of_main) applied_.sent(host, link_seq, batch.end.offset);
  const SendResult sent = runtime_.send(self_, host, kSourceBatch, writer.finish(link_seq));
  if (sent != SendResult::kAccepted) close_all_sessions(host);
}

// Parts without rows at the sessions' own position: shows a gap that nothing else would show.
void SourceReader::send_mark(const ActorAddress& host) {
  SessionsOfLink& sessions = sessions_.at(host);
  for (const bool catching_up : {false, true}) {
    const Read& read = catching_up ? catch_up_ : main_;
    if (!read.active) continue;
    uint32_t parts = 0;
    for (const auto& [k, s] : sessions) {
      parts += s.catching_up == catching_up && s.position == read.position.offset;
    }
    if (parts == 0) continue;
    SourceBatchWriter writer({job_, source_, epoch_, 0, read.position, runtime_.wall_us(),
                              !catching_up, !catching_up && idle(),
                              static_cast<uint32_t>(plan_->tables()->size())},
                             parts);
    for (auto& [k, s] : sessions) {
      if (s.catching_up != catching_up || s.position != read.position.offset) continue;
      writer.begin_part(k, s.id, s.next_seq++);
    }
    const uint64_t link_seq = links_.at(host).sent(writer.size(), runtime_.monotonic_us());
    runtime_.send(self_, host, kSourceBatch, writer.finish(link_seq));
  }
}

void SourceReader::on_ack(const ActorAddress& from, const BatchAck& message) {
  const auto link = links_.find(from);
  if (message.reader_epoch != epoch_ || link == links_.end()) return;
  link->second.acknowledged(message.link_seq, runtime_.monotonic_us());
  applied_.acknowledged(from, message.link_seq);
  pump();
}

void SourceReader::close_sessions(const ActorAddress& host, bool catching_up) {
  SessionsClosed closed{job_, source_, epoch_, {}};
  std::erase_if(sessions_.at(host), [&](const auto& entry) {
    if (entry.second.catching_up != catching_up) return false;
    closed.sessions.push_back({entry.first, entry.second.id});
    return true;
  });
  if (closed.sessions.empty()) return;
  runtime_.send(self_, host, kSessionsClosed, closed.encode());
}

// What is in flight there is given up: its acknowledgement will not come, or not matter.
void SourceReader::close_all_sessions(const ActorAddress& host) {
  close_sessions(host, false);
  close_sessions(host, true);
  links_.at(host).reset();
  applied_.forget(host);
}

void SourceReader::on_tick() {
  const int64_t now = runtime_.monotonic_us();
  for (auto& [host, link] : links_) {
    if (sessions_.at(host).empty()) continue;
    if (link.stalled(now, config_.link_stall_ms * 1000)) {
      close_all_sessions(host);
    } else if (now - link.last_sent_us() >= config_.mark_interval_ms * 1000) {
      send_mark(host);
    }
  }
  pump();
}

void SourceReader::on_view(const ClusterState& view, int64_t credit_bytes,
                           const ReadBounds& bounds) {
  credit_bytes_ = credit_bytes;
  bounds_ = bounds;
  for (auto& [host, link] : links_) link.set_credit(static_cast<uint64_t>(credit_bytes));
  owners_.assign(plan_->key_partitions(), NodeId{});
  if (const auto job = view.jobs.find(job_); job != view.jobs.end()) {
    for (size_t k = 0; k < job->second.key_partitions.size(); ++k) {
      owners_[k] = job->second.key_partitions[k].node;
    }
  }
  for (auto it = sessions_.begin(); it != sessions_.end();) {
    if (view.endpoints.contains(it->first.node)) {
      ++it;
      continue;
    }
    links_.erase(it->first);
    applied_.forget(it->first);
    it = sessions_.erase(it);
  }
  pump();
}

}  // namespace tidemill
