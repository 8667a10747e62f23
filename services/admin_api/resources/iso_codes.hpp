// ISO 3166 alpha-2 countries and ISO 4217 currencies, as lists. Any thread.
#pragma once

#include <string_view>

namespace tollgate::admin_api {

[[nodiscard]] bool isCountry(std::string_view code);   // GB
[[nodiscard]] bool isCurrency(std::string_view code);  // USD; funds, metals and test codes are none

}  // namespace tollgate::admin_api
