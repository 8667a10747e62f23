// Who may use the API (REQUIREMENTS 11.2): HTTP Basic and a bearer key of the one bootstrap admin. Failed attempts are counted by address.
// An address over the limit is answered 429 for the rest of the minute, also when its credentials are valid: otherwise a guesser would
// learn of success while it waits. Other addresses are not concerned, whatever account they use, so nobody locks an operator out from
// elsewhere; only clients behind one address wait together. Any thread. Owns the counts.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "libs/base/clock.hpp"
#include "libs/base/result.hpp"
#include "libs/http/server.hpp"

namespace tollgate::admin_api {

struct Admin {
  std::string name;
  std::string password;
  std::string api_key;  // empty = no bearer access

  // From {"name": "...", "password": "...", "api_key": "..."}. Errors: kInvalid, naming the fault without the secrets.
  [[nodiscard]] static base::Result<Admin> parse(const std::string& json);
};

class Access {
 public:
  struct Settings {
    std::uint32_t failures_per_minute_max = 20;  // of one address
  };

  Access(Admin admin, Settings settings, const base::Clock& clock) : admin_(std::move(admin)), settings_(settings), clock_(clock) {}

  // Paths that need no credentials.
  void makePublic(const std::string& path) { public_paths_.insert(path); }

  // The refusal (401, 429); nothing when the request may go on, which then carries kAuthorHeader.
  [[nodiscard]] std::optional<http::Response> check(http::Request& request);

 private:
  struct Failures {
    std::uint32_t count = 0;
    base::MonotonicTime window_end{};
  };

  [[nodiscard]] bool isValid(const std::string& authorization) const;
  // Seconds the address has to wait, 0 = none.
  [[nodiscard]] std::int64_t waitOf(const std::string& address);
  void countFailure(const std::string& address);

  // Passed in.
  const Admin admin_;
  const Settings settings_;
  const base::Clock& clock_;
  // Owned.
  std::set<std::string> public_paths_;
  std::mutex mutex_;
  std::map<std::string, Failures> failures_;
};

}  // namespace tollgate::admin_api
