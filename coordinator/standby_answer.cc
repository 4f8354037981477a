#include "coordinator/standby_answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace tidemill {

HttpResponse standby_answer(const HttpRequest& request, const std::string& leader) {
  const std::string url = leader.empty() ? "" : "http://" + leader;
  const std::string message =
      leader.empty() ? "this coordinator stands by, and no other one is known to lead; try again"
                     : "this coordinator stands by; " + url + " leads";
  const nlohmann::ordered_json body{{"error", {{"message", message}}}, {"leader", url}};
  HttpResponse out;
  out.status = 503;
  out.body = body.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  const bool printable = std::all_of(request.target.begin(), request.target.end(),
                                     [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (!leader.empty() && request.method == "GET" && request.target != "/health" && printable) {
    out.status = 307;
    out.location = url + request.target;
  }
  return out;
}

}  // namespace tidemill
