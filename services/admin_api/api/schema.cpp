// JSON Schema of declared fields, for the OpenAPI document.
#include "services/admin_api/api/field.hpp"

namespace tollgate::admin_api {
namespace {

Json typeOf(const Field& field, const char* type) {
  return field.nullable ? Json::array({type, "null"}) : Json(type);
}

}  // namespace

Json fieldSchema(const Field& field) {
  Json schema = Json::object();
  switch (field.kind) {
    case Kind::kText:
      schema["type"] = typeOf(field, "string");
      if (field.choices.empty()) {
        schema["minLength"] = field.low;
        schema["maxLength"] = field.high;
      } else {
        schema["enum"] = field.choices;
      }
      break;
    case Kind::kInteger:
      schema["type"] = typeOf(field, "integer");
      schema["minimum"] = field.low;
      schema["maximum"] = field.high;
      break;
    case Kind::kFlag:
      schema["type"] = typeOf(field, "boolean");
      break;
    case Kind::kMoney:
      schema["type"] = typeOf(field, "string");
      schema["pattern"] = "^-?[0-9]+(\\.[0-9]{1,6})?$";
      break;
    case Kind::kTime:
      schema["type"] = typeOf(field, "string");
      schema["format"] = "date-time";
      break;
    case Kind::kWords:
      schema["type"] = "array";
      schema["items"] = {{"type", "string"}, {"enum", field.choices}};
      schema["minItems"] = 1;
      schema["uniqueItems"] = true;
      break;
  }
  if (!field.required && !(field.fallback.is_null() && !field.nullable)) {
    schema["default"] = field.fallback;
  }
  auto help = field.help;
  if (field.fixed) {
    help += help.empty() ? "Fixed at creation." : " Fixed at creation.";
  }
  if (!field.rule.empty()) {
    help += (help.empty() ? "" : " ") + ("(REQUIREMENTS " + field.rule + ")");
  }
  if (!help.empty()) {
    schema["description"] = help;
  }
  return schema;
}

Json inputSchema(const std::vector<Field>& fields) {
  Json schema = {{"type", "object"}, {"additionalProperties", false}, {"properties", Json::object()}};
  for (const auto& field : fields) {
    schema["properties"][field.name] = fieldSchema(field);
    if (field.required) {
      schema["required"].push_back(field.name);
    }
  }
  return schema;
}

Json shownSchema(const std::vector<Field>& fields) {
  Json schema = {{"type", "object"}, {"properties", Json::object()}};
  for (const auto& field : fields) {
    auto property = fieldSchema(field);
    for (const auto* bound : {"minimum", "maximum", "minLength", "maxLength", "default"}) {
      property.erase(bound);
    }
    schema["properties"][field.name] = std::move(property);
  }
  return schema;
}

}  // namespace tollgate::admin_api
