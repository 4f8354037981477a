#include <algorithm>
#include <map>

#include "shared/expr/suggest.h"
#include "shared/plan/limits.h"
#include "shared/plan/yaml_compile.h"

namespace tidemill {
namespace {

class ServiceCompiler {
 public:
  ServiceCompiler(const YamlEntry& entry, JobContext* job)
      : job_(*job),
        errors_(job->errors),
        fields_(entry.value, "services." + entry.key, {"features"}, job->errors,
                {"request", "on_demand"}) {
    service_.set_name(entry.key);
  }

  void compile() {
    if (!fields_.is_map()) return;
    const YamlNode* features =
        fields_.require("features", "a list such as [customer.*, terminal_risk.risk_7d]");
    if (features == nullptr) return;
    const size_t before = errors_->size();
    const auto list = scalars_of(*features, fields_.path_of("features"), errors_);
    if (list.empty() && errors_->size() == before) {
      fields_.error(*features, "features", "expected a list of features, found an empty one");
    }
    for (size_t i = 0; i < list.size(); ++i) {
      path_ = fields_.path_of("features") +
              (features->is_sequence() ? "[" + std::to_string(i) + "]" : "");
      add(*list[i]);
    }
    *job_.plan->add_services() = std::move(service_);
  }

 private:
  void fail(const YamlNode& node, std::string message) { errors_->add(node.place, path_, message); }

  void add(const YamlNode& node) {
    const std::string& text = node.scalar;
    const size_t dot = text.find('.');
    if (dot == std::string::npos) {
      return fail(node, "'" + text + "' is no feature: write <view>.<feature> or <view>.*");
    }
    const std::string view_name = text.substr(0, dot);
    const std::string feature_name = text.substr(dot + 1);
    std::vector<std::string> views;
    for (const proto::View& view : job_.plan->views()) {
      if (view.name() == view_name) return add_from(node, view, feature_name);
      views.push_back(view.name());
    }
    fail(node, "unknown view '" + view_name + "'" + suggestion(view_name, views));
  }

  void add_from(const YamlNode& node, const proto::View& view, const std::string& wanted) {
    std::vector<std::string> names;
    for (const proto::Feature& feature : view.features()) {
      names.push_back(feature.name());
      if (wanted != "*" && wanted != feature.name()) continue;
      const std::string full = view.name() + "." + feature.name();
      const auto [first, is_new] = lines_.emplace(full, node.place.line);
      if (!is_new) {
        fail(node, "'" + full + "' is already there, from line " + std::to_string(first->second) +
                       "; name it once");
        return;
      }
      service_.add_features(full);
      if (wanted != "*") return;
    }
    if (wanted == "*") return;
    // What a faulty view would have had is not known.
    const auto& bad = job_.bad_views;
    if (std::find(bad.begin(), bad.end(), view.name()) != bad.end()) return;
    fail(node, "the view '" + view.name() + "' has no feature '" + wanted + "'" +
                   suggestion(wanted, names));
  }

  JobContext& job_;
  ErrorList* errors_;
  YamlFields fields_;
  proto::Service service_;
  std::string path_;
  std::map<std::string, int> lines_;  // where each feature was added
};

}  // namespace

void compile_services(const YamlNode& services, JobContext* job) {
  if (!check_named_entries(services, "services", "service", limits::kServices, job->errors)) {
    return;
  }
  for (const YamlEntry& entry : services.entries) ServiceCompiler(entry, job).compile();
}

}  // namespace tidemill
