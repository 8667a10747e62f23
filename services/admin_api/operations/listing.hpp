// Lists of rows that this service only reads: call records and ledger entries, newest first. Worker threads.
#pragma once

#include <string>
#include <vector>

#include "services/admin_api/api/backend.hpp"
#include "services/admin_api/api/operation.hpp"
#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {

struct Listing {
  const std::vector<Field>& fields;  // what is shown; `key` is among them
  std::string table;
  std::string key;  // falls from newest to oldest
};

// The page that `limit` and `cursor` of the call ask for, of the rows that fulfil the conditions.
[[nodiscard]] Outcome<http::Response> listRows(Backend& backend, const Call& call, const Listing& listing,
                                               std::vector<Condition> conditions);

}  // namespace tollgate::admin_api
