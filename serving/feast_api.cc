#include "serving/feast_api.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "serving/feast_json.h"
#include "serving/feast_keys.h"
#include "serving/features_api.h"

namespace tidemill {
namespace {

// Why a request is refused, if it is.
using Fault = std::optional<FeastFault>;

Fault mistake(const std::string& message) { return feast_fault(400, "FeastError", message); }

const proto::Service* find_service(const Plan& plan, const std::string& name) {
  for (const proto::Service& service : plan.proto().services()) {
    if (service.name() == name) return &service;
  }
  return nullptr;
}

Fault unknown_view(const std::string& view, const std::string& where) {
  return feast_fault(404, "FeatureViewNotFoundException",
                     "Feature view " + view + " does not exist in " + where);
}

Fault unknown_service(const std::string& service, const std::string& where) {
  return feast_fault(404, "FeatureServiceNotFoundException",
                     "Feature service " + service + " does not exist in " + where);
}

// --- the job -------------------------------------------------------------------------------------

// The first name asked for that the job does not have.
std::optional<std::string> missing_name(const FeastRequest& request, const Plan& plan) {
  if (!request.service.empty()) {
    if (find_service(plan, request.service) != nullptr) return {};
    return request.service;
  }
  for (const FeastReference& reference : request.features) {
    if (plan.view(reference.view) == nullptr) return reference.view;
  }
  return {};
}

std::string job_names(const std::vector<const JobInView*>& jobs) {
  std::string out;
  for (const JobInView* job : jobs) out += (out.empty() ? "" : ", ") + job->plan->proto().job();
  return out;
}

Fault choose_named(const std::string& name, const ClusterState& view, const JobInView** out) {
  for (const auto& [id, job] : view.jobs) {
    if (job.plan->proto().job() != name) continue;
    *out = &job;
    return {};
  }
  return feast_fault(404, "ProjectNotFoundException",
                     "Project " + name + " does not exist: no running job is called that");
}

// The only job that has everything; with a single job that one, whose own complaint says more.
Fault choose_fitting(const FeastRequest& request, const ClusterState& view, const JobInView** out) {
  std::vector<const JobInView*> all;
  std::vector<const JobInView*> fitting;
  std::string missing = request.service;
  for (const auto& [id, job] : view.jobs) {
    all.push_back(&job);
    const auto name = missing_name(request, *job.plan);
    if (!name) fitting.push_back(&job);
    if (name && missing.empty()) missing = *name;
  }
  if (fitting.empty() && all.size() == 1) fitting = all;
  if (fitting.size() == 1) {
    *out = fitting.front();
    return {};
  }
  if (fitting.size() > 1) {
    return mistake("several jobs have what is asked for (" + job_names(fitting) +
                   "): add /jobs/<job> to the store's path, with one of them");
  }
  if (!request.service.empty()) {
    return unknown_service(request.service, "any running job (" + job_names(all) + ")");
  }
  if (missing.empty()) missing = request.features.front().view;
  return unknown_view(missing,
                      "a running job that has all views asked for (" + job_names(all) + ")");
}

// --- the features --------------------------------------------------------------------------------

Fault add_reference(const FeastRequest& request, const FeastReference& reference,
                    const ReadLimits& limits, FeatureRead* read) {
  const std::string project = "project " + read->plan->proto().job();
  const ViewSpec* view = read->plan->view(reference.view);
  if (view == nullptr) return unknown_view(reference.view, project);
  const auto spec = std::find_if(view->features.begin(), view->features.end(),
                                 [&](const FeatureSpec& s) { return s.name == reference.feature; });
  if (spec == view->features.end()) {
    return mistake("Feature " + reference.feature + " not found in feature view " + view->name +
                   " of " + project + "; it has, among others, " + view->features.front().name);
  }
  std::string name = request.full_feature_names ? view->name + "__" + spec->name : spec->name;
  const Status added = read->add_feature(*view, *spec, std::move(name), limits);
  return added ? Fault() : mistake(added.error().message());
}

std::vector<FeastReference> references_of(const FeastRequest& request, const Plan& plan) {
  if (request.service.empty()) return request.features;
  std::vector<FeastReference> out;
  for (const std::string& name : find_service(plan, request.service)->features()) {
    const size_t dot = name.find('.');
    out.push_back({name.substr(0, dot), name.substr(dot + 1)});
  }
  return out;
}

Fault add_features(const FeastRequest& request, const ReadLimits& limits, FeatureRead* read) {
  const Plan& plan = *read->plan;
  if (!request.service.empty() && find_service(plan, request.service) == nullptr) {
    return unknown_service(request.service, "project " + plan.proto().job());
  }
  const std::vector<FeastReference> references = references_of(request, plan);
  std::vector<std::string> views;  // in order of first mention
  for (const FeastReference& reference : references) {
    if (std::find(views.begin(), views.end(), reference.view) == views.end()) {
      views.push_back(reference.view);
    }
  }
  for (const std::string& view : views) {
    for (const FeastReference& reference : references) {
      if (reference.view != view) continue;
      if (auto fault = add_reference(request, reference, limits, read)) return fault;
    }
  }
  return {};
}

// --- the keys ------------------------------------------------------------------------------------

// The request's columns in the types that views want them in; each is converted once per type.
class KeyColumns {
 public:
  explicit KeyColumns(const FeastRequest& request) : request_(request) {}

  const FeastColumn* find(const std::string& name) const {
    const auto it = std::find_if(request_.entities.begin(), request_.entities.end(),
                                 [&](const FeastColumn& c) { return c.name == name; });
    return it == request_.entities.end() ? nullptr : &*it;
  }

  Result<const EntityColumn*> converted(const FeastColumn& column, ColumnType type) {
    const auto [it, is_new] = done_.try_emplace({column.name, type});
    if (is_new) {
      auto result = convert_feast_column(column, type);
      if (!result) return result.error();
      it->second = std::move(result).value();
    }
    return static_cast<const EntityColumn*>(&it->second);
  }

 private:
  const FeastRequest& request_;
  std::map<std::pair<std::string, ColumnType>, EntityColumn> done_;
};

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

Fault add_group_keys(FeatureRead::Group* group, KeyColumns* columns, FeatureRead* read) {
  std::vector<std::string> missing;
  for (const std::string& join_key : group->view->entity) {
    if (columns->find(join_key) == nullptr) missing.push_back(join_key);
  }
  if (!missing.empty()) {
    return mistake("Missing join key values for keys: " + joined(missing) + ". Feature view " +
                   group->view->name + " needs " + joined(group->view->entity) +
                   ", one value per row each");
  }
  const TableSchema& schema = (*read->plan->tables())[group->view->table];
  std::vector<const EntityColumn*> used;
  for (size_t i = 0; i < group->view->entity.size(); ++i) {
    const FeastColumn& column = *columns->find(group->view->entity[i]);
    auto converted = columns->converted(column, schema.key_types[i]);
    if (!converted) return mistake(converted.error().message());
    used.push_back(*converted);
  }
  const Status added = read->add_keys(group, used);
  return added ? Fault() : mistake(added.error().message());
}

std::optional<ColumnType> type_in(const ViewSpec& view, const Plan& plan, const std::string& key) {
  const auto at = std::find(view.entity.begin(), view.entity.end(), key);
  if (at == view.entity.end()) return {};
  return (*plan.tables())[view.table].key_types[static_cast<size_t>(at - view.entity.begin())];
}

// The type of a join key: as a view that is read has it, else as any view of the job does.
std::optional<ColumnType> join_key_type(const FeatureRead& read, const std::string& name) {
  for (const FeatureRead::Group& group : read.groups) {
    if (const auto type = type_in(*group.view, *read.plan, name)) return type;
  }
  for (const ViewSpec& view : read.plan->views()) {
    if (const auto type = type_in(view, *read.plan, name)) return type;
  }
  return {};
}

// The columns that the answer repeats; those that are no join keys of the job are left out.
Fault repeat_keys(const FeastRequest& request, const FeatureRead& read, KeyColumns* columns,
                  std::vector<FeastKeyColumn>* out) {
  for (const FeastColumn& column : request.entities) {
    const auto type = join_key_type(read, column.name);
    if (!type) continue;
    auto converted = columns->converted(column, *type);
    if (!converted) return mistake(converted.error().message());
    out->push_back({**converted, *type});
  }
  return {};
}

// Two columns of one name would hide one another from the client.
Fault check_names(const FeastRequest& request, const std::vector<FeastKeyColumn>& keys,
                  const FeatureRead& read) {
  std::set<std::string> names;
  for (const FeastKeyColumn& key : keys) names.insert(key.column.name);
  for (const FeatureColumn& column : read.response.results) {
    if (names.insert(column.name).second) continue;
    return feast_fault(
        400, "FeatureNameCollisionError",
        "Duplicate features named " + column.name + " found.\n" +
            (request.full_feature_names
                 ? "To resolve this collision, name every feature once."
                 : "To resolve this collision, either use the full feature name by setting "
                   "'full_feature_names=True', or ensure that the features in question have "
                   "different names."));
  }
  return {};
}

HttpResponse as_http(FeastFault fault) {
  return {fault.status, "application/json", std::move(fault.body)};
}

HttpResponse answer(const std::vector<FeastKeyColumn>& keys, const FeaturesResponse& response) {
  for (const FeatureColumn& column : response.results) {
    const auto& statuses = column.statuses;
    if (std::find(statuses.begin(), statuses.end(), FeatureStatus::kNotReady) != statuses.end()) {
      return feast_refusal(
          503, "not ready: this store does not hold all of these keys yet, try again soon");
    }
  }
  HttpResponse out;
  render_feast_response(keys, response, &out.body);
  return out;
}

Fault plan_read(const FeastRequest& request, const ReadLimits& limits, FeatureRead* read) {
  if (auto fault = add_features(request, limits, read)) return fault;
  KeyColumns columns(request);
  for (FeatureRead::Group& group : read->groups) {
    if (auto fault = add_group_keys(&group, &columns, read)) return fault;
  }
  std::vector<FeastKeyColumn> keys;
  if (auto fault = repeat_keys(request, *read, &columns, &keys)) return fault;
  if (auto fault = check_names(request, keys, *read)) return fault;
  read->answer = [keys = std::move(keys)](const FeaturesResponse& response) {
    return answer(keys, response);
  };
  return {};
}

}  // namespace

HttpResponse feast_refusal(int status, const std::string& message) {
  return as_http(feast_fault(status, "FeastError", message));
}

ReadOrRefusal plan_feast_read(std::string_view body, const std::string& job,
                              const ClusterState& view, const ReadLimits& limits) {
  auto parsed = parse_feast_request(body, limits);
  if (auto* fault = std::get_if<FeastFault>(&parsed)) return as_http(std::move(*fault));
  const auto& request = std::get<FeastRequest>(parsed);
  const JobInView* chosen = nullptr;
  auto fault =
      job.empty() ? choose_fitting(request, view, &chosen) : choose_named(job, view, &chosen);
  if (fault) return as_http(*std::move(fault));
  FeatureRead read;
  read.plan = chosen->plan;
  read.job = chosen->id;
  read.rows = request.rows();
  read.refuse = feast_refusal;
  if ((fault = plan_read(request, limits, &read))) return as_http(*std::move(fault));
  return ReadOrRefusal(std::move(read));
}

}  // namespace tidemill
