// HTTP/1.1 server for JSON APIs and the operations endpoints; no TLS, that is the proxy's. Handlers run on a bounded pool of worker
// threads and may block there. A body over the limit is refused by its Content-Length before it is read (413), one without a length (411)
// or with two interpretations (400) likewise, and the connection is closed. Wrong requests are answered with problem documents.
#pragma once

#include <chrono>
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
  std::string remote_address;
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
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free one, see Server::port()
  std::size_t threads = 4;
  std::size_t queue_max = 256;  // beyond: 503 at once
  std::size_t body_bytes_max = 1U << 20U;
  std::size_t connections_max = 256;              // beyond: 503 and closed
  std::chrono::milliseconds head_timeout{10000};  // a head or a body that takes longer to arrive: 408
  std::chrono::milliseconds body_timeout{10000};
  std::chrono::milliseconds idle_timeout{60000};  // a connection without a request is closed
};

// What became of one request, for metrics. `pattern` is "" when no route was found or looked for; then `method` may be "" too.
struct Observation {
  std::string_view method;
  std::string_view pattern;
  int status = 0;
  std::chrono::microseconds duration{0};  // from the request's arrival to the answer; 0 for what was refused unread
};

// 415 unless the request says its body is application/json (or a +json type). For handlers that take a body.
[[nodiscard]] std::optional<Response> requireJson(const Request& request);

using Handler = std::function<Response(const Request&)>;

class Server {
 public:
  explicit Server(ServerSettings settings);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Pattern: "/v1/trunks/{id}". Before start() only. An unknown path answers 404, a known one with another method 405 with Allow.
  void route(std::string method, std::string pattern, Handler handler);
  // Told of every answer, on the thread that made it; must not block. Before start() only.
  void observe(std::function<void(const Observation&)> observer);
  // Runs before every handler (not for 404, 405 and OPTIONS); a response it returns ends the request (authentication).
  void before(std::function<std::optional<Response>(Request&)> filter);
  // The routes as "GET /v1/trunks/{id}", for the test that checks the OpenAPI document against them.
  [[nodiscard]] std::vector<std::string> routes() const;

  [[nodiscard]] base::Result<void> start();  // kUnavailable: the port is taken (said by name)
  [[nodiscard]] std::uint16_t port() const;  // the port listened on, after start()
  void stop();                               // finishes what runs; also done by the destructor

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::http
