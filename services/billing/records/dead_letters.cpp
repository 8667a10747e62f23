#include "services/billing/records/dead_letters.hpp"

#include <future>
#include <memory>

#include "libs/base/clock.hpp"
#include "libs/telemetry/log.hpp"
#include "services/billing/wire.hpp"

namespace tollgate::billing {

namespace {

constexpr std::size_t kQueueMax = 100;
constexpr std::size_t kAuthorMax = 128;
constexpr std::chrono::seconds kCountEvery{5};
constexpr std::chrono::milliseconds kAckTimeout{700};  // an operator waits for the reply

struct Letter {
  std::string subject;
  std::string data;
  std::optional<base::WallTime> replayed_at;
  std::string replayed_by;
};

base::Result<Letter> readLetter(sql::Session& session, std::int64_t id) {
  TG_TRY_ASSIGN(rows, session.query("SELECT subject, UNHEX(data_hex), replayed_at, replayed_by FROM dead_letters WHERE id = ?", {id}));
  if (rows.empty()) {
    return base::fail(base::ErrorCode::kNotFound, "there is no dead letter " + std::to_string(id));
  }
  const sql::Row& row = rows.front();
  Letter letter;
  letter.subject = row.text(0);
  letter.data = row.text(1);
  if (!row.isNull(2)) {
    TG_TRY_ASSIGN(at, sql::toTime(row.value(2)));
    letter.replayed_at = at;
  }
  letter.replayed_by = row.text(3);
  return letter;
}

}  // namespace

DeadLetters::DeadLetters(sql::Pool& pool, bus::Connection& connection, BillingMetrics& metrics)
    : pool_(pool), metrics_(metrics), publisher_(connection, kAckTimeout) {}

void DeadLetters::start() {
  worker_.start("dead_letters", [this] { run(); });
}

void DeadLetters::stop() {
  worker_.stop();
  const std::lock_guard lock(mutex_);
  tasks_.clear();  // a responder that is destroyed without an answer sends an error
}

void DeadLetters::replay(const v1::ReplayDeadLetterRequest& request, bus::Responder<v1::ReplayDeadLetterReply> responder) {
  if (request.author().empty() || request.author().size() > kAuthorMax) {
    responder.fail({base::ErrorCode::kInvalid, "author: must be 1 to 128 characters"});
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (tasks_.size() >= kQueueMax) {
      responder.fail({base::ErrorCode::kOverLimit, "too many dead letters are being replayed"});
      return;
    }
    tasks_.push_back({request, std::move(responder)});
  }
  worker_.wake();
}

void DeadLetters::run() {
  do {
    runTasks();
    count();
  } while (worker_.waitFor(kCountEvery));
}

void DeadLetters::runTasks() {
  while (!worker_.isStopping()) {
    std::optional<Task> task;
    {
      const std::lock_guard lock(mutex_);
      if (tasks_.empty()) {
        return;
      }
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    auto reply = replayNow(task->request);
    if (reply) {
      task->responder.reply(*reply);
    } else {
      telemetry::warn("dead letter not replayed", {{"id", task->request.id()}, {"error", reply.error().message}});
      task->responder.fail(reply.error());
    }
  }
}

void DeadLetters::count() {
  const auto waiting = pool_.use<sql::Rows>(
      [](sql::Session& session) { return session.query("SELECT COUNT(*) FROM dead_letters WHERE replayed_at IS NULL", {}); });
  if (waiting && !waiting->empty()) {
    metrics_.dead_letters_waiting.set(static_cast<double>(waiting->front().integer(0)));
  }
}

// First the stream has the record, then the letter is marked. If the mark fails the operator repeats: within its duplicate window the
// stream takes the record once, and later the record is written once because every record is.
base::Result<v1::ReplayDeadLetterReply> DeadLetters::replayNow(const v1::ReplayDeadLetterRequest& request) {
  const std::int64_t id = request.id();
  TG_TRY_ASSIGN(letter, pool_.use<Letter>([id](sql::Session& session) { return readLetter(session, id); }));
  v1::ReplayDeadLetterReply reply;
  if (letter.replayed_at) {
    reply.set_existed(true);
    *reply.mutable_replayed_at() = wire::toWire(*letter.replayed_at);
    reply.set_replayed_by(letter.replayed_by);
    return reply;
  }
  TG_TRY_ASSIGN(sequence, publish(id, letter.subject, letter.data));
  const base::WallTime now = base::SystemClock().wall();
  TG_TRY(pool_.use<std::uint64_t>([&](sql::Session& session) {
    return session.execute("UPDATE dead_letters SET replayed_at = ?, replayed_by = ? WHERE id = ? AND replayed_at IS NULL",
                           {sql::fromTime(now), request.author(), id});
  }));
  telemetry::info("dead letter replayed",
                  {{"id", id}, {"author", request.author()}, {"stream_sequence", static_cast<std::int64_t>(sequence)}});
  *reply.mutable_replayed_at() = wire::toWire(now);
  reply.set_replayed_by(request.author());
  return reply;
}

// The message id is a new one: under that of the record the stream would take it for a duplicate.
base::Result<std::uint64_t> DeadLetters::publish(std::int64_t id, const std::string& subject, const std::string& data) {
  // Shared with the completion, which may come after the wait has been given up.
  auto promise = std::make_shared<std::promise<base::Result<std::uint64_t>>>();
  auto stored = promise->get_future();
  publisher_.publish(subject, "dead-letter." + std::to_string(id), data,
                     [promise](base::Result<std::uint64_t> sequence) { promise->set_value(std::move(sequence)); });
  return stored.get();  // completes by the time-out of the publisher
}

}  // namespace tollgate::billing
