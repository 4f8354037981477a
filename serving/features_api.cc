#include "serving/features_api.h"

#include <algorithm>
#include <optional>

#include "serving/features_json.h"

namespace tidemill {
namespace {

// Why a request is refused, if it is.
using Refusal = std::optional<HttpResponse>;

Refusal expand_name(const std::string& name, const ReadLimits& limits, FeatureRead* read) {
  const Plan& plan = *read->plan;
  const size_t dot = name.find('.');
  const ViewSpec* view = plan.view(std::string_view(name).substr(0, dot));
  if (view == nullptr || dot == std::string::npos) {
    return http_error(dot == std::string::npos ? 400 : 404,
                      "features: '" + name +
                          "' names no view; write <view>.<feature> or <view>.*, with a view of: " +
                          known_views(plan));
  }
  const std::string_view feature = std::string_view(name).substr(dot + 1);
  const bool all = feature == "*";
  bool found = false;
  for (const FeatureSpec& spec : view->features) {
    if (!all && spec.name != feature) continue;
    found = true;
    std::string column = all ? view->name + "." + spec.name : name;
    const Status added = read->add_feature(*view, spec, std::move(column), limits);
    if (!added) return http_error(400, added.error().message());
  }
  if (found) return {};
  return http_error(404, "features: view '" + view->name + "' has no feature '" +
                             std::string(feature) + "'; it has, among others, '" +
                             view->features.front().name + "'");
}

Refusal expand_features(const FeaturesRequest& request, const ReadLimits& limits,
                        FeatureRead* read) {
  std::vector<std::string> of_service;
  if (!request.service.empty()) {
    for (const proto::Service& service : read->plan->proto().services()) {
      if (service.name() == request.service) {
        of_service.assign(service.features().begin(), service.features().end());
      }
    }
    if (of_service.empty()) {
      return http_error(404, "service: the job has no service '" + request.service + "'");
    }
  }
  const auto& names = request.service.empty() ? request.features : of_service;
  read->response.results.reserve(names.size());
  for (const std::string& name : names) {
    if (Refusal refusal = expand_name(name, limits, read)) return refusal;
  }
  return {};
}

Status add_all_keys(const FeaturesRequest& request, FeatureRead* read) {
  std::vector<const EntityColumn*> used;
  for (FeatureRead::Group& group : read->groups) {
    std::vector<const EntityColumn*> columns;
    for (const std::string& join_key : group.view->entity) {
      const auto column = std::find_if(request.entities.begin(), request.entities.end(),
                                       [&](const EntityColumn& c) { return c.name == join_key; });
      if (column == request.entities.end()) {
        return user_error("entities: view '" + group.view->name + "' needs the join key '" +
                          join_key + "', one value per row");
      }
      columns.push_back(&*column);
      used.push_back(&*column);
    }
    if (Status added = read->add_keys(&group, columns); !added) return added;
  }
  for (const EntityColumn& column : request.entities) {
    if (std::find(used.begin(), used.end(), &column) == used.end()) {
      return user_error("entities." + column.name + ": not a join key of any view asked for");
    }
  }
  return {};
}

HttpResponse answer(const FeaturesResponse& response) {
  HttpResponse out;
  render_features_response(response, &out.body);
  return out;
}

}  // namespace

std::string known_views(const Plan& plan) {
  std::string out;
  for (const ViewSpec& view : plan.views()) out += (out.empty() ? "" : ", ") + view.name;
  return out;
}

ReadOrRefusal plan_features_read(const FeaturesRequest& request, const JobInView& job,
                                 const ReadLimits& limits) {
  FeatureRead read;
  read.plan = job.plan;
  read.job = job.id;
  read.rows = request.rows();
  read.as_of = request.as_of;
  read.offsets = request.offsets;
  read.response.job = request.job;
  read.answer = answer;
  read.refuse = http_error;
  if (Refusal refusal = expand_features(request, limits, &read)) return *std::move(refusal);
  if (Status added = add_all_keys(request, &read); !added) {
    return http_error(400, added.error().message());
  }
  return ReadOrRefusal(std::move(read));
}

}  // namespace tidemill
