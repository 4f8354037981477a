#include "shared/expr/parse_tree.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <pg_query.h>

namespace tidemill {
namespace {

// ALL can stand only once, so an expression cannot begin with `all` or `distinct` of its own.
constexpr std::string_view kPrefix = "SELECT ALL ";
constexpr int kSetOperationNone = 1;
constexpr int kLimitOptionDefault = 1;
constexpr int kUnreservedKeyword = 1;

struct ParseResultOwner {
  PgQueryProtobufParseResult result;
  ~ParseResultOwner() { pg_query_free_protobuf_parse_result(result); }
};

struct ScanResultOwner {
  PgQueryScanResult result;
  ~ScanResultOwner() { pg_query_free_scan_result(result); }
};

bool is_known(const google::protobuf::Message& message) { return !has_unknown_fields(message); }

// A level of an expression is at most four messages, as in `case`, and some stand around it.
bool read_message(const PgQueryProtobuf& bytes, google::protobuf::Message* out) {
  google::protobuf::io::ArrayInputStream stream(bytes.data, static_cast<int>(bytes.len));
  google::protobuf::io::CodedInputStream in(&stream);
  in.SetRecursionLimit(4 * kMaxExpressionDepth + 16);
  return out->ParseFromCodedStream(&in) && in.ConsumedEntireMessage();
}

constexpr char kEmpty[] = "the expression is empty; write one, such as amount > 100";

Status check_text(std::string_view text) {
  if (text.size() > kMaxExpressionBytes) {
    return user_error("the expression has " + std::to_string(text.size()) + " bytes; at most " +
                      std::to_string(kMaxExpressionBytes) + " are allowed");
  }
  if (text.find('\0') != std::string_view::npos || !is_valid_utf8(text)) {
    return user_error("the expression is not valid UTF-8 text; save the file as UTF-8");
  }
  if (text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos) {
    return user_error(kEmpty);
  }
  return {};
}

Error not_one_expression(const std::string& found) {
  return user_error(found + "; write exactly one expression");
}

Result<pg::Node> only_target(pg::ParseResult* tree) {
  if (tree->stmts_size() != 1) return not_one_expression("a ';' separates several statements");
  pg::RawStmt* raw = tree->mutable_stmts(0);
  if (raw->stmt_len() != 0) return not_one_expression("the expression ends with a ';'");
  if (raw->stmt().node_case() != pg::Node::kSelectStmt) {
    return not_one_expression("this is not an expression");
  }
  pg::SelectStmt* select = raw->mutable_stmt()->mutable_select_stmt();
  if (select->op() != kSetOperationNone) {
    return not_one_expression("union, intersect and except are not allowed here");
  }
  if (!is_known(*select) || select->limit_option() != kLimitOptionDefault) {
    return not_one_expression("a clause such as from, where or limit follows the expression");
  }
  if (select->target_list_size() == 0) return user_error(kEmpty);
  if (select->target_list_size() > 1) {
    return not_one_expression("there are " + std::to_string(select->target_list_size()) +
                              " expressions, separated by ','");
  }
  if (select->target_list(0).node_case() != pg::Node::kResTarget) {
    return not_one_expression("this is not an expression");
  }
  pg::ResTarget* target = select->mutable_target_list(0)->mutable_res_target();
  if (!is_known(*target)) return not_one_expression("the expression is followed by an alias");
  return std::move(*target->mutable_val());
}

}  // namespace

bool has_unknown_fields(const google::protobuf::Message& message) {
  return !message.GetReflection()->GetUnknownFields(message).empty();
}

Result<pg::Node> parse_tree(std::string_view text) {
  if (Status s = check_text(text); !s.ok()) return s.error();
  const std::string sql = std::string(kPrefix) + std::string(text);
  const ParseResultOwner parsed{pg_query_parse_protobuf(sql.c_str())};
  if (const PgQueryError* error = parsed.result.error; error != nullptr) {
    const int at = error->cursorpos - static_cast<int>(kPrefix.size());
    const std::string where = at > 0 ? "character " + std::to_string(at) + ": " : "";
    return user_error(where + error->message +
                      "; write one PostgreSQL expression, such as amount > 100");
  }
  pg::ParseResult tree;
  if (!read_message(parsed.result.parse_tree, &tree)) {
    return user_error("the expression is nested more than " + std::to_string(kMaxExpressionDepth) +
                      " deep, the most allowed");
  }
  return only_target(&tree);
}

std::string at_character(std::string_view text, int location) {
  const int at = location - static_cast<int>(kPrefix.size());
  if (at < 0 || static_cast<size_t>(at) > text.size()) return "";
  int character = 1;
  for (char c : text.substr(0, static_cast<size_t>(at))) {
    character += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }
  return "character " + std::to_string(character) + ": ";
}

bool is_plain_identifier(std::string_view name) {
  if (name.empty()) return false;
  for (char c : name) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_') return false;
  }
  if (name[0] >= '0' && name[0] <= '9') return false;
  const ScanResultOwner scanned{pg_query_scan(std::string(name).c_str())};
  if (scanned.result.error != nullptr) return false;
  pg::ScanResult tokens;
  return read_message(scanned.result.pbuf, &tokens) && tokens.tokens_size() == 1 &&
         tokens.tokens(0).keyword_kind() <= kUnreservedKeyword;
}

}  // namespace tidemill
