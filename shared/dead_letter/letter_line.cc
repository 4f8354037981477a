#include "shared/dead_letter/letter_line.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "shared/base/assert.h"
#include "shared/dead_letter/base64.h"
#include "shared/net/json_text.h"

namespace tidemill {
namespace {

using nlohmann::json;

constexpr std::pair<BadReason, const char*> kReasons[] = {
    {BadReason::kUnparsable, "unparsable"},
    {BadReason::kOversized, "oversized"},
    {BadReason::kFuture, "future"},
    {BadReason::kExpression, "expression"},
};

void append_number(const char* name, uint64_t value, std::string* out) {
  *out += name;
  *out += std::to_string(value);
}

void append_text(const char* name, std::string_view value, std::string* out) {
  *out += name;
  append_json_string(value, out);
}

void append_base64(const char* name, std::string_view bytes, std::string* out) {
  *out += name;
  *out += '"';
  *out += encode_base64(bytes);
  *out += '"';
}

std::string_view cut(std::string_view text, size_t bytes) { return text.substr(0, bytes); }

bool skip(std::string_view* text, std::string_view expected) {
  if (!text->starts_with(expected)) return false;
  text->remove_prefix(expected.size());
  return true;
}

// Up to the closing quote, which is taken too. Names have nothing to escape.
bool take_name(std::string_view* text, std::string_view* name) {
  const size_t quote = text->find('"');
  if (quote == std::string_view::npos) return false;
  *name = text->substr(0, quote);
  text->remove_prefix(quote + 1);
  return name->find('\\') == std::string_view::npos;
}

bool take_number(std::string_view* text, uint64_t* value) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *value);
  if (error != std::errc()) return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()));
  return true;
}

bool text_member(const json& object, const char* name, std::string* out) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return false;
  *out = found->get<std::string>();
  return true;
}

template <typename T>
bool number_member(const json& object, const char* name, T* out) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number_unsigned()) return false;
  const auto value = found->get<uint64_t>();
  *out = static_cast<T>(value);
  return *out == value;
}

}  // namespace

const char* reason_name(BadReason reason) {
  for (const auto& [value, name] : kReasons) {
    if (value == reason) return name;
  }
  ASSERT(false);
  return "";
}

std::optional<BadReason> parse_reason(std::string_view name) {
  for (const auto& [value, text] : kReasons) {
    if (name == text) return value;
  }
  return std::nullopt;
}

void append_letter_line(const DeadLetter& letter, std::string* out) {
  ASSERT(letter.view.find_first_of("\"\\\n") == std::string::npos);
  const size_t begin = out->size();
  append_number("{\"offset\":", letter.offset, out);
  append_text(",\"view\":", letter.view, out);
  append_text(",\"reason\":", reason_name(letter.reason), out);
  append_text(",\"source\":", letter.source, out);
  append_number(",\"source_partition\":", letter.source_partition.value, out);
  append_number(",\"partition\":", letter.partition, out);
  append_text(",\"message\":", cut(letter.message, kLetterMessageBytes), out);
  append_number(",\"size\":", letter.size, out);
  append_base64(",\"bytes\":", cut(letter.bytes, kBadRecordBytes), out);
  *out += "}\n";
  ASSERT(out->size() - begin <= kLetterLineBytes);
}

std::optional<LetterHead> parse_letter_head(std::string_view line) {
  LetterHead head;
  std::string_view view;
  std::string_view reason;
  std::string_view rest = line;
  if (!skip(&rest, "{\"offset\":") || !take_number(&rest, &head.key.offset) ||
      !skip(&rest, ",\"view\":\"") || !take_name(&rest, &view) || !skip(&rest, ",\"reason\":\"") ||
      !take_name(&rest, &reason) || !skip(&rest, ",\"source\":\"") || !rest.ends_with("\"}")) {
    return std::nullopt;
  }
  const auto known = parse_reason(reason);
  if (!known) return std::nullopt;
  head.key.view = view;
  head.reason = *known;
  return head;
}

std::optional<DeadLetter> parse_letter_line(std::string_view line) {
  const auto head = parse_letter_head(line);
  if (!head) return std::nullopt;
  const json object = json::parse(line, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  DeadLetter letter;
  letter.offset = head->key.offset;
  letter.view = head->key.view;
  letter.reason = head->reason;
  std::string base64;
  const bool whole = text_member(object, "source", &letter.source) &&
                     number_member(object, "source_partition", &letter.source_partition.value) &&
                     number_member(object, "partition", &letter.partition) &&
                     text_member(object, "message", &letter.message) &&
                     number_member(object, "size", &letter.size) &&
                     text_member(object, "bytes", &base64);
  auto bytes = decode_base64(base64);
  if (!whole || !bytes) return std::nullopt;
  letter.bytes = std::move(*bytes);
  return letter;
}

void append_letter_json(const DeadLetter& letter, std::string* out) {
  append_text("\"source\":", letter.source, out);
  append_number(",\"source_partition\":", letter.source_partition.value, out);
  append_number(",\"partition\":", letter.partition, out);
  append_number(",\"offset\":", letter.offset, out);
  append_text(",\"view\":", letter.view, out);
  append_text(",\"reason\":", reason_name(letter.reason), out);
  append_text(",\"message\":", letter.message, out);
  append_number(",\"size\":", letter.size, out);
  append_base64(",\"bytes\":", letter.bytes, out);
}

}  // namespace tidemill
