// Views over several sources: rows of all of them, against a fold of the events by hand.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "shared/base/hash.h"
#include "shared/load/batch_loader.h"
#include "shared/plan/entity_key.h"
#include "shared/window/block_list.h"
#include "shared/window/partition_state.h"
#include "tests/unit/worker/data_plane_fixture.h"

namespace tidemill {
namespace {

constexpr TimeUs kStart = test::kStart;
constexpr int64_t kSecond = test::kSecond;

class UnionRows {
 public:
  // `card`, `transfer`: the files without their headers. `union_of`: the view's list.
  UnionRows(const std::string& card, const std::string& transfer, const std::string& union_of) {
    std::string name = (std::filesystem::temp_directory_path() / "tidemill_union_XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    std::ofstream(directory_ / "card.csv") << "id,t,customer_id,amount,status,shop\n" << card;
    std::ofstream(directory_ / "transfer.csv") << "id,sent,payer,payee,cents,shop\n" << transfer;
    plan_ = test::plan_of(R"(
job: united
key_partitions: 8
sources:
  card:
    schema: {id: int64, t: timestamp, customer_id: string, amount: double, status: string, shop: string}
    event_time: t
    stream: {files: )" + (directory_ / "card.csv").string() +
                          R"(}
  transfer:
    schema: {id: int64, sent: timestamp, payer: string, payee: string, cents: int64, shop: string}
    event_time: sent
    stream: {files: )" + (directory_ / "transfer.csv").string() +
                          R"(}
views:
  paid:
    union: )" + union_of + R"(
    entity: [customer_id]
    order_by: [kind, id, amount]
    aggregations:
      - {name: n, function: count, windows: [20s]}
      - {name: total, function: sum, column: amount, windows: [20s]}
      - {name: shops, function: count_distinct, column: shop, windows: [20s]}
      - {name: kind, function: last, column: kind, windows: [20s]}
      - {name: ids, function: first_n, n: 4, column: id, windows: [20s]}
      - {name: cards, function: count, where: kind = 'card', windows: [20s]}
)");
    state_ = std::make_unique<PartitionState>(plan_->tables());
  }
  ~UnionRows() { std::filesystem::remove_all(directory_); }

  // Reads both sources to their ends, in turns of so many records.
  void read(size_t records) {
    std::vector<std::unique_ptr<BatchLoader>> loaders;
    for (uint32_t s = 0; s < plan_->source_partitions(); ++s) {
      auto loader = BatchLoader::open(plan_, s, {});
      ASSERT_TRUE(loader.ok()) << loader.error().message();
      loaders.push_back(std::move(loader).value());
    }
    const auto writer = std::move(*letters_.open("", {}, {}, {}));
    std::vector<uint8_t> done(loaders.size());
    while (std::count(done.begin(), done.end(), 0) > 0) {
      for (size_t s = 0; s < loaders.size(); ++s) {
        if (done[s] != 0) continue;
        LoadedBatch batch;
        const LoadClock clock{0, [] { return int64_t{0}; }};
        const Status loaded = loaders[s]->load(clock, {records, 1 << 20}, &*writer, &batch);
        ASSERT_TRUE(loaded.ok()) << loaded.error().message();
        null_keys_ += batch.null_keys;
        apply(batch);
        done[s] = batch.end.finished;
      }
    }
  }

  std::vector<FeatureValue> at(const std::string& key, TimeUs as_of) const {
    std::vector<const FeatureSpec*> features;
    for (const FeatureSpec& feature : plan_->views()[0].features) features.push_back(&feature);
    std::vector<FeatureValue> out;
    const uint64_t hash = hash_entity_key(key, plan_->tables()->at(0).entity_seed);
    state_->compute(0, key, hash, features, as_of, &out);
    return out;
  }

  std::shared_ptr<const Plan> plan_;
  test::MemoryDeadLetters letters_;
  uint64_t null_keys_ = 0;

 private:
  void apply(const LoadedBatch& batch) {
    for (uint32_t k = 0; k < plan_->key_partitions(); ++k) {
      ByteWriter out;
      batch.write_blocks(k, 0, &out);
      std::vector<RowBlockView> blocks;
      const Buffer bytes(out.take());
      ASSERT_TRUE(parse_blocks(bytes, *plan_->tables(), &blocks).ok());
      for (const RowBlockView& block : blocks) state_->append(block, ++version_);
    }
  }

  std::filesystem::path directory_;
  std::unique_ptr<PartitionState> state_;
  uint64_t version_ = 0;
};

constexpr const char* kUnion = R"(
      - {source: card, columns: {kind: "'card'"}, where: status = 'ok'}
      - {source: transfer, columns: {customer_id: payer, amount: cents / 4.0, kind: "'out'"}}
      - source: transfer
        columns: {customer_id: payee, amount: 0 - cents / 4.0, kind: "'in'"}
        where: payee is distinct from payer)";

TEST(UnionRows, SpanTheSources) {
  UnionRows rows(
      "1,2018-04-01T00:00:10Z,a,1.5,ok,x\n"
      "2,2018-04-01T00:00:12Z,a,9.5,refused,y\n",
      "1,2018-04-01T00:00:05Z,a,b,10,z\n"
      "2,2018-04-01T00:00:11Z,a,a,6,x\n",
      kUnion);
  rows.read(100);
  const ListValue ids{int64_t{1}, int64_t{1}, int64_t{2}};
  EXPECT_EQ(rows.at("a", kStart + 15 * kSecond),
            (std::vector<FeatureValue>{int64_t{3}, 5.5, int64_t{2}, "out", ids, int64_t{1}}));
  EXPECT_EQ(rows.at("b", kStart + 15 * kSecond),
            (std::vector<FeatureValue>{int64_t{1}, -2.5, int64_t{1}, "in", ListValue{int64_t{1}},
                                       int64_t{0}}));
}

// What is not the view's is no dead letter of it, and has no key to be without.
TEST(UnionRows, EventsOutsideAreNeitherLettersNorWithoutKeys) {
  UnionRows rows(
      "1,2018-04-01T00:00:10Z,a,1.5,ok,2\n"
      "2,2018-04-01T00:00:10Z,a,1.5,ok,0\n"       // fails
      "3,2018-04-01T00:00:10Z,,1.5,ok,1\n"        // no key
      "4,2018-04-01T00:00:10Z,a,1.5,refused,0\n"  // none of the view's
      "5,2018-04-01T00:00:10Z,,1.5,refused,0\n"   // nor this one
      "6,2018-04-01T00:00:10Z,,1.5,ok,0\n"        // no key: not looked at further
      "7,2018-04-01T00:00:10Z,a,1.5,9,1\n",       // its where fails
      "",
      R"([{source: card, columns: {kind: "'c'", amount: amount / cast(shop as int)},
               where: status = 'ok' or 1 / (cast(id as int) - 7) > 1}])");
  rows.read(2);
  EXPECT_EQ(rows.null_keys_, 2u);
  ASSERT_EQ(rows.letters_.letters.size(), 2u);
  EXPECT_NE(rows.letters_.letters.begin()->second.message.find("division by zero"),
            std::string::npos);
  EXPECT_NE(rows.letters_.letters.rbegin()->second.message.find("status = 'ok'"),
            std::string::npos);
  EXPECT_EQ(rows.at("a", kStart + 15 * kSecond)[0], FeatureValue(int64_t{1}));
}

// A key that fails is a dead letter; one event that fails in two inputs is one letter.
TEST(UnionRows, AnEventThatFailsIsOneLetterOfItsView) {
  UnionRows rows("",
                 "1,2018-04-01T00:00:05Z,1,2,10,z\n"
                 "2,2018-04-01T00:00:06Z,1,x,10,z\n"
                 "3,2018-04-01T00:00:07Z,y,x,10,z\n"
                 "4,2018-04-01T00:00:08Z,y,,10,z\n",
                 R"(
      - {source: transfer, columns: {customer_id: cast(payer as int), kind: "'p'", amount: 1.0}}
      - {source: transfer, columns: {customer_id: cast(payee as int), kind: "'q'", amount: 2.0}})");
  rows.read(100);
  EXPECT_EQ(rows.null_keys_, 1u);
  ASSERT_EQ(rows.letters_.letters.size(), 3u);
  EXPECT_EQ(rows.letters_.appended, 3u);
  for (const auto& [place, letter] : rows.letters_.letters) EXPECT_EQ(letter.view, "paid");
  std::string one;
  append_key_int(1, &one);
  const std::vector<FeatureValue> of_one = rows.at(one, kStart + 15 * kSecond);
  EXPECT_EQ(of_one[0], FeatureValue(int64_t{2}));  // of the second event its payer counts
  EXPECT_EQ(of_one[1], FeatureValue(2.0));
}

// An event as the view sees it.
struct Event {
  TimeUs time;
  std::string kind;
  int64_t id;
  double amount;
  std::string shop;

  auto order() const { return std::tie(time, kind, id, amount, shop); }
};

std::vector<FeatureValue> folded(std::vector<Event> events, TimeUs as_of) {
  std::erase_if(events,
                [&](const Event& e) { return e.time > as_of || e.time <= as_of - 20 * kSecond; });
  std::sort(events.begin(), events.end(),
            [](const Event& a, const Event& b) { return a.order() < b.order(); });
  std::set<std::string> shops;
  double sum = 0;  // of quarters: exact
  int64_t cards = 0;
  ListValue ids;
  for (const Event& event : events) {
    shops.insert(event.shop);
    sum += event.amount;
    cards += event.kind == "card";
    if (ids.size() < 4) ids.emplace_back(event.id);
  }
  const auto count = static_cast<int64_t>(events.size());
  const auto distinct = static_cast<int64_t>(shops.size());
  if (events.empty())
    return {count, FeatureValue(), distinct, FeatureValue(), FeatureValue(), cards};
  return {count, sum, distinct, events.back().kind, ids, cards};
}

RC_GTEST_PROP(UnionRows, AreTheFoldOfAllSources, ()) {
  std::map<std::string, std::vector<Event>> events;  // by key
  std::string card, transfer;
  uint64_t null_keys = 0;
  const auto pick = [](std::vector<std::string> of) { return *rc::gen::elementOf(of); };
  const auto add = [&](const std::string& key, Event event) {
    if (key.empty()) {
      ++null_keys;
    } else {
      events[key].push_back(std::move(event));
    }
  };
  const auto count = *rc::gen::inRange<int64_t>(0, 25);
  for (int64_t id = 0; id < count; ++id) {
    const TimeUs time = kStart + *rc::gen::inRange<int64_t>(0, 40) * kSecond;
    const auto quarters = *rc::gen::inRange<int64_t>(1, 100);
    const std::string shop = pick({"x", "y", "z"});
    const std::string who = pick({"a", "b", ""});
    const std::string head = std::to_string(id) + "," + format_timestamp(time) + "," + who + ",";
    const double amount = static_cast<double>(quarters) / 4;
    if (*rc::gen::arbitrary<bool>()) {
      const std::string status = pick({"ok", "refused", ""});
      card += head + std::to_string(amount) + "," + status + "," + shop + "\n";
      if (status == "ok") add(who, {time, "card", id, amount, shop});
    } else {
      const std::string payee = pick({"a", "b", ""});
      transfer += head + payee + "," + std::to_string(quarters) + "," + shop + "\n";
      add(who, {time, "out", id, amount, shop});
      if (payee != who) add(payee, {time, "in", id, -amount, shop});
    }
  }
  UnionRows rows(card, transfer, kUnion);
  rows.read(*rc::gen::inRange<size_t>(1, 10));
  RC_ASSERT(rows.null_keys_ == null_keys);
  RC_ASSERT(rows.letters_.letters.empty());
  for (const std::string key : {"a", "b", "c"}) {
    for (int64_t s = 0; s < 65; s += 4) {
      const TimeUs as_of = kStart + s * kSecond;
      RC_ASSERT(rows.at(key, as_of) == folded(events[key], as_of));
    }
  }
}

}  // namespace
}  // namespace tidemill
