// What must hold for the whole process before Sofia runs in it. Private to libs/sofia. Any thread, but before other threads use getenv.
#pragma once

#include "libs/base/result.hpp"

namespace tollgate::sofia {

// Initialises Sofia once, however often it is called: scrubs its environment variables, sends its log to ours, and proves that our
// overrides are in force. Errors: kInternal when the executable is linked so that libsofia's own su_root_yield would run, which drops calls
// at random (libs/sofia/TRAPS.md 1.3).
[[nodiscard]] base::Result<void> prepareProcess();

// Removes the variables that change what Sofia does or prints. A part of prepareProcess(), separate for its test.
void scrubEnvironment();

}  // namespace tollgate::sofia
