// The Lua scripts of services/billing/accounts/scripts, put into the program at build time. Each file documents its keys, its arguments and
// its reply; prelude.lua has the functions that they share. Any thread.
#pragma once

#include <vector>

#include "libs/redis/client.hpp"

namespace tollgate::billing {

struct Scripts {
  Scripts();
  redis::Script reserve, occupy, extend, renew_slot, count, answered, release, settle, examine, load_account, read_account, audit;
  // For the client, which loads them on every connect.
  [[nodiscard]] std::vector<redis::Script> all() const;
};

}  // namespace tollgate::billing
