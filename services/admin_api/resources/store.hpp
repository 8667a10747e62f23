// Documents of a resource in MySQL, by statements that are made from the resource's declaration. The functions block: worker threads only.
// Errors: those of sql::Session, for every function.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/result.hpp"
#include "services/admin_api/resources/resource.hpp"

namespace tollgate::admin_api {

struct Condition {
  std::string sql;  // "customer_id = ?"
  std::vector<sql::Value> parameters;
};

struct PageQuery {
  std::vector<Condition> conditions;
  std::string order;  // ORDER BY of it
  std::size_t rows_max = 0;
};

[[nodiscard]] base::Result<std::optional<Json>> loadOne(sql::Session& session, const Resource& resource, std::int64_t id);
[[nodiscard]] base::Result<std::vector<Json>> loadPage(sql::Session& session, const Resource& resource, const PageQuery& query);

// Returns the id of the new document. `id` 0 = one is assigned. `parent_id` 0 = none.
[[nodiscard]] base::Result<std::int64_t> insertOne(Change& change, const Resource& resource, std::int64_t id, std::int64_t parent_id,
                                                   const Json& document);
// A nested row whose values did not change keeps its id, because the records of calls name it.
[[nodiscard]] base::Result<void> updateOne(Change& change, const Resource& resource, std::int64_t id, const Json& before,
                                           const Json& document);
[[nodiscard]] base::Result<void> deleteOne(Change& change, const Resource& resource, std::int64_t id);

[[nodiscard]] base::Result<bool> exists(sql::Session& session, std::string_view table, std::int64_t id);
// Whether the query gives a row.
[[nodiscard]] base::Result<bool> any(sql::Session& session, std::string_view query, const std::vector<sql::Value>& parameters);

// Refuses the change when the query gives a row.
[[nodiscard]] Outcome<void> conflictIfAny(Change& change, std::string_view query, const std::vector<sql::Value>& parameters,
                                          const std::string& field, const std::string& rule, const std::string& detail);
// The same for dialpeers that fulfil `condition`; the refusal says: dialpeer 7 ("name") <verb>.
[[nodiscard]] Outcome<void> conflictIfDialpeer(Change& change, const std::string& condition, const std::vector<sql::Value>& parameters,
                                               const std::string& field, const std::string& rule, const std::string& verb);

// Rows of any table in the order of a page.
[[nodiscard]] base::Result<sql::Rows> selectPage(sql::Session& session, const std::string& columns, const std::string& table,
                                                 const PageQuery& query);
// For the documents of a page: the rows of `select` IN (their ids), by the first column. `select` as for sql::eachIn.
[[nodiscard]] base::Result<std::map<std::int64_t, sql::Row>> rowsById(sql::Session& session, std::string_view select,
                                                                      const std::vector<Json>& page);

}  // namespace tollgate::admin_api
