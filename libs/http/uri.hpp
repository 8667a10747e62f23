// Percent encoding and query strings (RFC 3986). Any thread.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::http {

// nullopt for a broken escape and for an encoded NUL. `is_plus_space`: + stands for a space, as in query strings.
[[nodiscard]] std::optional<std::string> percentDecode(std::string_view text, bool is_plus_space);
// The decoded segments of "/v1/trunks/a%2Fb": v1, trunks, a/b. nullopt when an escape is broken or the path does not begin with '/'.
[[nodiscard]] std::optional<std::vector<std::string>> splitPath(std::string_view raw_path);
// "a=1&b=x+y". When a name is given twice, the last value counts. nullopt when an escape is broken.
[[nodiscard]] std::optional<std::map<std::string, std::string>> parseQuery(std::string_view raw_query);

}  // namespace tollgate::http
