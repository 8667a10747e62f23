#include "services/admin_api/resources/store.hpp"

#include <map>

namespace tollgate::admin_api {
namespace {

constexpr std::size_t kFixedColumns = 4;  // id, revision, created_at, updated_at

std::string selectList(const Resource& resource) {
  std::string columns = "id, revision, created_at, updated_at";
  for (const auto& field : resource.fields) {
    columns += ", " + field.columnName();
  }
  if (!resource.parent_column.empty()) {
    columns += ", " + resource.parent_column;
  }
  return columns;
}

Json timeText(const sql::Value& value) {
  const auto time = sql::toTime(value);
  return time ? Json(base::formatRfc3339(*time)) : Json(nullptr);
}

Json toDocument(const Resource& resource, const sql::Row& row) {
  Json document = {
      {"id", row.integer(0)}, {"revision", row.integer(1)}, {"created_at", timeText(row.value(2))}, {"updated_at", timeText(row.value(3))}};
  for (std::size_t i = 0; i < resource.fields.size(); ++i) {
    document[resource.fields[i].name] = fromSql(resource.fields[i], row, kFixedColumns + i);
  }
  if (!resource.parent_column.empty()) {
    document[resource.parent_column] = row.integer(kFixedColumns + resource.fields.size());
  }
  for (const auto& set : resource.rows) {
    document[set.name] = Json::array();
  }
  return document;
}

// The nested rows of a whole page in one query.
base::Result<void> loadRows(sql::Session& session, const RowSet& set, std::map<std::int64_t, Json*>& owners) {
  if (owners.empty()) {
    return {};
  }
  std::string columns = set.owner_column + ", " + (set.has_id ? "id" : "position");
  for (const auto& field : set.fields) {
    columns += ", " + field.columnName();
  }
  std::vector<sql::Value> ids;
  for (const auto& [id, document] : owners) {
    ids.emplace_back(id);
  }
  TG_TRY_ASSIGN(rows, session.query("SELECT " + columns + " FROM " + set.table + " WHERE " + set.owner_column + " IN (" +
                                        marks(ids.size()) + ") ORDER BY " + set.owner_column + ", position",
                                    ids));
  for (const auto& row : rows) {
    Json item = Json::object();
    if (set.has_id) {
      item["id"] = row.integer(1);
    }
    for (std::size_t i = 0; i < set.fields.size(); ++i) {
      item[set.fields[i].name] = fromSql(set.fields[i], row, 2 + i);
    }
    (*owners[row.integer(0)])[set.name].push_back(std::move(item));
  }
  return {};
}

bool sameRow(const RowSet& set, const Json& left, const Json& right, bool only_key) {
  for (const auto& field : set.fields) {
    if (left.value(field.name, Json()) != right.value(field.name, Json())) {
      return false;
    }
    if (only_key) {
      return true;  // the first field is what a row is about
    }
  }
  return true;
}

// Gives rows of `after` the ids of equal rows of `before`; the rest stay without.
void keepRowIds(const RowSet& set, const Json& before, std::vector<Json>& after) {
  std::vector<bool> taken(before.size(), false);
  for (const bool only_key : {false, true}) {
    for (auto& row : after) {
      for (std::size_t i = 0; i < before.size() && !row.contains("id"); ++i) {
        if (!taken[i] && sameRow(set, before[i], row, only_key)) {
          row["id"] = before[i]["id"];
          taken[i] = true;
        }
      }
    }
  }
}

base::Result<void> writeRows(Change& change, const RowSet& set, std::int64_t owner, const Json& before, const Json& document) {
  const auto given = document.value(set.name, Json::array());
  std::vector<Json> rows(given.begin(), given.end());
  for (auto& row : rows) {
    row.erase("id");
  }
  if (set.has_id) {
    keepRowIds(set, before.value(set.name, Json::array()), rows);
  }
  TG_TRY(change.session.execute("DELETE FROM " + set.table + " WHERE " + set.owner_column + " = ?", {owner}));
  std::string head = set.table + " (" + set.owner_column + ", position";
  for (const auto& field : set.fields) {
    head += ", " + field.columnName();
  }
  head += set.has_id ? ", id)" : ")";
  std::vector<std::vector<sql::Value>> values;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<sql::Value> cells = {owner, static_cast<std::int64_t>(i)};
    for (const auto& field : set.fields) {
      cells.push_back(toSql(field, rows[i][field.name]));
    }
    if (set.has_id) {
      cells.push_back(rows[i].contains("id") ? sql::Value(rows[i]["id"].get<std::int64_t>()) : sql::Value(nullptr));
    }
    values.push_back(std::move(cells));
  }
  if (!values.empty()) {
    TG_TRY(change.session.insertMany(head, values, ""));
  }
  return {};
}

base::Result<void> loadAllRows(sql::Session& session, const Resource& resource, std::vector<Json>& documents) {
  std::map<std::int64_t, Json*> owners;
  for (auto& document : documents) {
    owners[integerOf(document, "id")] = &document;
  }
  for (const auto& set : resource.rows) {
    TG_TRY(loadRows(session, set, owners));
  }
  return {};
}

}  // namespace

base::Result<std::optional<Json>> loadOne(sql::Session& session, const Resource& resource, std::int64_t id) {
  TG_TRY_ASSIGN(documents, loadPage(session, resource, {{{"id = ?", {id}}}, "id", 1}));
  return documents.empty() ? std::optional<Json>() : std::optional<Json>(std::move(documents.front()));
}

base::Result<std::vector<Json>> loadPage(sql::Session& session, const Resource& resource, const PageQuery& query) {
  std::string statement = "SELECT " + selectList(resource) + " FROM " + resource.table;
  std::vector<sql::Value> parameters;
  for (std::size_t i = 0; i < query.conditions.size(); ++i) {
    statement += (i == 0 ? " WHERE " : " AND ") + query.conditions[i].sql;
    parameters.insert(parameters.end(), query.conditions[i].parameters.begin(), query.conditions[i].parameters.end());
  }
  statement += " ORDER BY " + query.order + " LIMIT " + std::to_string(query.rows_max);
  TG_TRY_ASSIGN(rows, session.query(statement, parameters));
  std::vector<Json> documents;
  for (const auto& row : rows) {
    documents.push_back(toDocument(resource, row));
  }
  TG_TRY(loadAllRows(session, resource, documents));
  return documents;
}

base::Result<std::int64_t> insertOne(Change& change, const Resource& resource, std::int64_t id, std::int64_t parent_id,
                                     const Json& document) {
  std::string columns = "created_at, updated_at";
  std::vector<sql::Value> values = {sql::fromTime(change.now), sql::fromTime(change.now)};
  if (id != 0) {
    columns += ", id";
    values.emplace_back(id);
  }
  if (!resource.parent_column.empty()) {
    columns += ", " + resource.parent_column;
    values.emplace_back(parent_id);
  }
  for (const auto& field : resource.fields) {
    columns += ", " + field.columnName();
    values.push_back(toSql(field, document.value(field.name, Json())));
  }
  TG_TRY(change.session.execute("INSERT INTO " + resource.table + " (" + columns + ") VALUES (" + marks(values.size()) + ")", values));
  auto new_id = id;
  if (new_id == 0) {
    TG_TRY_ASSIGN(assigned, change.session.lastInsertId());
    new_id = assigned;
  }
  for (const auto& set : resource.rows) {
    TG_TRY(writeRows(change, set, new_id, Json::object(), document));
  }
  return new_id;
}

base::Result<void> updateOne(Change& change, const Resource& resource, std::int64_t id, const Json& before, const Json& document) {
  std::string statement = "UPDATE " + resource.table + " SET revision = revision + 1, updated_at = ?";
  std::vector<sql::Value> values = {sql::fromTime(change.now)};
  for (const auto& field : resource.fields) {
    statement += ", " + field.columnName() + " = ?";
    values.push_back(toSql(field, document.value(field.name, Json())));
  }
  values.emplace_back(id);
  TG_TRY(change.session.execute(statement + " WHERE id = ?", values));
  for (const auto& set : resource.rows) {
    TG_TRY(writeRows(change, set, id, before, document));
  }
  return {};
}

base::Result<void> deleteOne(Change& change, const Resource& resource, std::int64_t id) {
  for (const auto& set : resource.rows) {
    TG_TRY(change.session.execute("DELETE FROM " + set.table + " WHERE " + set.owner_column + " = ?", {id}));
  }
  TG_TRY(change.session.execute("DELETE FROM " + resource.table + " WHERE id = ?", {id}));
  return {};
}

base::Result<bool> exists(sql::Session& session, std::string_view table, std::int64_t id) {
  return any(session, "SELECT 1 FROM " + std::string(table) + " WHERE id = ?", {id});
}

base::Result<bool> any(sql::Session& session, std::string_view query, const std::vector<sql::Value>& parameters) {
  TG_TRY_ASSIGN(rows, session.query(std::string(query) + " LIMIT 1", parameters));
  return !rows.empty();
}

std::string marks(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    text += i == 0 ? "?" : ",?";
  }
  return text;
}

}  // namespace tollgate::admin_api
