#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {
namespace {

constexpr std::size_t kFixedColumns = 4;  // id, revision, created_at, updated_at

std::string selectList(const Resource& resource) {
  std::string columns = "id, revision, created_at, updated_at, " + columnsOf(resource.fields);
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
  addFromSql(resource.fields, row, kFixedColumns, document);
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
  const std::string columns = set.owner_column + ", " + (set.has_id ? "id" : "position") + ", " + columnsOf(set.fields);
  std::vector<sql::Value> ids;
  for (const auto& [id, document] : owners) {
    ids.emplace_back(id);
  }
  TG_TRY_ASSIGN(rows, session.query("SELECT " + columns + " FROM " + set.table + " WHERE " + set.owner_column + " IN (" +
                                        sql::marks(ids.size()) + ") ORDER BY " + set.owner_column + ", position",
                                    ids));
  for (const auto& row : rows) {
    Json item = Json::object();
    if (set.has_id) {
      item["id"] = row.integer(1);
    }
    addFromSql(set.fields, row, 2, item);
    (*owners[row.integer(0)])[set.name].push_back(std::move(item));
  }
  return {};
}

// Gives rows of `after` the ids of equal rows of `before`; the rest stay without.
void keepRowIds(const RowSet& set, const Json& before, std::vector<Json>& after) {
  std::vector<bool> taken(before.size(), false);
  const std::vector<Field> key = {set.fields.front()};  // the first field is what a row is about
  for (const auto& fields : {set.fields, key}) {
    for (auto& row : after) {
      for (std::size_t i = 0; i < before.size() && !row.contains("id"); ++i) {
        if (!taken[i] && sameFields(fields, before[i], row)) {
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
  const std::string head = set.table + " (" + set.owner_column + ", position, " + columnsOf(set.fields) + (set.has_id ? ", id)" : ")");
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
  TG_TRY_ASSIGN(rows, selectPage(session, selectList(resource), resource.table, query));
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
  TG_TRY(change.session.execute("INSERT INTO " + resource.table + " (" + columns + ") VALUES (" + sql::marks(values.size()) + ")", values));
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

base::Result<sql::Rows> selectPage(sql::Session& session, const std::string& columns, const std::string& table, const PageQuery& query) {
  std::string statement = "SELECT " + columns + " FROM " + table;
  std::vector<sql::Value> parameters;
  for (std::size_t i = 0; i < query.conditions.size(); ++i) {
    statement += (i == 0 ? " WHERE " : " AND ") + query.conditions[i].sql;
    parameters.insert(parameters.end(), query.conditions[i].parameters.begin(), query.conditions[i].parameters.end());
  }
  return session.query(statement + " ORDER BY " + query.order + " LIMIT " + std::to_string(query.rows_max), parameters);
}

base::Result<std::map<std::int64_t, sql::Row>> rowsById(sql::Session& session, std::string_view select, const std::vector<Json>& page) {
  std::vector<sql::Value> ids;
  for (const auto& document : page) {
    ids.emplace_back(integerOf(document, "id"));
  }
  std::map<std::int64_t, sql::Row> row_of;
  TG_TRY(sql::eachIn(session, select, ids, [&row_of](const sql::Row& row) { row_of.emplace(row.integer(0), row); }));
  return row_of;
}

Outcome<void> conflictIfAny(Change& change, std::string_view query, const std::vector<sql::Value>& parameters, const std::string& field,
                            const std::string& rule, const std::string& detail) {
  TG_PASS_ASSIGN(found, any(change.session, query, parameters));
  return found ? conflict(field, rule, detail) : Outcome<void>();
}

Outcome<void> conflictIfDialpeer(Change& change, const std::string& condition, const std::vector<sql::Value>& parameters,
                                 const std::string& field, const std::string& rule, const std::string& verb) {
  TG_PASS_ASSIGN(rows, change.session.query("SELECT id, display_name FROM dialpeers WHERE " + condition + " LIMIT 1", parameters));
  if (rows.empty()) {
    return {};
  }
  return conflict(field, rule, "dialpeer " + std::to_string(rows[0].integer(0)) + " (\"" + rows[0].text(1) + "\") " + verb);
}

}  // namespace tollgate::admin_api
