// FeatureRead: one reading of features under one as_of, whichever API asked: the keys to look up,
// the answer as it comes in, and how that is written. ReadGateway carries it out.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "serving/features_request.h"
#include "serving/store_shard.h"
#include "shared/net/http_server.h"

namespace tidemill {

struct FeatureRead {
  // The features of one view.
  struct Group {
    const ViewSpec* view = nullptr;
    std::vector<const FeatureSpec*> specs;
    std::vector<size_t> columns;         // of the response, one per spec
    std::vector<ReadRequest::Key> keys;  // one per row
  };

  std::shared_ptr<const Plan> plan;
  JobId job;
  size_t rows = 0;
  std::optional<TimeUs> as_of;  // none: the job's leading edge
  bool offsets = false;
  size_t values = 0;      // asked for, as ReadLimits counts them
  size_t text_bytes = 0;  // of the strings found so far
  std::vector<Group> groups;
  FeaturesResponse response;

  // How the API writes what was found, and why nothing was. They depend on nothing else, and so may
  // be called on any thread.
  std::function<HttpResponse(const FeaturesResponse&)> answer;
  std::function<HttpResponse(int status, const std::string& message)> refuse;

  // Adds a column to the response, in the group of its view. The error says how much is too much.
  // `plan`, `rows` and `offsets` are set before.
  Status add_feature(const ViewSpec& view, const FeatureSpec& spec, std::string name,
                     const ReadLimits& limits);

  // The keys of a group's rows, from the request's columns in the order of the view's join keys.
  Status add_keys(Group* group, const std::vector<const EntityColumn*>& columns);

  // The requests for one round of reading at response.as_of, in pieces of bounded size: by shard.
  using Pieces = std::map<uint16_t, std::vector<std::unique_ptr<ReadRequest>>>;
  Pieces requests(uint64_t id, uint16_t shards) const;

  void take(ReadAnswer answer);
  // An error if the strings found are longer than the limits allow.
  Status check_text(const ReadLimits& limits) const;
  // Forgets what was taken, before another round.
  void forget();
};

// A reading, or the answer that refuses it.
using ReadOrRefusal = std::variant<FeatureRead, HttpResponse>;

}  // namespace tidemill
