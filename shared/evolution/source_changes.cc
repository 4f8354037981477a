#include "shared/evolution/source_changes.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>
#include <set>

#include "shared/base/time.h"
#include "shared/base/utf8.h"
#include "shared/expr/types.h"

namespace tidemill {
namespace {

constexpr size_t kMostDifferenceBytes = 500;

constexpr char kOtherFiles[] =
    "a source without `follow: true` is the files that there were when the job was submitted; name "
    "them as before, or submit the job under another name";

constexpr char kReadAgain[] =
    "records are read again after a failure, and must then be the same events and rows as before; "
    "submit the job under another name";

// Of a source that goes on as it is.
class SourceComparison {
 public:
  SourceComparison(const proto::Source& running, const proto::Source& wanted,
                   std::vector<Difference>* differences)
      : wanted_(wanted),
        out_(running),
        path_("sources." + running.name()),
        differences_(differences) {}

  proto::Source run() {
    compare_free();
    compare_schema();
    compare_files();
    compare_rest();
    return std::move(out_);
  }

 private:
  void add(const std::string& key, const std::string& change, Effect effect,
           const std::string& reason) {
    differences_->push_back({path_ + (key.empty() ? "" : "." + key), change, effect, reason});
  }

  void take_duration(const char* key, int64_t was, int64_t is, const char* reason) {
    if (was == is) return;
    add(key, format_duration(was) + " -> " + format_duration(is), Effect::kAtOnce, reason);
  }

  static double speed_of(const proto::Source& source) {
    if (source.has_files()) return source.files().replay_speed();
    return source.has_generator() ? source.generator().replay_speed() : 0;
  }

  // What decides no row: it may be another when a record is read again.
  void compare_free() {
    constexpr char kHorizon[] = "the horizon, which only rises, follows it from now on";
    take_duration("max_out_of_orderness", out_.max_out_of_orderness_us(),
                  wanted_.max_out_of_orderness_us(), kHorizon);
    out_.set_max_out_of_orderness_us(wanted_.max_out_of_orderness_us());
    take_duration("idle_after", out_.idle_after_us(), wanted_.idle_after_us(), kHorizon);
    out_.set_idle_after_us(wanted_.idle_after_us());
    if (out_.input_case() != wanted_.input_case() || speed_of(out_) == speed_of(wanted_)) return;
    add("stream.replay", "another speed", Effect::kAtOnce, "it decides when, and never what");
    if (out_.has_files()) out_.mutable_files()->set_replay_speed(speed_of(wanted_));
    if (out_.has_generator()) out_.mutable_generator()->set_replay_speed(speed_of(wanted_));
  }

  static std::map<std::string, proto::Type> columns_of(const proto::Source& source) {
    std::map<std::string, proto::Type> out;
    for (const proto::Field& field : source.schema()) {
      out[field.name()] = full_type(field);
    }
    return out;
  }

  void compare_schema() {
    const auto was = columns_of(out_);
    const auto is = columns_of(wanted_);
    for (const auto& [name, type] : was) {
      const auto found = is.find(name);
      if (found == is.end()) {
        add("schema." + name, "removed", Effect::kRefused, kReadAgain);
      } else if (!same_type(found->second, type)) {
        add("schema." + name, std::string(type_name(type)) + " -> " + type_name(found->second),
            Effect::kRefused, kReadAgain);
      }
    }
    for (const auto& [name, type] : is) {
      if (!was.contains(name)) add("schema." + name, "added", Effect::kRefused, kReadAgain);
    }
    const std::string time = name_of(out_, out_.event_time_field());
    const std::string wanted_time = name_of(wanted_, wanted_.event_time_field());
    if (time != wanted_time) {
      add("event_time", time + " -> " + wanted_time, Effect::kRefused, kReadAgain);
    }
  }

  static std::string name_of(const proto::Source& source, uint32_t field) {
    return source.schema(static_cast<int>(field)).name();
  }

  // What the same patterns match by now is not asked: more than when the job was submitted, or
  // nothing any more.
  void compare_files() {
    if (!out_.has_files() || !wanted_.has_files()) return;
    if (out_.files().follow() || wanted_.files().follow()) return;
    proto::FilesInput* held = out_.mutable_files();
    if (held->patterns_hash() == wanted_.files().patterns_hash()) return;
    const std::set<std::string> was(held->paths().begin(), held->paths().end());
    const std::set<std::string> is(wanted_.files().paths().begin(), wanted_.files().paths().end());
    std::string what = first_of("without ", was, is);
    // Of a job that was submitted when no hash was kept, new files may be matches of what it names.
    if (what.empty() && held->patterns_hash() != 0) what = first_of("with ", is, was);
    if (!what.empty()) return add("stream.files", what, Effect::kRefused, kOtherFiles);
    held->set_patterns_hash(wanted_.files().patterns_hash());
  }

  // The first that `others` do not have.
  static std::string first_of(const char* word, const std::set<std::string>& paths,
                              const std::set<std::string>& others) {
    for (const std::string& path : paths) {
      if (!others.contains(path)) return word + path;
    }
    return {};
  }

  static std::vector<std::string> csv_fields_of(const proto::Source& source) {
    std::vector<std::string> out;
    for (const uint32_t field : source.kafka().csv_fields()) out.push_back(name_of(source, field));
    return out;
  }

  // Without what is compared above, and what was bound when the job was submitted.
  static proto::Source rest(proto::Source source) {
    source.clear_schema();
    source.clear_event_time_field();
    source.clear_max_out_of_orderness_us();
    source.clear_idle_after_us();
    if (source.has_files()) {
      source.mutable_files()->clear_paths();
      source.mutable_files()->clear_identities();
      source.mutable_files()->clear_patterns_hash();
      source.mutable_files()->clear_replay_speed();
    } else if (source.has_kafka()) {
      source.mutable_kafka()->clear_start_offsets();
      source.mutable_kafka()->clear_csv_fields();
    } else if (source.has_generator()) {
      source.mutable_generator()->clear_replay_speed();
    }
    return source;
  }

  void compare_rest() {
    proto::Source was = rest(out_);
    proto::Source is = rest(wanted_);
    if (is.not_after_us() == 0) was.clear_not_after_us();  // it was decided at submission
    if (was.has_generator() && is.has_generator() && was.generator().partitions_at_most() > 0) {
      // As many as there are by now, of those that there will be.
      is.mutable_generator()->set_partitions(was.generator().partitions());
      is.mutable_generator()->set_partitions_at_most(was.generator().partitions_at_most());
    }
    if (was.has_kafka() && is.has_kafka() && csv_fields_of(out_) != csv_fields_of(wanted_)) {
      add("stream.kafka.fields", "in another order", Effect::kRefused, kReadAgain);
    }
    std::string what;
    google::protobuf::util::MessageDifferencer differencer;
    differencer.ReportDifferencesToString(&what);
    if (differencer.Compare(was, is)) return;
    std::replace(what.begin(), what.end(), '\n', ' ');
    add("", printable(what, kMostDifferenceBytes), Effect::kRefused, kReadAgain);
  }

  const proto::Source& wanted_;
  proto::Source out_;
  const std::string path_;
  std::vector<Difference>* differences_;
};

const proto::Source* find(const proto::JobPlan& plan, const std::string& name) {
  for (const proto::Source& source : plan.sources()) {
    if (source.name() == name) return &source;
  }
  return nullptr;
}

}  // namespace

std::vector<proto::Source> changed_sources(const proto::JobPlan& running,
                                           const proto::JobPlan& wanted,
                                           std::vector<Difference>* differences) {
  std::vector<proto::Source> out;
  for (const proto::Source& source : running.sources()) {
    const proto::Source* now = find(wanted, source.name());
    if (now != nullptr) {
      out.push_back(SourceComparison(source, *now, differences).run());
      continue;
    }
    out.push_back(source);
    differences->push_back({"sources." + source.name(), "removed", Effect::kRefused,
                            "a job reads the sources that it was submitted with; leave it in, or "
                            "submit the job under another name"});
  }
  for (const proto::Source& source : wanted.sources()) {
    if (find(running, source.name()) != nullptr) continue;
    differences->push_back({"sources." + source.name(), "added", Effect::kRefused,
                            "a job reads the sources that it was submitted with; submit a job of "
                            "its own for it"});
  }
  return out;
}

}  // namespace tidemill
