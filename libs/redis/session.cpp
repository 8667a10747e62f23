#include "libs/redis/session.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <sys/epoll.h>

#include "libs/telemetry/log.hpp"

namespace tollgate::redis {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds kConnectLimit = 2s;
constexpr std::chrono::milliseconds kBackoffFirst = 50ms;
constexpr std::chrono::milliseconds kBackoffMax = 1s;
constexpr std::chrono::milliseconds kPingEvery = 1s;
constexpr int kTimeoutsMax = 3;  // in a row; then the server is taken for hung and a new connection is opened

Session& sessionOf(const redisAsyncContext* context) {
  return *static_cast<Session*>(context->data);
}

Reply toReply(const redisReply& wire) {
  Reply reply;
  switch (wire.type) {
    case REDIS_REPLY_INTEGER:
      reply.kind = Reply::Kind::kInteger;
      reply.integer = wire.integer;
      break;
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:
    case REDIS_REPLY_ERROR:  // inside an array
      reply.kind = Reply::Kind::kText;
      reply.text.assign(wire.str, static_cast<std::size_t>(wire.len));
      break;
    case REDIS_REPLY_ARRAY:
      reply.kind = Reply::Kind::kArray;
      reply.elements.reserve(wire.elements);
      for (std::size_t i = 0; i < wire.elements; ++i) {
        reply.elements.push_back(toReply(*wire.element[i]));
      }
      break;
    default:
      break;
  }
  return reply;
}

// The server is running but cannot serve at the moment: it is loading, failing over or busy with a script.
bool isTemporary(std::string_view text) {
  constexpr std::array kWords = {"LOADING", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN",
                                 "BUSY ",   "NOAUTH",     "MISCONF",  "NOREPLICAS"};
  return std::any_of(kWords.begin(), kWords.end(), [&](const char* word) { return text.starts_with(word); });
}

base::Error toError(std::string_view text) {
  return {isTemporary(text) ? base::ErrorCode::kUnavailable : base::ErrorCode::kInternal, "Redis: " + std::string(text)};
}

}  // namespace

Session::Session(const ClientSettings& settings, const std::vector<Script>& scripts, const std::optional<ClientMetrics>& metrics, int epoll)
    : settings_(settings), scripts_(scripts), metrics_(metrics), epoll_(epoll) {}

Session::~Session() {
  close("the Redis client is being closed");
}

void Session::complete(const Done& done, base::Result<Reply> result) {
  pending.fetch_sub(1, std::memory_order_relaxed);
  if (done) {
    try {
      done(std::move(result));
    } catch (const std::exception& error) {
      telemetry::error("the completion of a Redis command threw an exception", {{"error", error.what()}});
    }
  }
}

void Session::refuse(const Done& done, base::Error error) {
  if (metrics_) {
    metrics_->refused.add();
  }
  complete(done, tl::unexpected(std::move(error)));
}

bool Session::write(redisCallbackFn* callback, std::uint64_t id, const std::vector<std::string>& words) {
  thread_local std::vector<const char*> texts;
  thread_local std::vector<std::size_t> sizes;
  texts.clear();
  sizes.clear();
  for (const auto& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  // hiredis hands this pointer back with the reply; it carries the number itself.
  auto* number = reinterpret_cast<void*>(static_cast<std::uintptr_t>(id));  // NOLINT(performance-no-int-to-ptr)
  return redisAsyncCommandArgv(context_, callback, number, static_cast<int>(words.size()), texts.data(), sizes.data()) == REDIS_OK;
}

void Session::submit(Command command) {
  if (phase_ != Phase::kReady || context_ == nullptr) {
    refuse(command.done, {base::ErrorCode::kUnavailable, "not connected to Redis"});
    return;
  }
  const std::uint64_t id = ++last_id_;
  if (command.words.empty() || !write(replied, id, command.words)) {
    complete(command.done, base::fail(base::ErrorCode::kInternal, "the command cannot be sent to Redis"));
    return;
  }
  deadlines_.emplace_back(command.deadline, id);
  if (!command.source) {
    command.words.clear();  // only a script may be sent again
  }
  unanswered_.emplace(id, std::move(command));
}

void Session::flush() {
  if (context_ != nullptr && phase_ == Phase::kReady) {
    redisAsyncHandleWrite(context_);
  }
}

void Session::onEvents(std::uint32_t events) {
  if (context_ != nullptr && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) {
    redisAsyncHandleRead(context_);
  }
  // Reading may have freed the context.
  if (context_ != nullptr && (events & EPOLLOUT) != 0) {
    redisAsyncHandleWrite(context_);
  }
}

void Session::onReply(std::uint64_t id, const redisReply* reply) {
  if (reply != nullptr) {
    timeouts_in_a_row_ = 0;
    ping_at_ = std::chrono::steady_clock::now() + kPingEvery;
  }
  const auto found = unanswered_.find(id);
  if (found == unanswered_.end()) {
    return;  // its deadline has passed, it is completed
  }
  if (reply == nullptr) {
    return answer(found, base::fail(base::ErrorCode::kUnavailable, "the connection to Redis was lost"));
  }
  if (reply->type != REDIS_REPLY_ERROR) {
    return answer(found, toReply(*reply));
  }
  const std::string_view text(reply->str, static_cast<std::size_t>(reply->len));
  if (found->second.source && text.starts_with("NOSCRIPT")) {
    return retryAsEval(found);
  }
  // The server became a replica: a new connection finds the new master.
  broken_ = broken_ || text.starts_with("READONLY");
  answer(found, tl::unexpected(toError(text)));
}

void Session::answer(Unanswered::iterator found, base::Result<Reply> result) {
  const Command command = std::move(found->second);
  unanswered_.erase(found);
  complete(command.done, std::move(result));
}

// The server has lost its scripts (a restart, SCRIPT FLUSH): EVAL executes the script and loads it. The deadline stays the same.
void Session::retryAsEval(Unanswered::iterator found) {
  Command& command = found->second;
  command.words[0] = "EVAL";
  command.words[1] = *command.source;
  command.source.reset();
  if (!write(replied, found->first, command.words)) {
    answer(found, base::fail(base::ErrorCode::kUnavailable, "the connection to Redis was lost"));
  }
}

void Session::connect(Time now) {
  broken_ = false;
  timeouts_in_a_row_ = 0;
  wanted_ = 0;
  armed_ = 0;
  phase_ends_ = now + kConnectLimit;
  redisAsyncContext* context = redisAsyncConnect(settings_.host.c_str(), settings_.port);
  if (context == nullptr || context->err != 0) {
    const std::string error = context == nullptr ? "out of memory" : context->errstr;
    if (context != nullptr) {
      redisAsyncFree(context);
    }
    onLost(error);
    return;
  }
  context_ = context;
  phase_ = Phase::kConnecting;
  fd_ = context->c.fd;
  context->data = this;
  context->ev.data = this;
  context->ev.addRead = [](void* self) { static_cast<Session*>(self)->want(EPOLLIN, true); };
  context->ev.delRead = [](void* self) { static_cast<Session*>(self)->want(EPOLLIN, false); };
  context->ev.addWrite = [](void* self) { static_cast<Session*>(self)->want(EPOLLOUT, true); };
  context->ev.delWrite = [](void* self) { static_cast<Session*>(self)->want(EPOLLOUT, false); };
  context->ev.cleanup = [](void* self) {
    auto& session = *static_cast<Session*>(self);
    if (session.armed_ != 0) {
      epoll_ctl(session.epoll_, EPOLL_CTL_DEL, session.fd_, nullptr);
    }
    session.fd_ = -1;
    session.armed_ = session.wanted_ = 0;
  };
  redisAsyncSetDisconnectCallback(context, disconnected);
  redisAsyncSetConnectCallback(context, connected);
}

void Session::want(std::uint32_t mask, bool on) {
  wanted_ = on ? wanted_ | mask : wanted_ & ~mask;
}

void Session::arm() {
  if (fd_ < 0 || wanted_ == armed_) {
    return;
  }
  epoll_event event{};
  event.events = wanted_;
  event.data.fd = fd_;
  epoll_ctl(epoll_, armed_ == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, fd_, &event);
  if (wanted_ == 0) {
    epoll_ctl(epoll_, EPOLL_CTL_DEL, fd_, nullptr);
  }
  armed_ = wanted_;
}

void Session::connected(const redisAsyncContext* context, int status) noexcept {
  Session& session = sessionOf(context);
  if (status == REDIS_OK) {
    session.greet();
  } else {
    session.context_ = nullptr;  // hiredis frees it
    session.onLost(context->errstr == nullptr ? "connect failed" : context->errstr);
  }
}

void Session::disconnected(const redisAsyncContext* context, int status) noexcept {
  Session& session = sessionOf(context);
  if (session.context_ == nullptr) {
    return;  // close() reports it
  }
  session.context_ = nullptr;  // hiredis frees it
  session.onLost(status == REDIS_OK || context->errstr == nullptr ? "closed" : context->errstr);
}

void Session::replied(redisAsyncContext* context, void* reply, void* id) noexcept {
  sessionOf(context).onReply(reinterpret_cast<std::uintptr_t>(id), static_cast<const redisReply*>(reply));
}

void Session::greeted(redisAsyncContext* context, void* reply, void* /*id*/) noexcept {
  sessionOf(context).onGreeting(static_cast<const redisReply*>(reply));
}

void Session::greet() {
  phase_ = Phase::kGreeting;
  std::vector<std::vector<std::string>> commands;
  if (!settings_.password.empty()) {
    commands.push_back(settings_.user.empty() ? std::vector<std::string>{"AUTH", settings_.password}
                                              : std::vector<std::string>{"AUTH", settings_.user, settings_.password});
  }
  if (settings_.database != 0) {
    commands.push_back({"SELECT", std::to_string(settings_.database)});
  }
  for (const auto& script : scripts_) {
    commands.push_back({"SCRIPT", "LOAD", script.source()});
  }
  commands.push_back({"PING"});
  greetings_left_ = commands.size();
  for (const auto& words : commands) {
    broken_ = broken_ || !write(greeted, 0, words);
  }
}

void Session::onGreeting(const redisReply* reply) {
  if (reply == nullptr) {
    return;  // the disconnect that follows reports the error
  }
  if (reply->type == REDIS_REPLY_ERROR) {
    broken_ = true;
    telemetry::warn("Redis refused to set up the connection",
                    {{"error", std::string_view(reply->str, static_cast<std::size_t>(reply->len))}});
    return;
  }
  if (--greetings_left_ == 0 && !broken_) {
    phase_ = Phase::kReady;
    backoff_ = 0ms;
    timeouts_in_a_row_ = 0;
    ping_at_ = std::chrono::steady_clock::now() + kPingEvery;
    if (metrics_) {
      metrics_->connects.add();
    }
    ready_ = true;
    telemetry::info("connected to Redis", {{"host", settings_.host}, {"port", std::int64_t{settings_.port}}});
  }
}

void Session::onLost(const std::string& error) {
  if (ready_.exchange(false) || phase_ == Phase::kGreeting || backoff_ == 0ms) {
    telemetry::warn("connection to Redis lost", {{"host", settings_.host}, {"port", std::int64_t{settings_.port}}, {"error", error}});
  }
  phase_ = Phase::kWaiting;
  backoff_ = std::clamp(backoff_ * 2, kBackoffFirst, kBackoffMax);
  phase_ends_ = std::chrono::steady_clock::now() + backoff_;
}

void Session::close(const std::string& error) {
  ready_ = false;
  if (redisAsyncContext* const context = std::exchange(context_, nullptr); context != nullptr) {
    redisAsyncFree(context);  // completes every command without a reply
    onLost(error);
  }
  // hiredis has completed all commands that it accepted.
  for (auto& [id, command] : std::exchange(unanswered_, {})) {
    complete(command.done, base::fail(base::ErrorCode::kUnavailable, error));
  }
  deadlines_.clear();
}

void Session::expire(Time now) {
  while (!deadlines_.empty()) {
    const auto [deadline, id] = deadlines_.front();
    const auto found = unanswered_.find(id);
    if (found != unanswered_.end() && deadline > now) {
      return;
    }
    deadlines_.pop_front();
    if (found != unanswered_.end()) {
      ++timeouts_in_a_row_;
      if (metrics_) {
        metrics_->timeouts.add();
      }
      answer(found, base::fail(base::ErrorCode::kTimeout, "Redis did not answer in time"));
    }
  }
}

void Session::tick(Time now) {
  expire(now);
  if (context_ != nullptr && (broken_ || timeouts_in_a_row_ >= kTimeoutsMax)) {
    close(broken_ ? "the server refused" : "the server does not answer");
  }
  switch (phase_) {
    case Phase::kWaiting:
      if (now >= phase_ends_) {
        connect(now);
      }
      break;
    case Phase::kConnecting:
    case Phase::kGreeting:
      if (now >= phase_ends_) {
        close("no answer while connecting");
      }
      break;
    case Phase::kReady:
      if (now >= ping_at_) {
        ping_at_ = now + kPingEvery;
        pending.fetch_add(1, std::memory_order_relaxed);
        submit({{"PING"}, {}, now + settings_.command_timeout, nullptr});
        flush();
      }
      break;
  }
}

Time Session::nextTick() const {
  Time next = phase_ == Phase::kReady ? ping_at_ : phase_ends_;
  if (!deadlines_.empty()) {
    next = std::min(next, deadlines_.front().first);
  }
  return broken_ ? Time{} : next;
}

}  // namespace tollgate::redis
