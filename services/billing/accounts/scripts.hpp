// The Lua scripts of services/billing/accounts/scripts, put into the program at build time. Each file says its keys, arguments and answer.
// Any thread.
#pragma once

#include <vector>

#include "libs/redis/client.hpp"

namespace tollgate::billing {

struct Scripts {
  Scripts();
  redis::Script reserve, occupy, extend, touch, count, answered, release, settle, expire, load_account, read_account, audit;
  // For the client, which loads them on every connect.
  [[nodiscard]] std::vector<redis::Script> all() const;
};

}  // namespace tollgate::billing
