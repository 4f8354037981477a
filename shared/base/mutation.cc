#include "shared/base/mutation.h"

namespace tidemill {
Mutation active_mutation = Mutation::kNone;
}
