// SourceReader: what it says of itself.
#include "shared/base/utf8.h"
#include "shared/member/member_agent.h"
#include "worker/source_reader.h"

namespace tidemill {
namespace {

constexpr size_t kReportedTextBytes = 4096;

}  // namespace

void SourceReader::add_costs(proto::JobReport* report) const {
  add_stage("read", read_cost_, report);
  add_stage("evaluate", evaluate_cost_, report);
  add_stage("scatter", scatter_cost_, report);
}

proto::ReaderReport SourceReader::report() const {
  proto::ReaderReport out;
  proto::SourceProgress* read = out.mutable_read();
  read->set_source_partition(source_.value);
  read->set_offset(main_.position.offset);
  read->set_finished(main_.position.finished);
  read->set_max_event_time_us(main_.position.max_event_time);
  out.set_epoch(epoch_.value);
  out.set_records(records_);
  const std::string& error = !changed_.empty()      ? changed_
                             : !main_.error.empty() ? main_.error
                                                    : catch_up_.error;
  out.set_error(printable(error, kReportedTextBytes));
  out.set_source_changed(!changed_.empty());
  out.set_log_partitions(log_.partitions);
  out.set_log_end_offset(log_.end_offset);
  out.set_idle(idle());
  out.set_null_keys(null_keys_);
  out.set_tombstones(tombstones_);
  out.set_dead_letters_known(dead_letter_counts_.has_value());
  for (const auto& [what, records] : dead_letter_counts_.value_or(DeadLetterCounts())) {
    proto::DeadLetterCount* count = out.add_dead_letters();
    count->set_reason(reason_name(what.first));
    count->set_view(what.second);
    count->set_records(records);
  }
  for (const std::string& sample : bad_samples_) {
    out.add_bad_samples(printable(sample, kReportedTextBytes));
  }
  return out;
}

}  // namespace tidemill
