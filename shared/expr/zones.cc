#include "shared/expr/zones.h"

namespace tidemill {
namespace {

constexpr RowFault kUnknownZone{"22023",
                                "unknown time zone; write its IANA name, as Europe/Berlin"};

}  // namespace

const RowFault* LastZone::use(std::string_view name, const TimeZone** zone) {
  if (!known_ || name != name_) {
    known_ = true;
    name_ = name;
    Result<TimeZone> found = TimeZone::find(name_);
    zone_.reset();
    if (found.ok()) zone_.emplace(*std::move(found));
  }
  if (!zone_.has_value()) return &kUnknownZone;
  *zone = &*zone_;
  return nullptr;
}

TimeUs time_of_local(const TimeZone& zone, LocalUs local) {
  const LocalInstants found = zone.instants_of(local);
  return found.kind == LocalInstants::Kind::kTwice ? found.by_offset_after : found.by_offset_before;
}

Result<std::unique_ptr<LastZone>> prepare_zone(const proto::Expr& name) {
  auto state = std::make_unique<LastZone>();
  if (name.literal_case() == proto::Expr::kLiteralString) {
    const TimeZone* zone = nullptr;
    if (state->use(name.literal_string(), &zone) != nullptr) {
      return TimeZone::find(name.literal_string()).error();
    }
  }
  return state;
}

}  // namespace tidemill
