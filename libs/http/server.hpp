// HTTP/1.1 server for JSON APIs, on loopback only: nginx stands in front of it (deploy/nginx) and passes on whole, well-formed requests
// within its limits. start() and stop(): owner's thread. Handlers, the filter and the observer run on the server's worker threads, several
// at a time, and may block. Owns the listener, the workers and the routes. Requests that cannot be served are answered with problem
// documents (RFC 9457).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::http {

struct Request {
  std::string method;  // GET, PUT, ...
  std::string path;    // decoded, without query
  std::map<std::string, std::string> query;
  std::map<std::string, std::string> parameters;  // from {name} in the route's pattern
  std::map<std::string, std::string> headers;     // names in lower case
  std::string body;
  std::string remote_address;  // of the client, as nginx names it in X-Real-IP beside the proxy_secret; else of the peer
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::map<std::string, std::string> headers;
};

// RFC 9457 problem document. `field` names the input field ("sources[1].host"), `rule` the rule it breaks; both may be empty.
[[nodiscard]] Response problem(int status, std::string_view title, std::string_view detail, std::string_view field = {},
                               std::string_view rule = {});

struct ServerSettings {
  std::uint16_t port = 0;  // on 127.0.0.1; 0 = any free one, see Server::port()
  std::size_t threads = 4;
  std::size_t queue_max = 256;             // requests that wait for a worker; a further one is answered 503
  std::size_t body_bytes_max = 1U << 20U;  // a longer body is answered 413
  // X-Real-IP is believed only of requests that carry this in X-Proxy-Secret, which no handler sees; empty = never.
  std::string proxy_secret;
};

// What became of one request, for metrics. `pattern` is empty when no route was found.
struct Observation {
  std::string_view method;
  std::string_view pattern;
  int status = 0;
};

using Handler = std::function<Response(const Request&)>;

class Server {
 public:
  explicit Server(ServerSettings settings);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // `pattern` is like "/v1/trunks/{id}". An unknown path answers 404, a known one with another method 405 with Allow.
  // Requires: before start().
  void route(std::string method, std::string pattern, Handler handler);
  // `observer` is called after every answer and must not block. Requires: before start().
  void observe(std::function<void(const Observation&)> observer);
  // `filter` runs before every handler (not for 404, 405 and OPTIONS); a response that it returns ends the request, so that it can check
  // credentials. Requires: before start().
  void before(std::function<std::optional<Response>(Request&)> filter);
  // The routes as "GET /v1/trunks/{id}", for the test that compares them with the OpenAPI document.
  [[nodiscard]] std::vector<std::string> routes() const;

  // Errors: kUnavailable, naming the port, when it cannot listen there.
  [[nodiscard]] base::Result<void> start();
  [[nodiscard]] std::uint16_t port() const;  // the port listened on, after start()
  void stop();                               // waits for the handlers that run; the destructor does the same

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::http
