#include "services/admin_api/resources/dial_plan.hpp"

#include <algorithm>
#include <vector>

#include "libs/base/assert.hpp"
#include "services/admin_api/resources/dial_plan_text.hpp"

namespace tollgate::admin_api {
namespace {

struct Entry {
  std::string_view code;
  std::string_view country;
};

// dial_plan.csv travels inside the program; its lines are code,country in the order of the codes as text, so that what starts with a code
// stands after it.
const std::vector<Entry>& plan() {
  static const std::vector<Entry> entries = [] {
    std::vector<Entry> read;
    std::string_view rest = dial_plan_text::kDialPlan;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      const auto comma = line.find(',');
      TG_ASSERT(comma != std::string_view::npos);
      read.push_back({line.substr(0, comma), line.substr(comma + 1)});
      TG_ASSERT(read.size() == 1 || read[read.size() - 2].code < read.back().code);
    }
    return read;
  }();
  return entries;
}

}  // namespace

std::string dialPlanLabel(std::string_view code) {
  if (code.empty()) {
    return "any";
  }
  for (auto length = code.size(); length > 0; --length) {
    const auto part = code.substr(0, length);
    const auto found =
        std::lower_bound(plan().begin(), plan().end(), part, [](const Entry& entry, std::string_view text) { return entry.code < text; });
    if (found != plan().end() && found->code == part) {
      return std::string(found->country);
    }
    if (length == code.size() && found != plan().end() && found->code.starts_with(part)) {
      return "several countries";  // shorter than any country's code
    }
  }
  return "unassigned";
}

}  // namespace tollgate::admin_api
