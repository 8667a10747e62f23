#include "services/admin_api/operations/listing.hpp"

namespace tollgate::admin_api {

Outcome<http::Response> listRows(Backend& backend, const Call& call, const Listing& listing, std::vector<Condition> conditions) {
  TG_PASS_ASSIGN(limit, call.limit());
  TG_PASS_ASSIGN(last, call.cursor());
  if (!last.is_null()) {
    const auto* key = findField(listing.fields, listing.key);
    const bool fits = key->kind == Kind::kInteger ? last.is_number_integer() : last.is_string();
    if (!fits) {
      return refuse(400, "does not belong to this list", "cursor", "11.1");
    }
    conditions.push_back({listing.key + " < ?", {toSql(*key, last)}});
  }
  const PageQuery query{std::move(conditions), listing.key + " DESC", limit + 1};
  TG_PASS_ASSIGN(rows, backend.pool.use<sql::Rows>(
                           [&](sql::Session& session) { return selectPage(session, columnsOf(listing.fields), listing.table, query); }));
  std::vector<Json> items;
  for (const auto& row : rows) {
    addFromSql(listing.fields, row, 0, items.emplace_back(Json::object()));
  }
  const bool more = items.size() > limit;
  items.resize(std::min(items.size(), limit));
  return pageResponse(items, more ? encodeCursor(items.back()[listing.key]) : "");
}

}  // namespace tollgate::admin_api
