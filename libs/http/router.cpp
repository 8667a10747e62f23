#include "libs/http/router.hpp"

#include <utility>

#include "libs/base/assert.hpp"
#include "libs/http/uri.hpp"

namespace tollgate::http {

namespace {

bool isParameter(std::string_view segment) {
  return segment.size() > 2 && segment.front() == '{' && segment.back() == '}';
}

bool matches(const Route& route, const std::vector<std::string>& segments) {
  if (route.segments.size() != segments.size()) {
    return false;
  }
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool is_match = isParameter(route.segments[i]) ? !segments[i].empty() : route.segments[i] == segments[i];
    if (!is_match) {
      return false;
    }
  }
  return true;
}

// True when `left` is literal at the first segment where the two differ in kind.
bool isMoreLiteral(const Route& left, const Route& right) {
  for (std::size_t i = 0; i < left.segments.size(); ++i) {
    const bool left_parameter = isParameter(left.segments[i]);
    if (left_parameter != isParameter(right.segments[i])) {
      return !left_parameter;
    }
  }
  return false;
}

}  // namespace

void Router::add(std::string method, std::string pattern, Handler handler) {
  auto segments = splitPath(pattern);
  TG_ASSERT(segments.has_value());
  routes_.push_back({std::move(method), std::move(pattern), std::move(*segments), std::move(handler)});
}

Match Router::find(std::string_view method, const std::vector<std::string>& segments) const {
  Match match;
  const Route* most_literal = nullptr;
  std::vector<const Route*> candidates;
  for (const Route& route : routes_) {
    if (matches(route, segments)) {
      candidates.push_back(&route);
      most_literal = most_literal == nullptr || isMoreLiteral(route, *most_literal) ? &route : most_literal;
    }
  }
  const std::string_view wanted = method == "HEAD" ? "GET" : method;
  for (const Route* route : candidates) {
    if (isMoreLiteral(*most_literal, *route)) {
      continue;
    }
    match.allowed.insert(route->method);
    if (route->method == "GET") {
      match.allowed.insert("HEAD");
    }
    if (route->method == wanted && match.route == nullptr) {
      match.route = route;
    }
  }
  if (!match.allowed.empty()) {
    match.allowed.insert("OPTIONS");
  }
  if (match.route != nullptr) {
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::string& name = match.route->segments[i];
      if (isParameter(name)) {
        match.parameters[name.substr(1, name.size() - 2)] = segments[i];
      }
    }
  }
  return match;
}

std::vector<std::string> Router::list() const {
  std::vector<std::string> lines;
  for (const Route& route : routes_) {
    lines.push_back(route.method + " " + route.pattern);
  }
  return lines;
}

}  // namespace tollgate::http
