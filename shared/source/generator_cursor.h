// GeneratorCursor: the transactions of one generator partition as events, without text between.
// Columns of the schema are taken by name from those of a transaction; others are refused.
#pragma once

#include <array>
#include <memory>

#include "shared/source/batch_writer.h"
#include "shared/source/source_cursor.h"
#include "shared/source/transaction_generator.h"

namespace tidemill {

class GeneratorCursor : public SourceCursor {
 public:
  static Result<std::unique_ptr<SourceCursor>> open(const proto::Source& source, uint32_t partition,
                                                    uint64_t offset);

  Status read(size_t max_records, size_t max_bytes, EventBatch* batch) override;
  std::string record_bytes(const EventBatch& batch, size_t row, uint64_t* size) override;

 private:
  GeneratorCursor(const proto::Source& source, TransactionGenerator generator, uint64_t offset)
      : source_(source), generator_(std::move(generator)), offset_(offset) {}

  // The record as the line of JSON that files of the same generator have.
  std::string record_at(uint64_t offset) const;
  Status assign_columns();
  // Adds the transaction; the ids' text goes to *text, which moves behind it.
  void add(const Transaction& transaction, char** text, BatchWriter* writer) const;

  proto::Source source_;
  TransactionGenerator generator_;
  uint64_t offset_;
  // The schema's column of each column of a transaction; -1: not in the schema.
  std::array<int, 6> columns_{};
};

}  // namespace tidemill
