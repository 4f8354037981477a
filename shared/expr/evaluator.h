// Evaluates a plan's typed expressions over an EventBatch, a column at a time, with SQL's
// three-valued logic. Immutable after compile; evaluate() uses scratch columns of its own object.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/base/result.h"
#include "shared/columns/column.h"

namespace tidemill {

// A row on which an expression failed (division by zero, out of range, a bad cast).
struct RowError {
  uint32_t row;
  std::string reason;
  const char* sqlstate = "";  // PostgreSQL's code for such an error
};

class Evaluator {
 public:
  // Refuses an expression whose types do not agree with `schema` or with each other.
  static Result<Evaluator> compile(const proto::Expr& expr, const std::vector<ColumnType>& schema);
  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;
  ~Evaluator();

  ColumnType type() const;

  // The value of every row of `batch`. Failed rows are null in the answer and are appended to
  // `errors`, at most once each, in row order. The answer is valid until the next evaluate() or
  // until `batch` changes; a bare column reference answers with the batch's own column.
  const Column& evaluate(const EventBatch& batch, std::vector<RowError>* errors);

 private:
  struct Impl;
  explicit Evaluator(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemill
