// Any life of a source partition's readers: grants that move, readers of the past that go on,
// writes that fail half way, power lost. No mark passes a record whose letters are not durable, and
// in the end each letter is there once.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <array>
#include <optional>
#include <set>

#include "shared/runtime/random.h"
#include "tests/simulation/memory_letter_files.h"
#include "tests/unit/dead_letter/letters.h"

namespace tidemill {
namespace {

using test::MemoryLetterFiles;

constexpr uint64_t kRecords = 40;
constexpr size_t kKeyPartitions = 3;

// Which letters a record makes.
std::vector<DeadLetter> letters_of(uint64_t offset) {
  if (offset % 7 == 0) return {letter_at(offset)};
  if (offset % 5 == 0) return {letter_at(offset, "a"), letter_at(offset, "b")};
  return {};
}

std::vector<DeadLetter> letters_in(uint64_t begin, uint64_t end) {
  std::vector<DeadLetter> out;
  for (uint64_t offset = begin; offset < end; ++offset) {
    for (DeadLetter& letter : letters_of(offset)) out.push_back(std::move(letter));
  }
  return out;
}

class Life {
 public:
  struct KeyPartition {
    uint64_t applied = 0;
    size_t reader = SIZE_MAX;  // whom it has a session with
  };
  struct Reader {
    uint64_t epoch = 0;
    std::unique_ptr<DeadLetterWriter> writer;  // of the main read, which stands at `position`
    uint64_t position = 0;
    bool dead = false;
  };

  // One thing that happens, chosen by `what`.
  void step(uint32_t what) {
    const uint32_t detail = what / 16;
    switch (what % 16) {
      case 0:
        readers_.push_back({readers_.size() + 1, nullptr, 0, false});
        return;
      case 1:
      case 2:
        return open_session(detail);
      case 3:
        tear_ = detail % 400;
        return;
      case 4:
        if (!readers_.empty()) readers_[detail % readers_.size()].writer = nullptr;  // reopened
        return;
      case 5:
        if (detail % 4 == 0) lose_power(detail / 4);
        return;
      default:
        if (!readers_.empty()) read(detail % readers_.size(), 1 + detail % 11);
    }
  }

  void finish() {
    tear_.reset();
    readers_.push_back({readers_.size() + 1, nullptr, 0, false});
    for (auto& k : key_partitions_) k.reader = readers_.size() - 1;
    while (!read(readers_.size() - 1, kRecords)) {
    }
  }

  const DeadLetterCounts& last_counts() const { return readers_.back().writer->counts(); }
  const std::shared_ptr<MemoryLetterFiles>& files() const { return files_; }
  uint64_t marked() const {
    uint64_t most = 0;
    for (const auto& k : key_partitions_) most = std::max(most, k.applied);
    return most;
  }

 private:
  // A key partition takes a newer reader than the one it has.
  void open_session(uint32_t detail) {
    KeyPartition& k = key_partitions_[detail % kKeyPartitions];
    if (readers_.empty()) return;
    const size_t to = (detail / kKeyPartitions) % readers_.size();
    if (readers_[to].dead || (k.reader != SIZE_MAX && to < k.reader)) return;
    k.reader = to;
    // The main read goes on where the furthest session stands.
    if (k.applied > readers_[to].position) readers_[to].writer = nullptr;
  }

  // Reads `records` more and forwards them. False if the letters could not be written.
  bool read(size_t index, uint64_t records) {
    Reader& reader = readers_[index];
    if (reader.dead) return true;
    if (!reader.writer) {
      reader.position = 0;
      bool any = false;
      for (const auto& k : key_partitions_) {
        if (k.reader != index) continue;
        any = true;
        reader.position = std::max(reader.position, k.applied);
      }
      if (!any) return true;
      reader.writer = open_writer(files_, reader.epoch);
      RC_ASSERT(reader.writer != nullptr);
    }
    const uint64_t end = std::min(reader.position + records, kRecords);
    if (tear_) {
      files_->set_tear([this](const std::string&, size_t bytes) {
        return bytes * std::exchange(tear_, std::nullopt).value_or(100) / 100;
      });
    }
    const Status written = reader.writer->append(letters_in(reader.position, end));
    files_->set_tear({});
    if (!written) return false;
    reader.position = end;
    for (auto& k : key_partitions_) {
      if (k.reader == index) k.applied = std::max(k.applied, end);
    }
    return true;
  }

  // All processes end; what the key partitions held is gone, or some of it.
  void lose_power(uint32_t detail) {
    Random random(detail);
    files_->lose_power([&](size_t bytes) { return random.below(bytes + 1); });
    for (Reader& reader : readers_) reader.dead = true;
    for (auto& k : key_partitions_) {
      k.reader = SIZE_MAX;
      if (random.below(2) == 0) k.applied = 0;
    }
  }

  std::shared_ptr<MemoryLetterFiles> files_ = std::make_shared<MemoryLetterFiles>();
  std::array<KeyPartition, kKeyPartitions> key_partitions_{};
  std::vector<Reader> readers_;
  std::optional<uint32_t> tear_;  // how many of 100 parts of the next write get through
};

DeadLetterPage all_letters(LetterFiles& files) {
  DeadLetterQuery query;
  query.limit = DeadLetterQuery::kLimitMax;
  auto page = read_dead_letters(files, "cards", kTestJob, query);
  if (!page) RC_FAIL(page.error().message());
  return std::move(page).value();
}

void expect_durable_below_marks(const Life& life) {
  const auto after_power_loss = life.files()->durable();
  const DeadLetterPage page = all_letters(*after_power_loss);
  std::set<std::pair<uint64_t, std::string>> keys;
  for (const DeadLetter& letter : page.letters) keys.insert({letter.offset, letter.view});
  for (const DeadLetter& letter : letters_in(0, life.marked())) {
    RC_ASSERT(keys.contains({letter.offset, letter.view}));
  }
}

RC_GTEST_PROP(DeadLettersUnderFaults, EachIsThereOnceAndBeforeItsMark, ()) {
  const auto steps = *rc::gen::container<std::vector<uint32_t>>(rc::gen::arbitrary<uint32_t>());
  Life life;
  life.step(0);
  for (const uint32_t k : {0, 1, 2}) life.step(1 + 16 * k);
  for (const uint32_t what : steps) {
    life.step(what);
    expect_durable_below_marks(life);
  }
  life.finish();
  const DeadLetterPage page = all_letters(*life.files());
  const auto want = letters_in(0, kRecords);
  RC_ASSERT(page.letters.size() == want.size());
  DeadLetterCounts counts;
  for (size_t i = 0; i < want.size(); ++i) {
    RC_ASSERT(same(page.letters[i], want[i]));
    ++counts[{want[i].reason, want[i].view}];
  }
  RC_ASSERT(life.last_counts() == counts);
}

}  // namespace
}  // namespace tidemill
