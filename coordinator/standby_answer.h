// What a coordinator that does not lead answers to REST requests: who does. Pure.
#pragma once

#include <string>

#include "shared/net/http_server.h"

namespace tidemill {

// `leader`: host:port of the REST API of who leads; empty: nobody that is known. A GET is sent
// there (307), everything else is refused with 503; /health is 503 too, so that it says who takes
// requests.
HttpResponse standby_answer(const HttpRequest& request, const std::string& leader);

}  // namespace tidemill
