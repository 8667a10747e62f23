// A resource is an entity of the API declared once: fields, nested rows, rules. Store, editor, handlers and the OpenAPI document are made
// from the declaration (services/admin_api/README.md). Values; the functions in it run on worker threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "libs/base/clock.hpp"
#include "libs/sql/sql.hpp"
#include "services/admin_api/api/field.hpp"
#include "services/admin_api/api/outcome.hpp"

namespace tollgate::admin_api {

struct Backend;

// One configuration transaction, after its place in the order of versions was taken: nothing else changes configuration meanwhile.
struct Change {
  sql::Session& session;
  std::string author;
  base::WallTime now;
};

// A column that is shown and never written: counts, names of what an id refers to, live figures.
struct Shown {
  std::string name;
  Json schema;
};

struct Resource {
  std::string name;  // Trunk: schema name
  std::string noun;  // trunk: in sentences
  std::string path;  // /v1/trunks
  std::string id_parameter = "id";
  std::string entity = {};  // in config_changes and config.changed
  std::string table = {};
  // Set for a resource under another: rates of a plan. The path parameter is {id}.
  std::string parent_column = {};
  std::string parent_table = {};
  std::string parent_noun = {};
  std::vector<Field> fields = {};
  std::vector<RowSet> rows = {};
  std::vector<Shown> shown = {};
  // The rules that need the store or several fields. `before` is nullptr for a new one, whose id is 0 unless the caller chose it.
  std::function<Outcome<void>(Change&, const Json* before, Json& after)> check = nullptr;
  std::function<Outcome<void>(Change&, const Json& before)> check_delete = nullptr;
  // Before the transaction of a delete: what other services must be asked.
  std::function<Outcome<void>(Backend&, std::int64_t id)> ask_before_delete = nullptr;
  // Fills `shown` of a page.
  std::function<base::Result<void>(Backend&, sql::Session&, std::vector<Json>&)> decorate = nullptr;
};

// Input to canonical values: type and range of every field given, unknown names refused, read-only ones passed over.
[[nodiscard]] Outcome<Json> readInput(const Resource& resource, const Json& body, Completeness completeness);

// Field by field, nested rows without their ids.
[[nodiscard]] bool sameContent(const Resource& resource, const Json& left, const Json& right);

// Every resource of this version.
[[nodiscard]] const std::vector<Resource>& resources();
// REQUIREMENTS 8.1.
[[nodiscard]] Field currencyField();
// The id of another entity, or null.
[[nodiscard]] Field referenceField(const char* name, const char* rule, const char* help);
[[nodiscard]] Resource customerResource();
[[nodiscard]] Resource trunkResource();
[[nodiscard]] Resource routingRuleResource();
[[nodiscard]] Resource dialpeerResource();
[[nodiscard]] Resource ratePlanResource();
[[nodiscard]] Resource rateResource();

}  // namespace tollgate::admin_api
