// What the operations work with: the store, the two ways to other services, the clock. One object per process; all members may be used
// from any worker thread.
#pragma once

#include <chrono>
#include <string>

#include "libs/base/clock.hpp"
#include "libs/bus/connection.hpp"
#include "libs/bus/rpc.hpp"
#include "libs/sql/sql.hpp"
#include "services/admin_api/api/outcome.hpp"

namespace tollgate::admin_api {

struct Timeouts {
  std::chrono::milliseconds rpc{1000};
  std::chrono::milliseconds gather{250};   // how long the replies of all ingress instances are waited for
  std::chrono::milliseconds hangup{1000};  // how long the one owner's reply is waited for
};

struct Backend {
  sql::Pool& pool;
  bus::Connection& connection;
  bus::RpcClient& rpc;
  const base::Clock& clock;
  Timeouts timeouts;

  // Asks another service and waits for its reply. Errors: those of bus::RpcClient::wait().
  template <bus::RpcVerb Def>
  [[nodiscard]] base::Result<typename Def::Reply> ask(const typename Def::Request& request) {
    return rpc.wait<Def>({}, request, timeouts.rpc);
  }
};

}  // namespace tollgate::admin_api
