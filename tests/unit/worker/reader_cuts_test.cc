// A source reader against owners of key partitions that come, go back and ask for cuts at random:
// each gets every record of its partition once, in positions that are those of the log's prefix,
// and no part of a session reaches across one of its cuts.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>
#include <set>

#include "shared/runtime/sim/simulation.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "tests/unit/worker/data_plane_fixture.h"
#include "worker/reader_host.h"

namespace tidemill::test {
namespace {

constexpr NodeId kReaderNode{10};
constexpr NodeId kFirstHostNode{20};
constexpr ActorId kHost{0, kPartitionHostIndex};
constexpr ActorId kReaders{0, kReaderHostIndex};
constexpr Epoch kReaderEpoch{6};
constexpr uint32_t kHosts = 2;
constexpr int64_t kTickUs = 5'000;
constexpr int64_t kSilenceUs = 2'000'000;  // longer than any other one catches up

using Rows = std::multiset<std::pair<TimeUs, std::string>>;

void add_rows(const Buffer& blocks, Rows* out) {
  for (size_t at = 0; at < blocks.size();) {
    const auto block = RowBlockView::parse(blocks.bytes().subspan(at));
    ASSERT_TRUE(block.ok());
    for (uint32_t row = 0; row < block->rows(); ++row) {
      out->insert({block->event_times()[row], std::string(block->key(row))});
    }
    at += block->byte_size();
  }
}

// What the log holds: read a record at a time, in one go.
struct WholeLog {
  explicit WholeLog(const std::shared_ptr<const Plan>& plan) : rows(plan->key_partitions()) {
    const LoadClock clock{0, [] { return int64_t{0}; }};
    auto loader = BatchLoader::open(plan, 0, {});
    LoadedBatch batch;
    positions[0] = {};
    while (!batch.end.finished) {
      ASSERT((*loader)->load(clock, {1, 1 << 20}, nullptr, &batch).ok());
      positions[batch.end.offset] = batch.end;
      for (uint32_t k = 0; k < rows.size(); ++k) {
        ByteWriter writer;
        batch.write_blocks(k, 0, &writer);
        add_rows(Buffer(writer.take()), &rows[k]);
      }
    }
    end = batch.end.offset;
  }

  std::vector<Rows> rows;                        // by key partition
  std::map<uint64_t, SourcePosition> positions;  // behind each record
  uint64_t end = 0;
};

// What an owner has applied.
struct Applied {
  SourcePosition at;
  Rows rows;
};

struct Owner {
  Applied now;
  Applied snapshot;
  bool open = false;
  bool opened_in_calm = false;  // nothing is lost any more
  uint64_t session = 0;
  uint64_t next_seq = 0;
  std::vector<uint64_t> cuts;
  int64_t heard_us = 0;
};

class Owners : public Actor {
 public:
  Owners(Runtime& runtime, const WholeLog& log, std::set<uint32_t> owned)
      : runtime_(runtime), log_(log) {
    for (const uint32_t k : owned) owners[k];
  }
  void start() override {
    runtime_.connect(kReaderNode, "sim://reader");
    runtime_.start_timer(kHost, kTickUs, 0);
  }
  void receive(Message message) override {
    if (message.type == kSessionsClosed) {
      const auto closed = SessionsClosed::decode(message.body);
      for (const auto& s : closed->sessions) {
        Owner& owner = owners.at(s.key_partition.value);
        if (owner.session == s.session) owner.open = false;
      }
      return;
    }
    const auto batch = SourceBatch::decode(message.body);
    ASSERT_TRUE(batch.ok());
    for (const SourceBatchPart& part : batch->parts) {
      apply(*batch, part, &owners.at(part.key_partition.value));
    }
    if (!acking) return;
    const BatchAck ack{batch->header.job, batch->header.source, batch->header.reader_epoch,
                       batch->header.link_seq};
    runtime_.send(kHost, message.from, kBatchAck, ack.encode());
  }
  void on_timer(uint64_t) override {
    for (auto& [k, owner] : owners) {
      if (troubled) trouble(&owner);
      if (owner.open && runtime_.monotonic_us() - owner.heard_us > kSilenceUs) {
        if (owner.opened_in_calm) wrong.push_back("silence");
        owner.open = false;
      }
      if (!owner.open) open(k, &owner);
    }
    if (troubled && one_in(60)) acking = !acking;
    if (!troubled) acking = true;
    runtime_.start_timer(kHost, kTickUs, 0);
  }

  std::map<uint32_t, Owner> owners;
  bool troubled = true;
  bool acking = true;
  std::vector<std::string> wrong;

 private:
  bool one_in(uint64_t n) { return runtime_.random() % n == 0; }

  void trouble(Owner* owner) {
    if (one_in(20)) owner->snapshot = owner->now;
    if (one_in(30)) {
      owner->now = owner->snapshot;
      owner->open = false;
    }
    if (one_in(30)) owner->open = false;
  }

  void open(uint32_t k, Owner* owner) {
    std::set<uint64_t> cuts;
    const uint64_t at = owner->now.at.offset;
    for (uint64_t n = runtime_.random() % 4; n > 0 && at < log_.end; --n) {
      cuts.insert(at + 1 + runtime_.random() % (log_.end - at + 2));
    }
    owner->cuts.assign(cuts.begin(), cuts.end());
    owner->open = true;
    owner->opened_in_calm = !troubled;
    owner->session = ++sessions_;
    owner->next_seq = 0;
    owner->heard_us = runtime_.monotonic_us();
    OpenSessions message{JobId(1), SourcePartitionId(0), kReaderEpoch, {}};
    message.sessions.push_back(
        {KeyPartitionId(k), Epoch(1), owner->session, owner->now.at, owner->cuts});
    runtime_.send(kHost, {kReaderNode, kReaders}, kOpenSessions, message.encode());
  }

  void apply(const SourceBatch& batch, const SourceBatchPart& part, Owner* owner) {
    if (!owner->open || part.session != owner->session || part.seq < owner->next_seq) return;
    owner->heard_us = runtime_.monotonic_us();
    if (part.seq > owner->next_seq) {
      owner->open = false;  // one was lost
      return;
    }
    ++owner->next_seq;
    const SourcePosition& end = batch.header.end;
    SourcePosition expected = log_.positions.at(end.offset);
    expected.finished = end.finished;
    if (end != expected) wrong.push_back("position " + std::to_string(end.offset));
    if (end.offset < owner->now.at.offset) wrong.push_back("backwards");
    for (const uint64_t cut : owner->cuts) {
      if (owner->now.at.offset < cut && cut < end.offset) {
        wrong.push_back("across " + std::to_string(cut));
      }
    }
    owner->now.at = end;
    add_rows(batch.blocks(part), &owner->now.rows);
  }

  Runtime& runtime_;
  const WholeLog& log_;
  uint64_t sessions_ = 0;
};

// A reader and two hosts that own every other key partition.
class World {
 public:
  World(uint64_t seed, const WorkerConfig& config, const std::shared_ptr<const Plan>& plan,
        const WholeLog& log)
      : sim(seed, lossy()), log_(log) {
    const auto letters = std::make_shared<MemoryDeadLetters>();
    reader_ = sim.add_process({"reader", "sim://reader", kReaderNode, 1}, [=](ProcessHost& h) {
      h.spawn(kReaders,
              [=](Runtime& r) { return std::make_unique<ReaderHost>(r, config, letters); });
    });
    auto view = std::make_shared<ClusterState>();
    view->endpoints[kReaderNode] = "sim://reader";
    std::vector<Grant> sources(plan->source_partitions());
    sources[0] = {kReaderNode, kReaderEpoch, 0};
    std::vector<Grant> owners(plan->key_partitions());
    for (uint32_t i = 0; i < kHosts; ++i) {
      std::set<uint32_t> owned;
      const NodeId node(kFirstHostNode.value + i);
      for (uint32_t k = i; k < owners.size(); k += kHosts) {
        owners[k] = {node, Epoch(1), 0};
        owned.insert(k);
      }
      const std::string name = "host" + std::to_string(i);
      view->endpoints[node] = "sim://" + name;
      sim.runtime(reader_).connect(node, "sim://" + name);
      hosts_.push_back(sim.add_process({name, "sim://" + name, node, 1}, [&](ProcessHost& h) {
        h.spawn(kHost, [&](Runtime& r) { return std::make_unique<Owners>(r, log, owned); });
      }));
    }
    view->jobs[JobId(1)] = {JobId(1), plan, sources, owners};
    auto changed = std::make_unique<ViewChanged>();
    changed->view = view;
    sim.post_from_outside(reader_, kReaders, std::move(changed));
  }

  Owners& host(size_t i) { return *static_cast<Owners*>(sim.actor(hosts_[i], kHost)); }
  // From now on nothing is lost, and all open once more.
  void calm() {
    sim.set_network(0, 0, 0, sim.config().network_delay_us_max);
    for (size_t i = 0; i < hosts_.size(); ++i) {
      host(i).troubled = false;
      for (auto& [k, owner] : host(i).owners) owner.open = false;
    }
  }
  bool finished() {
    for (size_t i = 0; i < hosts_.size(); ++i) {
      for (const auto& [k, owner] : host(i).owners) {
        if (owner.now.at.offset < log_.end || !owner.now.at.finished) return false;
      }
    }
    return true;
  }

  Simulation sim;

 private:
  static SimConfig lossy() {
    SimConfig config;
    config.drop_probability = 0.01;
    config.blocking_delay_us_max = 10'000;  // sessions open while batches are loaded
    return config;
  }

  const WholeLog& log_;
  SimProcessId reader_;
  std::vector<SimProcessId> hosts_;
};

std::shared_ptr<const Plan> random_plan() {
  proto::JobPlan plan = small_plan()->proto();
  auto* generator = plan.mutable_sources(0)->mutable_generator();
  generator->set_events(*rc::gen::inRange<uint64_t>(2, 300));
  generator->set_malformed_share(*rc::gen::element(0.0, 0.2));
  return *Plan::from_proto(plan);
}

WorkerConfig random_config() {
  WorkerConfig config;
  config.read_records = *rc::gen::inRange(5, 60);
  config.batch_credit_bytes = *rc::gen::element<int64_t>(1, 48 << 20);
  config.session_wait_ms = *rc::gen::element<int64_t>(0, 50, 300);
  config.mark_interval_ms = *rc::gen::element<int64_t>(10, 100);
  config.link_stall_ms = 300;
  return config;
}

RC_GTEST_PROP(ReaderCuts, EveryRecordComesOnceAndNoPartReachesAcrossACut, ()) {
  const auto plan = random_plan();
  const WholeLog log(plan);
  World world(*rc::gen::arbitrary<uint64_t>(), random_config(), plan, log);
  world.sim.run_for(*rc::gen::inRange<int64_t>(0, 2'000'000));
  world.calm();
  world.sim.run_for(2 * kSilenceUs);
  RC_ASSERT(world.sim.run_until([&] { return world.finished(); }, world.sim.now_us() + 60'000'000));
  for (size_t i = 0; i < kHosts; ++i) {
    RC_ASSERT(world.host(i).wrong == std::vector<std::string>());
    for (const auto& [k, owner] : world.host(i).owners) RC_ASSERT(owner.now.rows == log.rows[k]);
  }
}

}  // namespace
}  // namespace tidemill::test
