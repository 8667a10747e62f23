#include "libs/redis/client.hpp"

#include <array>
#include <future>
#include <iterator>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include <openssl/evp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "libs/base/assert.hpp"
#include "libs/base/handle.hpp"
#include "libs/base/text.hpp"
#include "libs/redis/session.hpp"

namespace tollgate::redis {
namespace {

constexpr std::size_t kSha1Bytes = 20;

std::string sha1Of(const std::string& text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  TG_ASSERT(EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1 && size == kSha1Bytes);
  return base::hex({reinterpret_cast<const char*>(digest.data()), size});
}

}  // namespace

Script::Script(std::string source) : source_(std::move(source)), sha1_(sha1Of(source_)) {}

ClientMetrics::ClientMetrics(telemetry::Metrics& metrics, std::string_view service)
    : connects(metrics.counter("tollgate_" + std::string(service) + "_redis_connects_total", "connections made to Redis")),
      timeouts(metrics.counter("tollgate_" + std::string(service) + "_redis_timeouts_total", "Redis commands without a reply in time")),
      refused(metrics.counter("tollgate_" + std::string(service) + "_redis_refused_total",
                              "Redis commands refused because the client was not connected or too many were pending")) {}

struct Client::State {
  // Passed in.
  const ClientSettings settings;
  const std::vector<Script> scripts;
  const std::optional<ClientMetrics> metrics;

  // Owned.
  base::Handle epoll{epoll_create1(EPOLL_CLOEXEC)};
  base::Handle wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Session session{settings, scripts, metrics, epoll.value()};
  std::mutex mutex;
  std::vector<Command> queue;                                                   // guarded by mutex
  std::unordered_map<std::string, std::shared_ptr<const std::string>> sources;  // by SHA-1; guarded by mutex
  std::jthread thread;

  State(ClientSettings the_settings, std::vector<Script> the_scripts, std::optional<ClientMetrics> the_metrics)
      : settings(std::move(the_settings)), scripts(std::move(the_scripts)), metrics(the_metrics) {}

  void enqueue(std::vector<Command> commands);
  void loop(const std::stop_token& stop_token);
  void stop();
  void kick() const;
  [[nodiscard]] base::Result<Reply> await(const std::function<void(Done)>& begin) const;
  [[nodiscard]] std::shared_ptr<const std::string> sourceOf(const Script& script);
  [[nodiscard]] Command make(std::vector<std::string> words, Done done) const {
    return {std::move(words), std::move(done), std::chrono::steady_clock::now() + settings.command_timeout, nullptr};
  }
};

void Client::State::kick() const {
  const std::uint64_t one = 1;
  static_cast<void>(::write(wake.value(), &one, sizeof one));
}

void Client::State::enqueue(std::vector<Command> commands) {
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex);
    was_empty = queue.empty();
    for (auto& command : commands) {
      if (session.pending.fetch_add(1, std::memory_order_relaxed) >= settings.pending_max) {
        command.words.clear();  // refused; queued so that it completes on the client's thread
      }
      queue.push_back(std::move(command));
    }
  }
  if (was_empty) {
    kick();
  }
}

void Client::State::loop(const std::stop_token& stop_token) {
  std::vector<Command> taken;
  for (bool run = true; run;) {
    taken.clear();
    {
      const std::lock_guard lock(mutex);
      taken.swap(queue);
      run = !stop_token.stop_requested();
    }
    for (auto& command : taken) {
      if (command.words.empty()) {
        session.refuse(command.done, {base::ErrorCode::kOverLimit, "too many commands are waiting for Redis"});
      } else if (!run) {
        session.complete(command.done, base::fail(base::ErrorCode::kUnavailable, "the Redis client is being closed"));
      } else {
        session.submit(std::move(command));
      }
    }
    if (!taken.empty()) {
      session.flush();
    }
    const Time now = std::chrono::steady_clock::now();
    session.tick(now);
    session.arm();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(session.nextTick() - std::chrono::steady_clock::now()).count();
    std::array<epoll_event, 2> events{};
    const int count = run ? epoll_wait(epoll.value(), events.data(), events.size(), static_cast<int>(std::clamp<long>(wait, 0, 1000))) : 0;
    for (int i = 0; i < count; ++i) {
      const auto& event = events[static_cast<std::size_t>(i)];
      if (event.data.fd == wake.value()) {
        std::uint64_t drained = 0;
        static_cast<void>(::read(wake.value(), &drained, sizeof drained));
      } else {
        session.onEvents(event.events);
      }
    }
  }
  session.close("the Redis client is being closed");
}

void Client::State::stop() {
  thread.request_stop();
  kick();
  thread.join();
  // No thread may call the client any more. Commands that completions queued meanwhile are completed here.
  for (auto& command : queue) {
    session.complete(command.done, base::fail(base::ErrorCode::kUnavailable, "the Redis client is being closed"));
  }
}

std::shared_ptr<const std::string> Client::State::sourceOf(const Script& script) {
  const std::lock_guard lock(mutex);
  auto& source = sources[script.sha1()];
  if (!source) {
    source = std::make_shared<const std::string>(script.source());
  }
  return source;
}

Client::Client(ClientSettings settings, std::vector<Script> scripts, std::optional<ClientMetrics> metrics)
    : state_(std::make_unique<State>(std::move(settings), std::move(scripts), metrics)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = state_->wake.value();
  TG_ASSERT(state_->epoll.isOpen() && state_->wake.isOpen());
  TG_ASSERT(epoll_ctl(state_->epoll.value(), EPOLL_CTL_ADD, state_->wake.value(), &event) == 0);
  state_->thread = std::jthread([state = state_.get()](const std::stop_token& stop_token) { state->loop(stop_token); });
}

Client::~Client() {
  state_->stop();
}

bool Client::isConnected() const {
  return state_->session.isReady();
}

void Client::command(std::vector<std::string> words, Done done) {
  TG_ASSERT(!words.empty());
  std::vector<Command> one;
  one.push_back(state_->make(std::move(words), std::move(done)));
  state_->enqueue(std::move(one));
}

void Client::commands(std::vector<Call> calls) {
  std::vector<Command> all;
  all.reserve(calls.size());
  for (auto& call : calls) {
    TG_ASSERT(!call.words.empty());
    all.push_back(state_->make(std::move(call.words), std::move(call.done)));
  }
  state_->enqueue(std::move(all));
}

void Client::run(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments, Done done) {
  std::vector<std::string> words;
  words.reserve(3 + keys.size() + arguments.size());
  words.emplace_back("EVALSHA");
  words.push_back(script.sha1());
  words.push_back(std::to_string(keys.size()));
  std::move(keys.begin(), keys.end(), std::back_inserter(words));
  std::move(arguments.begin(), arguments.end(), std::back_inserter(words));
  std::vector<Command> one;
  one.push_back(state_->make(std::move(words), std::move(done)));
  one.back().source = state_->sourceOf(script);
  state_->enqueue(std::move(one));
}

// Begins a command with a completion, and blocks until that was called.
base::Result<Reply> Client::State::await(const std::function<void(Done)>& begin) const {
  TG_ASSERT(std::this_thread::get_id() != thread.get_id());
  // Shared with the completion, which may still run when this function returns.
  auto promise = std::make_shared<std::promise<base::Result<Reply>>>();
  auto future = promise->get_future();
  begin([promise](base::Result<Reply> result) { promise->set_value(std::move(result)); });
  return future.get();
}

base::Result<Reply> Client::wait(std::vector<std::string> words) {
  return state_->await([&](Done done) { command(std::move(words), std::move(done)); });
}

base::Result<Reply> Client::waitRun(const Script& script, std::vector<std::string> keys, std::vector<std::string> arguments) {
  return state_->await([&](Done done) { run(script, std::move(keys), std::move(arguments), std::move(done)); });
}

}  // namespace tollgate::redis
