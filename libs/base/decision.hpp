// What every decision about a call has: a refusal, when it is one, and a trace of what was checked. Pure values; any thread.
#pragma once

#include <string>

#include "libs/base/reason.hpp"

namespace tollgate::base {

// A refusal is a normal result, not an Error. The detail is for the operator and names what was checked.
struct Refusal {
  Reason reason = Reason::kUnspecified;
  std::string detail;
};

// One line of the decision trace (REQUIREMENTS 10.3).
struct TraceStep {
  std::string stage;  // auth, routing, billing, ingress
  std::string check;  // what was checked: source_row, tech_prefix, dialpeer, rule, candidate, credit, ...
  std::string found;  // what was found, in words for an operator
  bool passed = false;
};

}  // namespace tollgate::base
