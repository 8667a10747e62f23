// Patterns like /v1/trunks/{id} and their handlers. Built before the server starts; afterwards only read, by any thread.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "libs/http/server.hpp"

namespace tollgate::http {

struct Route {
  std::string method;
  std::string pattern;
  std::vector<std::string> segments;  // "{id}" matches any one segment that is not empty
  Handler handler;
};

struct Match {
  const Route* route = nullptr;                   // nullptr: no handler for the method
  std::map<std::string, std::string> parameters;  // of the route
  std::set<std::string> allowed;                  // methods of the path, when it is known; HEAD goes with GET
};

class Router {
 public:
  void add(std::string method, std::string pattern, Handler handler);
  // A literal segment wins over a parameter: /v1/calls/live before /v1/calls/{id}.
  [[nodiscard]] Match find(std::string_view method, const std::vector<std::string>& segments) const;
  [[nodiscard]] std::vector<std::string> list() const;

 private:
  std::vector<Route> routes_;
};

}  // namespace tollgate::http
