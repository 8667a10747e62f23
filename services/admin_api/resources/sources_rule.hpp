// The rule against ambiguous sources (REQUIREMENTS 2.6). It is checked inside the transaction that saves a trunk, so that of two concurrent
// saves the second one sees the first. HTTP worker threads.
#pragma once

#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {

// `trunk` is the document about to be stored; a disabled one never conflicts. Errors: a conflict that names the field, and what the store
// refuses.
[[nodiscard]] Outcome<void> checkSources(Change& change, const Json& trunk);

}  // namespace tollgate::admin_api
