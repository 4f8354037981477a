// A source reader's promises to its sessions, whatever opens, closes and stalls.
#include "worker/source_reader.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "shared/member/member_agent.h"
#include "shared/runtime/sim/simulation.h"
#include "shared/wire/actors.h"
#include "shared/wire/messages.h"
#include "tests/unit/worker/data_plane_fixture.h"
#include "worker/reader_host.h"

namespace tidemill::test {
namespace {

constexpr NodeId kReaderNode{10};
constexpr NodeId kHostNode{20};
constexpr ActorId kHost{0, kPartitionHostIndex};
constexpr ActorId kReaders{0, kReaderHostIndex};
constexpr uint64_t kEvents = 10;  // of a source partition of small_plan()

// Takes what a reader sends and checks that each session's numbers are dense.
class FakeHost : public Actor {
 public:
  explicit FakeHost(Runtime& runtime) : runtime_(runtime) {}
  void receive(Message message) override {
    if (message.type == kSessionsClosed) {
      const auto m = SessionsClosed::decode(message.body);
      for (const auto& s : m->sessions) closed.insert(s.session);
      return;
    }
    const auto batch = SourceBatch::decode(message.body);
    ASSERT_TRUE(batch.ok());
    ++batches;
    idle = batch->header.idle;
    bytes += batch->bytes.size();
    for (const SourceBatchPart& part : batch->parts) {
      EXPECT_EQ(part.seq, next_seq[part.session]++);
      end[part.session] = batch->header.end;
      const Buffer blocks = batch->blocks(part);
      for (size_t at = 0; at < blocks.size();) {
        const auto block = RowBlockView::parse(blocks.bytes().subspan(at));
        ASSERT_TRUE(block.ok());
        for (uint32_t row = 0; row < block->rows(); ++row) {
          rows[part.session].insert({block->event_times()[row], std::string(block->key(row))});
        }
        at += block->byte_size();
      }
    }
    if (!acking) return;
    const BatchAck ack{batch->header.job, batch->header.source, batch->header.reader_epoch,
                       batch->header.link_seq};
    runtime_.send(kHost, message.from, kBatchAck, ack.encode());
  }
  void on_timer(uint64_t) override {}

  using Rows = std::multiset<std::pair<TimeUs, std::string>>;
  bool acking = true;
  bool idle = false;  // as the last message says
  int batches = 0;
  size_t bytes = 0;
  std::map<uint64_t, uint64_t> next_seq;
  std::map<uint64_t, SourcePosition> end;
  std::map<uint64_t, Rows> rows;
  std::set<uint64_t> closed;

 private:
  Runtime& runtime_;
};

// Keeps the last report of the readers.
class FakeAgent : public Actor {
 public:
  void receive(Message message) override {
    auto* report = dynamic_cast<ShardReport*>(message.local.get());
    if (report != nullptr && !report->jobs.empty()) last = report->jobs[0].readers(0);
  }
  void on_timer(uint64_t) override {}

  proto::ReaderReport last;
};

class SourceReaderTest : public testing::Test {
 protected:
  static std::shared_ptr<const Plan> plan_with(uint64_t events) {
    proto::JobPlan plan = small_plan()->proto();
    plan.mutable_sources(0)->mutable_generator()->set_events(events);
    return *Plan::from_proto(plan);
  }
  static std::shared_ptr<const Plan> plan_with_bad_records(uint64_t events) {
    proto::JobPlan plan = small_plan()->proto();
    plan.mutable_sources(0)->mutable_generator()->set_events(events);
    plan.mutable_sources(0)->mutable_generator()->set_malformed_share(0.1);
    return *Plan::from_proto(plan);
  }
  // The greatest offset that a session has been told of.
  uint64_t told() {
    uint64_t out = 0;
    for (const auto& [session, end] : host().end) out = std::max(out, end.offset);
    return out;
  }
  void start(WorkerConfig config, const std::shared_ptr<const Plan>& plan = small_plan()) {
    config.read_records = 3;
    reader_ =
        sim_.add_process({"reader", "sim://r", kReaderNode, 1}, [this, config](ProcessHost& h) {
          h.spawn(kAgent, [](Runtime&) { return std::make_unique<FakeAgent>(); });
          h.spawn(kReaders, [this, config](Runtime& r) {
            return std::make_unique<ReaderHost>(r, config, letters_);
          });
        });
    host_ = sim_.add_process({"host", "sim://h", kHostNode, 1}, [](ProcessHost& h) {
      h.spawn(kHost, [](Runtime& r) { return std::make_unique<FakeHost>(r); });
    });
    sim_.runtime(reader_).connect(kHostNode, "sim://h");
    sim_.runtime(host_).connect(kReaderNode, "sim://r");
    auto view = std::make_shared<ClusterState>();
    view->endpoints = {{kReaderNode, "sim://r"}, {kHostNode, "sim://h"}};
    std::vector<Grant> sources(plan->source_partitions());
    sources[0] = {kReaderNode, Epoch(6), 0};
    if (owners_.empty()) owners_.assign(plan->key_partitions(), {kHostNode, Epoch(1), 0});
    view->jobs[JobId(1)] = {JobId(1), plan, sources, owners_};
    view_ = std::move(view);
    if (!view_is_late_) post_view();
    sim_.run_for(10'000);
  }
  void post_view() {
    auto changed = std::make_unique<ViewChanged>();
    changed->view = view_;
    sim_.post_from_outside(reader_, kReaders, std::move(changed));
  }
  void open(const std::vector<uint32_t>& partitions, uint64_t first_session,
            const SourcePosition& from = {}, uint64_t epoch = 1, uint64_t reader_epoch = 6) {
    OpenSessions m{JobId(1), SourcePartitionId(0), Epoch(reader_epoch), {}};
    for (const uint32_t k : partitions) {
      m.sessions.push_back({KeyPartitionId(k), Epoch(epoch), first_session++, from});
    }
    sim_.runtime(host_).send(kHost, {kReaderNode, kReaders}, kOpenSessions, m.encode());
  }
  const proto::ReaderReport& report() {
    return static_cast<FakeAgent*>(sim_.actor(reader_, kAgent))->last;
  }
  FakeHost& host() { return *static_cast<FakeHost*>(sim_.actor(host_, kHost)); }
  bool finished(uint64_t session) {
    return sim_.run_until([&] { return host().end[session].finished; }, sim_.now_us() + 5'000'000);
  }
  size_t rows_of(uint64_t first, uint64_t last) {
    size_t n = 0;
    for (uint64_t s = first; s <= last; ++s) n += host().rows[s].size();
    return n;
  }

  std::shared_ptr<MemoryDeadLetters> letters_ = std::make_shared<MemoryDeadLetters>();
  std::vector<Grant> owners_;  // empty: the host owns all
  bool view_is_late_ = false;
  std::shared_ptr<const ClusterState> view_;
  Simulation sim_{5};
  SimProcessId reader_, host_;
};

TEST_F(SourceReaderTest, EachSessionGetsItsRowsOnceAndTheEnd) {
  start({});
  open({0, 1, 2, 3}, 1);
  for (uint64_t s = 1; s <= 4; ++s) EXPECT_TRUE(finished(s));
  EXPECT_EQ(rows_of(1, 4), kEvents);
  EXPECT_EQ(host().end[1].offset, kEvents);
  sim_.run_for(1'000'000);  // marks go on, rows do not
  EXPECT_EQ(rows_of(1, 4), kEvents);
  EXPECT_GT(host().next_seq[1], 10u);
}

TEST_F(SourceReaderTest, StartsWithoutThoseThatDoNotOpen) {
  start({});
  open({1}, 1);
  EXPECT_TRUE(finished(1));
}

TEST_F(SourceReaderTest, WaitsForThoseThatAreOwnedAndForNoOthers) {
  WorkerConfig config;
  config.session_wait_ms = 60'000;
  owners_.assign(4, {kHostNode, Epoch(1), 0});
  owners_[3] = {};
  start(config);
  open({0, 1}, 1);
  sim_.run_for(1'000'000);
  EXPECT_EQ(host().batches, 0);
  open({2}, 3);
  EXPECT_TRUE(finished(1));
}

TEST_F(SourceReaderTest, AnOpeningThatComesBeforeTheViewWaitsForIt) {
  view_is_late_ = true;
  start({});
  open({0, 1, 2, 3}, 1);
  sim_.run_for(100'000);
  EXPECT_EQ(host().batches, 0);
  post_view();
  EXPECT_TRUE(finished(1));
  EXPECT_EQ(rows_of(1, 4), kEvents);
}

// Its sender has repeated it by then.
TEST_F(SourceReaderTest, AnEarlyOpeningDoesNotWaitForLong) {
  view_is_late_ = true;
  start({});
  open({0, 1, 2, 3}, 1);
  sim_.run_for(1'000'000);
  post_view();
  sim_.run_for(1'000'000);
  EXPECT_EQ(host().batches, 0);
  open({0, 1, 2, 3}, 1);
  EXPECT_TRUE(finished(1));
}

TEST_F(SourceReaderTest, ALateSessionCatchesUpAlone) {
  start({});
  open({0, 1, 2, 3}, 1);
  ASSERT_TRUE(finished(1));
  for (uint32_t k = 0; k < 4; ++k) {
    open({k}, 10 + k);
    ASSERT_TRUE(finished(10 + k)) << k;
    EXPECT_EQ(host().rows[10 + k], host().rows[1 + k]) << k;
  }
  EXPECT_EQ(rows_of(1, 4), kEvents);
}

TEST_F(SourceReaderTest, ASessionStartsWhereItIsOpened) {
  start({});
  open({0, 1, 2, 3}, 1);
  ASSERT_TRUE(finished(1));
  open({0, 1, 2, 3}, 10, {4, kStart, false, {}});
  for (uint64_t s = 10; s <= 13; ++s) ASSERT_TRUE(finished(s));
  EXPECT_EQ(rows_of(10, 13), kEvents - 4);
}

TEST_F(SourceReaderTest, AnOpeningOfAnotherReaderGrantIsIgnored) {
  start({});
  open({0, 1, 2, 3}, 1, {}, 1, /*reader_epoch=*/5);
  open({0, 1, 2, 3}, 1, {}, 1, /*reader_epoch=*/7);
  sim_.run_for(1'000'000);
  EXPECT_EQ(host().batches, 0);
  EXPECT_TRUE(host().closed.empty());
}

TEST_F(SourceReaderTest, AnOlderOwnerIsRefused) {
  start({});
  open({0, 1, 2, 3}, 1, {}, /*epoch=*/5);
  ASSERT_TRUE(finished(1));
  open({0}, 9, {}, /*epoch=*/4);
  sim_.run_for(500'000);
  EXPECT_EQ(host().closed, std::set<uint64_t>{9});
  EXPECT_EQ(host().next_seq.count(9), 0u);
  const uint64_t before = host().next_seq[1];  // the present owner's session goes on
  sim_.run_for(500'000);
  EXPECT_GT(host().next_seq[1], before);
}

TEST_F(SourceReaderTest, ARepeatedOpeningDoesNotStartAnew) {
  start({});
  open({0, 1, 2, 3}, 1);
  open({0, 1, 2, 3}, 1);
  ASSERT_TRUE(finished(1));
  open({0, 1, 2, 3}, 1);
  sim_.run_for(1'000'000);  // FakeHost sees that the numbers stay dense
  EXPECT_EQ(rows_of(1, 4), kEvents);
  EXPECT_TRUE(host().closed.empty());
}

TEST_F(SourceReaderTest, CatchingUpWithAPacedReadTakesNoLongerThanReading) {
  proto::JobPlan plan = small_plan()->proto();
  plan.mutable_sources(0)->mutable_generator()->set_events(100);
  plan.mutable_sources(0)->mutable_generator()->set_replay_speed(1);  // an event every 2 s
  start({}, *Plan::from_proto(plan));
  open({0, 1, 2}, 1);
  sim_.run_for(17'000'000);
  const SourcePosition at = host().end[1];
  ASSERT_GT(at.offset, 1u);
  ASSERT_LT(at.offset, 20u);
  ASSERT_NE(at.offset % 3, 1u);  // in the midst of what a load from 1 brings
  open({3}, 10, {1, kStart, false});
  sim_.run_for(500'000);
  EXPECT_EQ(host().end[10].offset, host().end[1].offset);
  EXPECT_EQ(host().end[10], host().end[1]);
}

TEST_F(SourceReaderTest, BadRecordsAreDeadLettersOnceWhoeverReadsThemAgain) {
  start({}, plan_with_bad_records(300));
  open({0, 1, 2, 3}, 1);
  ASSERT_TRUE(finished(1));
  const size_t bad = letters_->letters.size();
  EXPECT_GT(bad, 10u);
  EXPECT_EQ(rows_of(1, 4), 300 - bad);
  EXPECT_EQ(letters_->appended, bad);
  for (const auto& [key, letter] : letters_->letters) {
    EXPECT_EQ(letter.source, "transactions");
    EXPECT_EQ(letter.reason, BadReason::kUnparsable);
    EXPECT_FALSE(letter.message.empty());
  }
  open({0, 1, 2, 3}, 10);  // a catch-up read leaves them to the main read
  ASSERT_TRUE(finished(10));
  EXPECT_EQ(letters_->appended, bad);
}

TEST_F(SourceReaderTest, NothingIsForwardedBeforeItsDeadLettersAreDurable) {
  letters_->failing = true;
  start({}, plan_with_bad_records(300));
  open({0, 1, 2, 3}, 1);
  sim_.run_for(3'000'000);
  const uint64_t stuck_at = told();
  EXPECT_LT(stuck_at, 100u);
  EXPECT_TRUE(letters_->letters.empty());
  letters_->failing = false;
  ASSERT_TRUE(finished(1));
  ASSERT_FALSE(letters_->letters.empty());
  EXPECT_GE(letters_->letters.begin()->first.first, stuck_at);
  EXPECT_EQ(rows_of(1, 4), 300 - letters_->letters.size());
}

// A reader of the past has gone on meanwhile: its letters are not written again, but counted.
TEST_F(SourceReaderTest, ARestartFarAheadCountsWhatOthersHaveWritten) {
  letters_->failing = true;
  start({}, plan_with_bad_records(300));
  open({0, 1, 2}, 1);
  sim_.run_for(1'500'000);
  const uint64_t stuck_at = told();
  constexpr uint64_t kOthersReached = 200;
  for (uint64_t offset = stuck_at; offset < kOthersReached; offset += 7) {
    letters_->letters[{offset, ""}].reason = BadReason::kUnparsable;
  }
  const size_t others = letters_->letters.size();
  open({3}, 4, {kOthersReached, 0, false, {}});
  sim_.run_for(10'000);
  letters_->failing = false;
  ASSERT_TRUE(finished(1) && finished(4));
  EXPECT_GT(letters_->letters.size(), others);
  EXPECT_GE(letters_->letters.upper_bound({kOthersReached - 1, "~"})->first.first, kOthersReached);
  sim_.run_for(1'000'000);
  uint64_t counted = 0;
  for (const proto::DeadLetterCount& count : report().dead_letters()) counted += count.records();
  EXPECT_EQ(counted, letters_->letters.size());
}

// A catch-up read writes no dead letters: it waits for the main read before it marks past them.
TEST_F(SourceReaderTest, ACatchUpReadDoesNotMarkPastTheDeadLetters) {
  start({}, plan_with_bad_records(300));
  open({0, 1, 2}, 1, {100, 0, false, {}});
  sim_.run_until([&] { return host().end[1].offset > 100; }, sim_.now_us() + 5'000'000);
  letters_->failing = true;
  sim_.run_for(500'000);
  const uint64_t stuck_at = told();
  ASSERT_LT(stuck_at, 300u);
  open({3}, 4, {stuck_at - 2, 0, false, {}});  // its batches of 3 end elsewhere
  sim_.run_for(1'500'000);
  EXPECT_EQ(told(), stuck_at);
  letters_->failing = false;
  ASSERT_TRUE(finished(1) && finished(4));
}

// A file that grows, in a directory of its own.
class FollowedFile {
 public:
  FollowedFile() {
    std::string name = (std::filesystem::temp_directory_path() / "tidemill_reader_XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
  }
  ~FollowedFile() { std::filesystem::remove_all(directory_); }
  std::string path() const { return (directory_ / "in.ndjson").string(); }
  void append(int n) {
    std::ofstream out(path(), std::ios::app);
    for (int i = 0; i < n; ++i) {
      out << R"({"t": "2018-04-01T00:00:00Z", "who": "a"})"
          << "\n";
    }
  }
  std::shared_ptr<const Plan> plan() const {
    return plan_of(R"(
job: followed
key_partitions: 4
sources:
  in:
    schema: {t: timestamp, who: string}
    event_time: t
    idle_after: 2s
    stream: {files: ")" +
                   path() + R"(", follow: true}
views:
  v: {source: in, entity: [who], aggregations: [{function: count, windows: [1h]}]}
)");
  }

 private:
  std::filesystem::path directory_;
};

TEST_F(SourceReaderTest, AReaderThatStandsAtTheLogsEndIsIdleUntilMoreComes) {
  FollowedFile file;
  file.append(5);
  start({}, file.plan());
  open({0, 1, 2, 3}, 1);
  sim_.run_for(1'500'000);
  EXPECT_EQ(rows_of(1, 4), 5u);
  EXPECT_FALSE(host().idle);
  sim_.run_for(1'000'000);
  EXPECT_TRUE(host().idle);
  EXPECT_TRUE(report().idle());
  file.append(1);
  sim_.run_for(500'000);
  EXPECT_EQ(rows_of(1, 4), 6u);
  EXPECT_FALSE(host().idle);
  EXPECT_FALSE(host().end[1].finished);
}

TEST_F(SourceReaderTest, ALogThatIsAnotherOneIsReadNoMore) {
  FollowedFile file;
  file.append(5);
  start({}, file.plan());
  open({0, 1, 2, 3}, 1);
  sim_.run_for(1'000'000);
  ASSERT_EQ(rows_of(1, 4), 5u);
  EXPECT_EQ(report().read().offset(), std::filesystem::file_size(file.path()));
  std::filesystem::resize_file(file.path(), 1);
  sim_.run_for(1'000'000);
  EXPECT_TRUE(report().source_changed());
  EXPECT_FALSE(report().error().empty());
  file.append(50);
  sim_.run_for(3'000'000);
  EXPECT_TRUE(report().source_changed());
  EXPECT_EQ(rows_of(1, 4), 5u);
}

TEST(AppliedOffset, IsTheLeastThatAllHaveAcknowledged) {
  const ActorAddress a{NodeId(1), {}};
  const ActorAddress b{NodeId(2), {}};
  AppliedOffset applied;
  EXPECT_EQ(applied.least(), 0u);
  applied.sent(a, 1, 10);
  applied.sent(b, 1, 10);
  applied.sent(a, 2, 20);
  applied.sent(a, 3, 30);
  applied.acknowledged(a, 2);
  EXPECT_EQ(applied.least(), 0u);
  applied.acknowledged(b, 1);
  EXPECT_EQ(applied.least(), 10u);
  applied.forget(b);
  EXPECT_EQ(applied.least(), 20u);
}

TEST_F(SourceReaderTest, WithoutCreditItWaitsAndThenClosesItsSessions) {
  WorkerConfig config;
  config.batch_credit_bytes = 1;  // the least credit there is: 8 KiB
  config.link_stall_ms = 2'000;
  start(config, plan_with(/*events=*/3'000));
  host().acking = false;
  open({0, 1, 2, 3}, 1);
  sim_.run_for(80'000);  // before the first mark, which needs no credit
  const int batches = host().batches;
  EXPECT_GT(batches, 1);
  EXPECT_LT(host().bytes, 10u << 10);
  EXPECT_LT(rows_of(1, 4), 1'000u);
  sim_.run_for(10'000);
  EXPECT_EQ(host().batches, batches);
  EXPECT_TRUE(sim_.run_until([&] { return host().closed.size() == 4; }, sim_.now_us() + 5'000'000));
  // A closed id is never opened again; a new one goes on at its V.
  host().closed.clear();
  host().acking = true;
  open({0, 1, 2, 3}, 1);
  sim_.run_for(500'000);
  EXPECT_EQ(host().closed, (std::set<uint64_t>{1, 2, 3, 4}));
  const SourcePosition at = host().end[1];
  const size_t had = rows_of(1, 4);
  open({0, 1, 2, 3}, 10, at);
  for (uint64_t s = 10; s <= 13; ++s) EXPECT_TRUE(finished(s));
  EXPECT_EQ(had + rows_of(10, 13), 3'000u);
}

}  // namespace
}  // namespace tidemill::test
