// Result<T> and Error: how anything that depends on input or environment reports failure.
// A code exists only if a caller reacts to it differently; the message is for people and says
// where the fault is and what would be right.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "shared/base/assert.h"

namespace tidemill {

enum class ErrorCode {
  kRetryable,      // may succeed if tried again
  kFenced,         // a newer epoch exists: never retry, end
  kCorrupt,        // bytes do not verify
  kUser,           // the user's input is wrong; the message says what would be right
  kFatal,          // the process cannot go on
  kSourceChanged,  // a log is not the one read before, or lacks what is needed: never retry
};

class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // The same error with what was being done put in front: "reading a.csv: ...".
  Error within(const std::string& context) const { return {code_, context + ": " + message_}; }

 private:
  ErrorCode code_;
  std::string message_;
};

inline Error user_error(std::string message) { return {ErrorCode::kUser, std::move(message)}; }
inline Error corrupt_error(std::string message) {
  return {ErrorCode::kCorrupt, std::move(message)};
}
inline Error retryable_error(std::string message) {
  return {ErrorCode::kRetryable, std::move(message)};
}
inline Error source_changed_error(std::string message) {
  return {ErrorCode::kSourceChanged, std::move(message)};
}
inline Error fatal_error(std::string message) { return {ErrorCode::kFatal, std::move(message)}; }

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    ASSERT(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    ASSERT(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    ASSERT(ok());
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const {
    ASSERT(!ok());
    return std::get<1>(state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const {
    ASSERT(!ok());
    return *error_;
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace tidemill
