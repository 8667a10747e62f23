#include "services/admin_api/resources/resource_operations.hpp"

#include <algorithm>

#include "services/admin_api/resources/editor.hpp"
#include "services/admin_api/resources/store.hpp"

namespace tollgate::admin_api {
namespace {

struct Order {
  const Field* field = nullptr;  // nullptr = by id
  bool falling = false;
};

std::string etag(const Json& document) {
  return '"' + std::to_string(integerOf(document, "revision")) + '"';
}

std::string itemPath(const Resource& resource, std::int64_t parent_id, std::int64_t id) {
  auto path = resource.path;
  const auto at = path.find("{id}");
  if (at != std::string::npos) {
    path.replace(at, 4, std::to_string(parent_id));
  }
  return path + "/" + std::to_string(id);
}

Outcome<Json> decorated(Backend& backend, const Resource& resource, Json document) {
  if (!resource.decorate) {
    return document;
  }
  std::vector<Json> page = {std::move(document)};
  TG_PASS(backend.pool.use<void>([&](sql::Session& session) { return resource.decorate(backend, session, page); }));
  return std::move(page.front());
}

Outcome<std::int64_t> parentOf(const Resource& resource, const Call& call) {
  if (resource.parent_column.empty()) {
    return 0;
  }
  return call.id("id");
}

Outcome<Order> readOrder(const Resource& resource, const std::string& text) {
  Order order;
  auto name = text;
  if (name.starts_with('-')) {
    order.falling = true;
    name.erase(0, 1);
  }
  if (name.empty() || name == "id") {
    return order;
  }
  order.field = findField(resource.fields, name);
  if (order.field == nullptr || !order.field->sort) {
    return refuse(400, "cannot be sorted by " + name, "sort", "11.1");
  }
  return order;
}

// Rows after the one the cursor names, in the order asked for: [order, value, id].
Outcome<void> addCursor(const Order& order, const std::string& sort, const Json& parts, PageQuery& page) {
  if (parts.is_null()) {
    return {};
  }
  if (!parts.is_array() || parts.size() != 3 || parts[0] != sort || !parts[2].is_number_integer() || parts[1].is_structured()) {
    return refuse(400, "does not belong to this list and order", "cursor", "11.1");
  }
  const std::string beyond = order.falling ? " < ?" : " > ?";
  const auto id = parts[2].get<std::int64_t>();
  if (order.field == nullptr) {
    page.conditions.push_back({"id" + beyond, {id}});
    return {};
  }
  const auto column = order.field->columnName();
  TG_PASS_ASSIGN(value, readField(*order.field, parts[1], ""));
  const auto cell = toSql(*order.field, value);
  page.conditions.push_back({"(" + column + beyond + " OR (" + column + " = ? AND id" + beyond + "))", {cell, cell, id}});
  return {};
}

std::string nextCursor(const Order& order, const std::string& sort, const Json& last) {
  const Json value = order.field == nullptr ? Json(nullptr) : last[order.field->name];
  return encodeCursor(Json::array({sort, value, last["id"]}));
}

Outcome<PageQuery> readPageQuery(const Resource& resource, const Call& call, const Order& order, std::size_t limit) {
  PageQuery page;
  if (!resource.parent_column.empty()) {
    TG_PASS_ASSIGN(parent, parentOf(resource, call));
    page.conditions.push_back({resource.parent_column + " = ?", {parent}});
  }
  for (const auto& field : resource.fields) {
    const auto given = call.request.query.find(field.name);
    if (field.filter && given != call.request.query.end()) {
      TG_PASS_ASSIGN(value, filterValue(field, given->second));
      page.conditions.push_back({field.columnName() + " = ?", {value}});
    }
  }
  TG_PASS_ASSIGN(cursor, call.cursor());
  TG_PASS(addCursor(order, call.query("sort"), cursor, page));
  const std::string direction = order.falling ? " DESC" : "";
  page.order = order.field == nullptr ? "id" + direction : order.field->columnName() + direction + ", id" + direction;
  page.rows_max = limit + 1;
  return page;
}

Outcome<http::Response> list(Backend& backend, const Resource& resource, const Call& call) {
  TG_PASS_ASSIGN(limit, call.limit());
  TG_PASS_ASSIGN(order, readOrder(resource, call.query("sort")));
  TG_PASS_ASSIGN(query, readPageQuery(resource, call, order, limit));
  bool parent_known = true;
  bool more = false;
  TG_PASS_ASSIGN(items, backend.pool.use<std::vector<Json>>([&](sql::Session& session) -> base::Result<std::vector<Json>> {
    if (!resource.parent_column.empty()) {
      TG_TRY_ASSIGN(found, exists(session, resource.parent_table, std::get<std::int64_t>(query.conditions[0].parameters[0])));
      parent_known = found;
    }
    TG_TRY_ASSIGN(page, loadPage(session, resource, query));
    more = page.size() > limit;
    page.resize(std::min(page.size(), limit));
    if (resource.decorate) {
      TG_TRY(resource.decorate(backend, session, page));
    }
    return page;
  }));
  if (!parent_known) {
    return notFound("there is no such " + resource.parent_noun);
  }
  return pageResponse(items, more ? nextCursor(order, call.query("sort"), items.back()) : "");
}

Outcome<http::Response> read(Backend& backend, const Resource& resource, const Call& call) {
  TG_PASS_ASSIGN(parent, parentOf(resource, call));
  TG_PASS_ASSIGN(id, call.id(resource.id_parameter));
  TG_PASS_ASSIGN(found, backend.pool.use<std::optional<Json>>([&](sql::Session& session) { return loadOne(session, resource, id); }));
  if (!found || (parent != 0 && integerOf(*found, resource.parent_column) != parent)) {
    return notFound("there is no " + resource.noun + " " + std::to_string(id));
  }
  TG_PASS_ASSIGN(document, decorated(backend, resource, std::move(*found)));
  auto response = jsonResponse(200, document);
  response.headers["ETag"] = etag(document);
  return response;
}

Outcome<http::Response> write(Backend& backend, const Resource& resource, SaveMode mode, const Call& call) {
  SaveRequest request;
  request.mode = mode;
  TG_PASS_ASSIGN(parent, parentOf(resource, call));
  request.parent_id = parent;
  if (mode != SaveMode::kPost) {
    TG_PASS_ASSIGN(id, call.id(resource.id_parameter));
    request.id = id;
  }
  request.body = call.body;
  request.author = call.author;
  request.preconditions = {call.header("if-match"), call.header("if-none-match")};
  TG_PASS_ASSIGN(saved, save(backend, resource, request));
  TG_PASS_ASSIGN(document, decorated(backend, resource, std::move(saved.document)));
  auto response = jsonResponse(saved.created ? 201 : 200, document);
  response.headers["ETag"] = etag(document);
  if (saved.created) {
    response.headers["Location"] = itemPath(resource, parent, integerOf(document, "id"));
  }
  return response;
}

Outcome<http::Response> remove(Backend& backend, const Resource& resource, const Call& call) {
  TG_PASS_ASSIGN(parent, parentOf(resource, call));
  TG_PASS_ASSIGN(id, call.id(resource.id_parameter));
  TG_PASS(erase(backend, resource, parent, id, {call.header("if-match"), ""}, call.author));
  return noContent();
}

std::vector<QueryParameter> listQuery(const Resource& resource) {
  std::vector<QueryParameter> query = {limitParameter(), cursorParameter()};
  Json orders = Json::array({"id", "-id"});
  for (const auto& field : resource.fields) {
    if (field.filter) {
      auto schema = fieldSchema(field);
      schema.erase("default");
      schema.erase("description");
      query.push_back({field.name, std::move(schema), "Only rows with this " + field.name + "."});
    }
    if (field.sort) {
      orders.push_back(field.name);
      orders.push_back("-" + field.name);
    }
  }
  query.push_back({"sort", {{"type", "string"}, {"enum", orders}}, "The order; - before the name sorts in descending order."});
  return query;
}

}  // namespace

std::vector<Operation> operationsOf(const Resource& resource, Backend& backend) {
  const auto item = resource.path + "/{" + resource.id_parameter + "}";
  const auto& tag = resource.parent_noun.empty() ? resource.noun : resource.parent_noun;
  const auto make = [&](const char* method, const std::string& pattern, const char* verb) {
    Operation operation{
        .method = method, .pattern = pattern, .id = verb + resource.name, .tag = tag, .summary = std::string(verb) + " " + resource.noun};
    operation.response_schema = resource.name;
    return operation;
  };
  const auto bind = [&backend, &resource](SaveMode mode) {
    return [&backend, &resource, mode](const Call& call) { return write(backend, resource, mode, call); };
  };
  auto listing = make("GET", resource.path, "list");
  listing.is_page = true;
  listing.query = listQuery(resource);
  listing.answer = [&backend, &resource](const Call& call) { return list(backend, resource, call); };
  auto creating = make("POST", resource.path, "create");
  creating.request_schema = resource.name;
  creating.success = 201;
  creating.answer = bind(SaveMode::kPost);
  auto reading = make("GET", item, "read");
  reading.answer = [&backend, &resource](const Call& call) { return read(backend, resource, call); };
  auto putting = make("PUT", item, "put");
  putting.request_schema = resource.name;
  putting.also_created = true;
  putting.headers = {"If-Match", "If-None-Match"};
  putting.answer = bind(SaveMode::kPut);
  auto patching = make("PATCH", item, "patch");
  patching.request_schema = resource.name + "Patch";
  patching.headers = {"If-Match"};
  patching.answer = bind(SaveMode::kPatch);
  auto deleting = make("DELETE", item, "delete");
  deleting.response_schema = "";
  deleting.success = 204;
  deleting.headers = {"If-Match"};
  deleting.answer = [&backend, &resource](const Call& call) { return remove(backend, resource, call); };
  return {listing, creating, reading, putting, patching, deleting};
}

}  // namespace tollgate::admin_api
