// What must hold for the whole process before Sofia runs in it. Private to libs/sofia.
#pragma once

#include "libs/base/result.hpp"

namespace tollgate::sofia {

// Initialises Sofia once: scrubs its environment variables, sends its log to ours, and proves that our overrides are in force. An Error
// means that the executable was linked so that libsofia's own su_root_yield would run: calls would be dropped at random
// (libs/sofia/TRAPS.md 1.3). Call before other threads use getenv; any number of times.
[[nodiscard]] base::Result<void> prepareProcess();

// Removes the variables that change what Sofia does or prints. Part of prepareProcess(); alone for its test.
void scrubEnvironment();

}  // namespace tollgate::sofia
