// Declared fields: one declaration per field says how it is read from JSON, checked, stored in MySQL, shown and documented. Plain values;
// any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "libs/base/limits.hpp"
#include "libs/sql/sql.hpp"
#include "services/admin_api/api/outcome.hpp"

namespace tollgate::admin_api {

using Json = nlohmann::json;

enum class Kind : std::uint8_t {
  kText,
  kInteger,
  kFlag,   // TINYINT in MySQL
  kMoney,  // decimal text with up to 6 places; BIGINT micros in MySQL
  kTime,   // RFC 3339 UTC; DATETIME(6)
  kWords,  // array of distinct words of `choices`; comma separated text
};

// Checks a value of the right type and may rewrite it; returns what is wrong with it, or nothing.
using Check = std::function<std::optional<std::string>(Json& value)>;

struct Field {
  std::string name;         // in JSON
  std::string column = {};  // in MySQL; empty = name
  Kind kind = Kind::kText;
  std::string rule = {};  // the requirement that a wrong value breaks
  std::string help = {};
  bool required = false;     // POST and PUT must give it
  bool nullable = false;     // null is a value
  bool fixed = false;        // set at creation, never changed
  bool keep_absent = false;  // PUT without it keeps what is stored
  Json fallback = nullptr;   // what POST and PUT mean by leaving it out
  std::int64_t low = 0;      // characters, value, micros
  std::int64_t high = 255;
  std::vector<std::string> choices = {};
  std::vector<std::string> later = {};  // choices of the requirements that this version does not offer yet
  Check check = nullptr;
  bool filter = false;  // ?name=value in lists
  bool sort = false;    // ?sort=name in lists; only for fields that are never null

  [[nodiscard]] const std::string& columnName() const { return column.empty() ? name : column; }
};

// Nested rows, kept in a table of their own and replaced as a whole: sources, endpoints, targets.
struct RowSet {
  std::string name;   // in JSON
  std::string table;  // with columns `owner_column`, position and the fields'
  std::string owner_column;
  bool has_id = false;
  std::string rule = {};
  std::string help = {};
  std::size_t rows_max = 0;
  std::vector<Field> fields = {};
};

// The canonical value of one field from JSON input. `path` goes before the name in refusals ("sources[1].").
[[nodiscard]] Outcome<Json> readField(const Field& field, const Json& input, const std::string& path);
// Full input has the fallbacks of what was left out; partial input (PATCH) only what was given.
enum class Completeness : std::uint8_t { kFull, kPartial };
// The canonical values of fields, added to `document`.
[[nodiscard]] Outcome<void> readFields(const std::vector<Field>& fields, const Json& input, Completeness completeness,
                                       const std::string& path, Json& document);
// All rows of a set from a JSON array.
[[nodiscard]] Outcome<Json> readRows(const RowSet& set, const Json& input);

[[nodiscard]] sql::Value toSql(const Field& field, const Json& value);
[[nodiscard]] Json fromSql(const Field& field, const sql::Row& row, std::size_t column);
// Adds the values of a row, whose columns from `first` on are columnsOf() the fields.
void addFromSql(const std::vector<Field>& fields, const sql::Row& row, std::size_t first, Json& document);
// "name, credit_line_micros": what a SELECT asks for.
[[nodiscard]] std::string columnsOf(const std::vector<Field>& fields);

// nullptr = none has this name.
[[nodiscard]] const Field* findField(const std::vector<Field>& fields, std::string_view name);
[[nodiscard]] bool sameFields(const std::vector<Field>& fields, const Json& left, const Json& right);

// A value of a query parameter as SQL; refused with 400.
[[nodiscard]] Outcome<sql::Value> filterValue(const Field& field, const std::string& text);

// JSON Schema of a field.
[[nodiscard]] Json fieldSchema(const Field& field);
// JSON Schema of an input object with these fields and no others.
[[nodiscard]] Json inputSchema(const std::vector<Field>& fields);
// JSON Schema of an object that is only shown, so that its fields have no bounds.
[[nodiscard]] Json shownSchema(const std::vector<Field>& fields);

// 2026-11-21T10:20:30[.123456](Z|+hh:mm), years 1970 to 2999.
[[nodiscard]] std::optional<base::WallTime> parseTime(std::string_view text);

// Micros of a money field's text as it was stored by us; 0 when it is none.
[[nodiscard]] std::int64_t micros(const Json& money_text);
[[nodiscard]] std::string moneyText(std::int64_t micros);

// Values of a document that was read by readField or fromSql; 0 / "" / false when null or absent.
[[nodiscard]] std::int64_t integerOf(const Json& document, std::string_view name);
[[nodiscard]] std::string textOf(const Json& document, std::string_view name);
[[nodiscard]] bool flagOf(const Json& document, std::string_view name);
[[nodiscard]] bool isNull(const Json& document, std::string_view name);

}  // namespace tollgate::admin_api
