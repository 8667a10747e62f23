#include "services/admin_api/resources/resource.hpp"

#include <algorithm>

namespace tollgate::admin_api {
namespace {

// Read-only fields, which a GET shows; an input may repeat them and they are ignored.
bool isReadOnly(const Resource& resource, const std::string& name) {
  return name == "revision" || name == "created_at" || name == "updated_at" || name == resource.parent_column ||
         std::any_of(resource.shown.begin(), resource.shown.end(), [&name](const Shown& shown) { return shown.name == name; });
}

Outcome<void> refuseUnknown(const Resource& resource, const Json& body) {
  for (const auto& [name, unused] : body.items()) {
    const bool is_rows =
        std::any_of(resource.rows.begin(), resource.rows.end(), [&name = name](const RowSet& set) { return set.name == name; });
    if (name != "id" && !is_rows && findField(resource.fields, name) == nullptr && !isReadOnly(resource, name)) {
      return invalid(name, "11.1", "is not a field of a " + resource.noun);
    }
  }
  return {};
}

Outcome<void> readId(const Json& body, Json& document) {
  const auto id = body.find("id");
  if (id == body.end() || id->is_null()) {
    return {};
  }
  if (!id->is_number_integer() || id->get<std::int64_t>() < 1) {
    return invalid("id", "11.1", "must be a whole number from 1");
  }
  document["id"] = *id;
  return {};
}

bool sameRows(const RowSet& set, const Json& left, const Json& right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&set](const Json& one, const Json& other) { return sameFields(set.fields, one, other); });
}

}  // namespace

Outcome<Json> readInput(const Resource& resource, const Json& body, Completeness completeness) {
  if (!body.is_object()) {
    return refuse(422, "the body must be a JSON object", "", "11.1");
  }
  TG_PASS(refuseUnknown(resource, body));
  Json document = Json::object();
  TG_PASS(readId(body, document));
  TG_PASS(readFields(resource.fields, body, completeness, "", document));
  for (const auto& set : resource.rows) {
    const auto given = body.find(set.name);
    if (given != body.end()) {
      TG_PASS_ASSIGN(rows, readRows(set, *given));
      document[set.name] = std::move(rows);
    } else if (completeness == Completeness::kFull) {
      document[set.name] = Json::array();
    }
  }
  return document;
}

bool sameContent(const Resource& resource, const Json& left, const Json& right) {
  return sameFields(resource.fields, left, right) && std::all_of(resource.rows.begin(), resource.rows.end(), [&](const RowSet& set) {
           return sameRows(set, left.value(set.name, Json::array()), right.value(set.name, Json::array()));
         });
}

Field referenceField(const char* name, const char* rule, const char* help) {
  return {.name = name, .kind = Kind::kInteger, .rule = rule, .help = help, .nullable = true, .low = 1, .high = INT64_MAX, .filter = true};
}

const std::vector<Resource>& resources() {
  static const std::vector<Resource> kAll = {customerResource(), trunkResource(),    routingRuleResource(),
                                             dialpeerResource(), ratePlanResource(), rateResource()};
  return kAll;
}

}  // namespace tollgate::admin_api
