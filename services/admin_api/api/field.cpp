#include "services/admin_api/api/field.hpp"

#include <algorithm>

#include <google/protobuf/util/time_util.h>

#include "libs/base/text.hpp"
#include "libs/money/money.hpp"
#include "libs/wire/wire.hpp"

namespace tollgate::admin_api {
namespace {

// 0 in the mask stands for a digit, every other character for itself.
bool fits(std::string_view text, std::string_view mask) {
  return std::equal(text.begin(), text.end(), mask.begin(), mask.end(),
                    [](char c, char wanted) { return wanted == '0' ? c >= '0' && c <= '9' : c == wanted; });
}

// 2026-11-21T10:00:00, a fraction of 1 to 9 digits or none, then Z or an offset. Checked here, because Protobuf also takes offsets like
// +1:00; the values are checked there.
bool hasShapeOfTime(std::string_view text) {
  constexpr std::string_view kSeconds = "0000-00-00T00:00:00";
  const std::size_t zone = text.find_first_of("Z+-", std::min(text.size(), kSeconds.size()));
  if (zone == std::string_view::npos || !fits(text.substr(0, kSeconds.size()), kSeconds)) {
    return false;
  }
  const std::string_view fraction = text.substr(kSeconds.size(), zone - kSeconds.size());
  const std::string_view offset = text.substr(zone);
  const bool is_fraction =
      fraction.empty() || (fraction.size() > 1 && fits(fraction, std::string_view(".000000000").substr(0, fraction.size())));
  return is_fraction && (offset == "Z" || fits(offset, "+00:00") || fits(offset, "-00:00"));
}

std::string listOf(const std::vector<std::string>& words) {
  return base::joined(words, ", ");
}

// Code points; the JSON parser has refused what is not UTF-8.
std::int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

Outcome<Json> readText(const Field& field, const Json& input, const std::string& path) {
  if (!input.is_string()) {
    return invalid(path, field.rule, "must be text");
  }
  auto text = std::string(base::trimmed(input.get_ref<const std::string&>()));
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return invalid(path, field.rule, "must not contain control characters");
  }
  if (!field.choices.empty()) {
    if (std::find(field.later.begin(), field.later.end(), text) != field.later.end()) {
      return invalid(path, field.rule, "\"" + text + "\" is not available yet; one of: " + listOf(field.choices));
    }
    if (std::find(field.choices.begin(), field.choices.end(), text) == field.choices.end()) {
      return invalid(path, field.rule, "must be one of: " + listOf(field.choices));
    }
    return Json(text);
  }
  const auto length = characters(text);
  if (length < field.low) {
    return invalid(path, field.rule, length == 0 ? "must not be empty" : "must have at least " + std::to_string(field.low) + " characters");
  }
  if (length > field.high) {
    return invalid(path, field.rule, "must have at most " + std::to_string(field.high) + " characters");
  }
  return Json(std::move(text));
}

Outcome<Json> readInteger(const Field& field, const Json& input, const std::string& path) {
  const bool fits =
      input.is_number_integer() && (!input.is_number_unsigned() || input.get<std::uint64_t>() <= static_cast<std::uint64_t>(INT64_MAX));
  if (!fits) {
    return invalid(path, field.rule, field.nullable ? "must be a whole number or null" : "must be a whole number");
  }
  const auto value = input.get<std::int64_t>();
  if (value < field.low || value > field.high) {
    return invalid(path, field.rule, "must be from " + std::to_string(field.low) + " to " + std::to_string(field.high));
  }
  return Json(value);
}

Outcome<Json> readMoney(const Field& field, const Json& input, const std::string& path) {
  if (!input.is_string()) {
    return invalid(path, field.rule, "must be a decimal number in quotes, like \"12.50\"");
  }
  const auto parsed = money::parseDecimal(input.get<std::string>());
  if (!parsed) {
    return invalid(path, field.rule, "must be a decimal number with at most 6 places, like \"12.50\"");
  }
  if (*parsed < field.low || *parsed > field.high) {
    return invalid(path, field.rule, "must be from " + moneyText(field.low) + " to " + moneyText(field.high));
  }
  return Json(moneyText(*parsed));
}

Outcome<Json> readTime(const Field& field, const Json& input, const std::string& path) {
  const auto time = input.is_string() ? parseTime(input.get<std::string>()) : std::nullopt;
  if (!time) {
    return invalid(path, field.rule, "must be a time like 2026-01-31T00:00:00Z");
  }
  return Json(base::formatRfc3339(*time));
}

Outcome<Json> readWords(const Field& field, const Json& input, const std::string& path) {
  if (!input.is_array() || input.empty()) {
    return invalid(path, field.rule, "must be a list of at least one of: " + listOf(field.choices));
  }
  Json words = Json::array();
  for (const auto& word : input) {
    const bool known =
        word.is_string() && std::find(field.choices.begin(), field.choices.end(), word.get<std::string>()) != field.choices.end();
    if (!known) {
      return invalid(path, field.rule, "may hold only: " + listOf(field.choices));
    }
    if (std::find(words.begin(), words.end(), word) != words.end()) {
      return invalid(path, field.rule, "names " + word.get<std::string>() + " twice");
    }
    words.push_back(word);
  }
  return words;
}

Outcome<Json> readKind(const Field& field, const Json& input, const std::string& path) {
  switch (field.kind) {
    case Kind::kText:
      return readText(field, input, path);
    case Kind::kInteger:
      return readInteger(field, input, path);
    case Kind::kFlag:
      if (!input.is_boolean()) {
        return invalid(path, field.rule, "must be true or false");
      }
      return input;
    case Kind::kMoney:
      return readMoney(field, input, path);
    case Kind::kTime:
      return readTime(field, input, path);
    case Kind::kWords:
      return readWords(field, input, path);
  }
  return invalid(path, field.rule, "cannot be set");
}

}  // namespace

Outcome<Json> readField(const Field& field, const Json& input, const std::string& path) {
  const auto where = path + field.name;
  if (input.is_null()) {
    if (!field.nullable) {
      return invalid(where, field.rule, "must not be null");
    }
    return Json(nullptr);
  }
  TG_PASS_ASSIGN(value, readKind(field, input, where));
  if (field.check) {
    if (const auto complaint = field.check(value)) {
      return invalid(where, field.rule, *complaint);
    }
  }
  return value;
}

Outcome<void> readFields(const std::vector<Field>& fields, const Json& input, Completeness completeness, const std::string& path,
                         Json& document) {
  const bool full = completeness == Completeness::kFull;
  for (const auto& field : fields) {
    const auto given = input.find(field.name);
    if (given != input.end()) {
      TG_PASS_ASSIGN(value, readField(field, *given, path));
      document[field.name] = std::move(value);
    } else if (full && field.required) {
      return invalid(path + field.name, field.rule, "is required");
    } else if (full && !field.keep_absent) {
      document[field.name] = field.fallback;
    }
  }
  return {};
}

Outcome<Json> readRows(const RowSet& set, const Json& input) {
  if (!input.is_array()) {
    return invalid(set.name, set.rule, "must be a list");
  }
  if (input.size() > set.rows_max) {
    return invalid(set.name, set.rule, "may have at most " + std::to_string(set.rows_max) + " rows");
  }
  Json rows = Json::array();
  for (std::size_t i = 0; i < input.size(); ++i) {
    const auto path = set.name + "[" + std::to_string(i) + "]";
    const auto& given = input[i];
    if (!given.is_object()) {
      return invalid(path, set.rule, "must be an object");
    }
    for (const auto& [name, unused] : given.items()) {
      if (!(set.has_id && name == "id") && findField(set.fields, name) == nullptr) {
        return invalid(path + "." + name, "11.1", "is not a field of " + set.name);
      }
    }
    Json row = Json::object();
    TG_PASS(readFields(set.fields, given, Completeness::kFull, path + ".", row));
    rows.push_back(std::move(row));
  }
  return rows;
}

sql::Value toSql(const Field& field, const Json& value) {
  if (value.is_null()) {
    return nullptr;
  }
  switch (field.kind) {
    case Kind::kText:
      return value.get<std::string>();
    case Kind::kInteger:
      return value.get<std::int64_t>();
    case Kind::kFlag:
      return static_cast<std::int64_t>(value.get<bool>() ? 1 : 0);
    case Kind::kMoney:
      return micros(value);
    case Kind::kTime:
      return sql::fromTime(parseTime(value.get<std::string>()).value_or(base::WallTime{}));
    case Kind::kWords: {
      std::string text;
      for (const auto& word : value) {
        text += (text.empty() ? "" : ",") + word.get<std::string>();
      }
      return text;
    }
  }
  return nullptr;
}

Json fromSql(const Field& field, const sql::Row& row, std::size_t column) {
  if (row.isNull(column)) {
    return nullptr;
  }
  switch (field.kind) {
    case Kind::kText:
      return row.text(column);
    case Kind::kInteger:
      return row.integer(column);
    case Kind::kFlag:
      return row.integer(column) != 0;
    case Kind::kMoney:
      return moneyText(row.integer(column));
    case Kind::kTime: {
      const auto time = sql::toTime(row.value(column));
      return time ? Json(base::formatRfc3339(*time)) : Json(nullptr);
    }
    case Kind::kWords: {
      Json words = Json::array();
      std::string_view rest = row.text(column);
      while (!rest.empty()) {
        const auto comma = std::min(rest.find(','), rest.size());
        words.push_back(rest.substr(0, comma));
        rest.remove_prefix(std::min(comma + 1, rest.size()));
      }
      return words;
    }
  }
  return nullptr;
}

void addFromSql(const std::vector<Field>& fields, const sql::Row& row, std::size_t first, Json& document) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    document[fields[i].name] = fromSql(fields[i], row, first + i);
  }
}

Outcome<sql::Value> filterValue(const Field& field, const std::string& text) {
  switch (field.kind) {
    case Kind::kText:
      return sql::Value(text);
    case Kind::kFlag:
      if (text == "true" || text == "false") {
        return sql::Value(static_cast<std::int64_t>(text == "true" ? 1 : 0));
      }
      return refuse(400, "must be true or false", field.name, "11.1");
    case Kind::kInteger: {
      const auto value = base::parseInteger(text);
      if (!value) {
        return refuse(400, "must be a whole number", field.name, "11.1");
      }
      return sql::Value(*value);
    }
    case Kind::kTime: {
      const auto time = parseTime(text);
      if (!time) {
        return refuse(400, "must be a time like 2026-01-31T00:00:00Z", field.name, "11.1");
      }
      return sql::fromTime(*time);
    }
    case Kind::kMoney:
    case Kind::kWords:
      break;
  }
  return refuse(400, "cannot be filtered by", field.name, "11.1");
}

std::optional<base::WallTime> parseTime(std::string_view text) {
  google::protobuf::Timestamp time;
  std::string strict = base::upper(text);  // RFC 3339 also allows lower case, and a blank for the T
  std::replace(strict.begin(), strict.end(), ' ', 'T');
  const bool is_time = hasShapeOfTime(strict) && google::protobuf::util::TimeUtil::FromString(strict, &time);
  constexpr base::WallTime kEnd = std::chrono::sys_days(std::chrono::year(3000) / 1 / 1);
  const auto wall = wire::fromWire(time);
  return is_time && wall >= base::WallTime{} && wall < kEnd ? std::optional(wall) : std::nullopt;
}

const Field* findField(const std::vector<Field>& fields, std::string_view name) {
  const auto found = std::find_if(fields.begin(), fields.end(), [name](const Field& field) { return field.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

bool sameFields(const std::vector<Field>& fields, const Json& left, const Json& right) {
  return std::all_of(fields.begin(), fields.end(),
                     [&](const Field& field) { return left.value(field.name, Json()) == right.value(field.name, Json()); });
}

std::string columnsOf(const std::vector<Field>& fields) {
  std::vector<std::string> names;
  for (const auto& field : fields) {
    names.push_back(field.columnName());
  }
  return base::joined(names, ", ");
}

std::int64_t micros(const Json& money_text) {
  return money_text.is_string() ? money::parseDecimal(money_text.get<std::string>()).value_or(0) : 0;
}

std::string moneyText(std::int64_t amount_micros) {
  return money::formatDecimal(amount_micros);
}

std::int64_t integerOf(const Json& document, std::string_view name) {
  const auto found = document.find(std::string(name));
  return found != document.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::string textOf(const Json& document, std::string_view name) {
  const auto found = document.find(std::string(name));
  return found != document.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flagOf(const Json& document, std::string_view name) {
  const auto found = document.find(std::string(name));
  return found != document.end() && found->is_boolean() && found->get<bool>();
}

bool isNull(const Json& document, std::string_view name) {
  const auto found = document.find(std::string(name));
  return found == document.end() || found->is_null();
}

}  // namespace tollgate::admin_api
