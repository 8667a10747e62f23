// The rule against ambiguous sources (REQUIREMENTS 2.6), asked inside the saving transaction, so that of two saves at once one sees the
// other.
#pragma once

#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {

// `trunk` is the document about to be stored, enabled or not (a disabled one never conflicts).
[[nodiscard]] Outcome<void> checkSources(Change& change, const Json& trunk);

}  // namespace tollgate::admin_api
