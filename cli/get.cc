#include "cli/get.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "cli/api.h"
#include "cli/clock.h"
#include "cli/feature_table.h"

namespace tidemill::cli {
namespace {

using nlohmann::json;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  size_t from = 0;
  for (;;) {
    const size_t to = std::min(text.find(separator, from), text.size());
    out.push_back(text.substr(from, to - from));
    if (to == text.size()) return out;
    from = to + 1;
  }
}

// The request's body; a usage error if the options do not make one.
std::optional<json> request_body(const GetCommand& command) {
  json body = {{"job", command.job}, {"entities", json::object()}};
  size_t rows = 0;
  for (const std::string& entity : command.entities) {
    const size_t equals = entity.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == entity.size()) {
      fail(ExitCode::kUsage, "--entity " + entity +
                                 ": write a join key and its values, such as customer_id=596,4961");
      return std::nullopt;
    }
    const auto keys = split(entity.substr(equals + 1), ',');
    if (rows != 0 && keys.size() != rows) {
      fail(ExitCode::kUsage, "--entity " + entity + ": has " + std::to_string(keys.size()) +
                                 " values where the one before has " + std::to_string(rows) +
                                 "; all must have as many, as the i-th of each make one row");
      return std::nullopt;
    }
    rows = keys.size();
    body["entities"][entity.substr(0, equals)] = keys;
  }
  if (!command.service.empty()) body["service"] = command.service;
  for (const std::string& names : command.features) {
    for (const std::string& name : split(names, ',')) body["features"].push_back(name);
  }
  if (!command.as_of.empty()) body["as_of"] = command.as_of;
  if (command.offsets) body["offsets"] = true;
  return body;
}

std::vector<std::string> row_names(const json& entities) {
  std::vector<std::string> out;
  for (const auto& [column, keys] : entities.items()) {
    out.resize(keys.size());
    for (size_t row = 0; row < keys.size(); ++row) {
      if (!out[row].empty()) out[row] += ' ';
      out[row] += column + "=" + keys[row].get<std::string>();
    }
  }
  return out;
}

}  // namespace

ExitCode GetCommand::run(const GlobalOptions& global) const {
  if (offsets && !global.json) {
    return fail(ExitCode::kUsage, "--offsets: is shown in JSON only; add --json");
  }
  const auto body = request_body(*this);
  if (!body) return ExitCode::kUsage;
  std::string address = store;
  if (address.empty()) {
    const Reply found = find_store(global);
    if (!found.ok()) return fail(found.exit, found.message);
    address = found.message;
  }
  const bool redraw = watch && !global.json && isatty(STDOUT_FILENO) == 1;
  const std::vector<std::string> rows = row_names((*body)["entities"]);
  json before;
  for (uint32_t shown = 1;; ++shown) {
    const Reply reply = call("POST", address + "/v1/features", body->dump());
    if (!reply.ok()) return fail(reply.exit, reply.message);
    if (redraw) std::fputs("\x1b[H\x1b[J", stdout);
    if (global.json) {
      std::puts(reply.body.c_str());
    } else {
      std::fputs(feature_table(answer_with_digits(reply.body), rows, before).c_str(), stdout);
      if (watch && !redraw) std::puts("");
    }
    std::fflush(stdout);
    if (!watch || shown == count) return ExitCode::kOk;
    before = answer_with_digits(reply.body);
    sleep_ms(static_cast<int64_t>(watch_seconds * 1000));
  }
}

}  // namespace tidemill::cli
