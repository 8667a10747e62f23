// The dial plan of countries (ITU-T E.164 country codes, with the NANP area codes of each country of zone 1): gives a label to a rule
// that has none (REQUIREMENTS 3.5). Any thread.
#pragma once

#include <string>
#include <string_view>

namespace tollgate::admin_api {

// "374" and "37499" -> "Armenia"; "" -> "any"; "37" (a part of several codes) -> "several countries"; "210" (no country's) -> "unassigned".
[[nodiscard]] std::string dialPlanLabel(std::string_view code);

}  // namespace tollgate::admin_api
