// RowSource: the rows of a spine, in order: what they ask about, and what they are.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"

namespace tidemill::training {

// A stretch of the spine. Valid until the next read.
struct SpineRows {
  EventBatch events;  // columns as asked for, then the time
  // Each row as it is in the spine, for a sink to add values to.
  std::vector<std::string_view> records;
};

class RowSource {
 public:
  virtual ~RowSource() = default;

  // Replaces `rows` by the next ones; none: the spine is at its end. A row that cannot be used is
  // an error that says where it is.
  virtual Status read(SpineRows* rows) = 0;
  // Bytes of the spine that have been read; for showing progress.
  virtual uint64_t position() const = 0;
  // The spine's columns, in order.
  virtual const std::vector<std::string>& columns() const = 0;
  // The line that names them, as it is in the spine.
  virtual std::string_view header() const = 0;
};

// A CSV file (RFC 4180, a header; compressed if its name ends with .gz). `keys` and `time_column`
// are among its columns; others may be there, and are not looked at.
Result<std::unique_ptr<RowSource>> open_csv_spine(const std::string& path,
                                                  const std::vector<proto::Field>& keys,
                                                  const std::string& time_column);

}  // namespace tidemill::training
