// Dead letters for tests: made from an offset, so that the same offset gives the same letter.
#pragma once

#include <ostream>
#include <string>

#include "shared/dead_letter/dead_letter_query.h"
#include "shared/dead_letter/letter_storage.h"

namespace tidemill {

inline constexpr JobId kTestJob{7};

inline DeadLetter letter_at(uint64_t offset, const std::string& view = "", uint32_t partition = 3) {
  DeadLetter letter;
  letter.source = "transactions";
  letter.source_partition = SourcePartitionId(partition);
  letter.partition = partition;
  letter.offset = offset;
  letter.view = view;
  letter.reason = view.empty() ? BadReason::kUnparsable : BadReason::kExpression;
  letter.message = "no number: \"x\"\n at offset " + std::to_string(offset);
  letter.bytes = std::string("\x00\xff{\n", 4) + std::string(offset % 50, 'b');
  letter.size = letter.bytes.size() + 5;
  return letter;
}

inline bool same(const DeadLetter& a, const DeadLetter& b) {
  return a.source == b.source && a.source_partition == b.source_partition &&
         a.partition == b.partition && a.offset == b.offset && a.view == b.view &&
         a.reason == b.reason && a.message == b.message && a.bytes == b.bytes && a.size == b.size;
}

inline std::unique_ptr<DeadLetterWriter> open_writer(const std::shared_ptr<LetterFiles>& files,
                                                     uint64_t epoch, uint32_t partition = 3) {
  auto writer =
      FiledDeadLetters(files).open("cards", kTestJob, SourcePartitionId(partition), Epoch(epoch));
  if (!writer) return nullptr;
  return std::move(writer).value();
}

}  // namespace tidemill
