#include "shared/base/mutation.h"

#ifdef TIDEMILL_MUTATIONS
namespace tidemill {
Mutation active_mutation = Mutation::kNone;
}
#endif
