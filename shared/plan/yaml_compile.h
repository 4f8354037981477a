// What the sections of a job's compilation share: sources first, then views, then services.
#pragma once

#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "shared/expr/parser.h"
#include "shared/plan/table_bound.h"
#include "shared/plan/yaml_fields.h"
#include "shared/plan/yaml_job.h"
#include "shared/plan/yaml_tree.h"

namespace tidemill {

// A source's columns for the views over it. Not `usable` if an error hides some of them: then
// nothing is said about the columns that views name.
struct SourceColumns {
  std::string name;
  std::vector<NamedColumn> columns;
  bool usable = false;
};

struct JobContext {
  std::string base_dir;
  InputFiles input_files = InputFiles::kRequired;
  proto::JobPlan* plan = nullptr;
  ErrorList* errors = nullptr;
  std::vector<SourceColumns> sources;  // as plan->sources()
  std::vector<std::string> bad_views;  // with errors in their features
  std::vector<ViewBound> bounds;       // as plan->views()
  size_t features = 0;
  size_t expression_parts = 0;  // of views so far
};

void compile_sources(const YamlNode& sources, JobContext* job);
void compile_views(const YamlNode& views, JobContext* job);
void compile_services(const YamlNode& services, JobContext* job);

// False, with an error, if `node` is no mapping, empty, too large, or a key in it is no name.
// `what`: "source", "view" or "service".
bool check_named_entries(const YamlNode& node, const std::string& path, const std::string& what,
                         size_t most, ErrorList* errors);

// Whether `name` is a valid name; if not, an error.
bool check_name(const std::string& name, Place place, const std::string& path, ErrorList* errors);

}  // namespace tidemill
