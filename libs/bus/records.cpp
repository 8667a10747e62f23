#include "libs/bus/records.hpp"

#include <charconv>
#include <optional>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "libs/bus/connection_state.hpp"
#include "libs/bus/reply_inbox.hpp"

namespace tollgate::bus {
namespace {

// {"stream":"CALL_EVENTS", "seq":42} or with "duplicate": true, or {"error":{...}}. The first form needs no parser.
std::optional<std::uint64_t> readPlainAck(std::string_view data) {
  constexpr std::string_view kStart = R"({"stream":"CALL_EVENTS", "seq":)";
  if (!data.starts_with(kStart)) {
    return std::nullopt;
  }
  std::uint64_t sequence = 0;
  const auto [end, error] = std::from_chars(data.data() + kStart.size(), data.data() + data.size(), sequence);
  if (error != std::errc{} || end == data.data() + data.size() || (*end != '}' && *end != ',')) {
    return std::nullopt;
  }
  return sequence;
}

base::Result<std::uint64_t> readAck(std::string_view data) {
  if (const auto sequence = readPlainAck(data)) {
    return *sequence;
  }
  const auto ack = nlohmann::json::parse(data, nullptr, false);
  if (!ack.is_object()) {
    return base::fail(base::ErrorCode::kInternal, "unreadable acknowledgement of a record");
  }
  if (const auto error = ack.find("error"); error != ack.end()) {
    const std::string text = error->is_object() ? error->value("description", std::string("no description")) : "no description";
    return base::fail(base::ErrorCode::kUnavailable, "the stream refuses the record: " + text);
  }
  const auto sequence = ack.find("seq");
  if (sequence == ack.end() || !sequence->is_number_unsigned()) {
    return base::fail(base::ErrorCode::kInternal, "acknowledgement of a record without a sequence");
  }
  return sequence->get<std::uint64_t>();
}

}  // namespace

struct RecordPublisher::State {
  // Passed in.
  Connection& connection;
  std::chrono::milliseconds ack_timeout;

  // Owned.
  std::shared_ptr<ReplyInbox> inbox;
};

RecordPublisher::RecordPublisher(Connection& connection, std::chrono::milliseconds ack_timeout)
    : state_(std::make_unique<State>(State{connection, ack_timeout, ReplyInbox::make(connection)})) {}

RecordPublisher::~RecordPublisher() {
  state_->inbox->close();
}

void RecordPublisher::publish(std::string_view subject, std::string_view message_id, std::string_view data,
                              std::function<void(base::Result<std::uint64_t> stream_sequence)> done) {
  if (!state_->connection.isConnected()) {  // not into the reconnect buffer: nobody would wait for the acknowledgement
    done(base::fail(base::ErrorCode::kUnavailable, "not connected to the bus"));
    return;
  }
  const auto deadline = std::chrono::steady_clock::now() + state_->ack_timeout;
  const std::uint64_t id = state_->inbox->expect(deadline, [done = std::move(done)](base::Result<std::string_view> reply) {
    if (reply) {
      done(readAck(*reply));
    } else {
      done(tl::unexpected(std::move(reply.error())));
    }
  });
  const auto published = state_->connection.publishRecord(subject, state_->inbox->subjectFor(id), message_id, data);
  if (!published) {
    state_->inbox->fail(id, published.error());
  }
}

}  // namespace tollgate::bus
