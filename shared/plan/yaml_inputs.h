// The inputs of a source: files and a topic. (The generator is with the source, whose schema it
// decides.)
#pragma once

#include <string>

#include "shared/plan/yaml_compile.h"

namespace tidemill {

// `fields` has the keys files, format, replay and follow; files is there. Sets source->files().
void compile_files(YamlFields* fields, JobContext* job, proto::Source* source);

// `columns` are the source's. Sets source->kafka(), except for what is known once it is connected.
void compile_kafka(const YamlNode& node, const std::string& path, const SourceColumns& columns,
                   JobContext* job, proto::Source* source);

// `fields` has the keys registry, schema_file, descriptor_set and message, of the topic that
// source->kafka() is, whose format is set. Reads the files that they name.
void compile_message_schema(YamlFields* fields, JobContext* job, proto::Source* source);

// The key replay: "max" is 0, "3600x" is 3600.
double compile_replay(YamlFields* fields);

}  // namespace tidemill
