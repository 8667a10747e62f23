#include "libs/bus/reply_inbox.hpp"

#include <charconv>
#include <utility>

#include "libs/base/random.hpp"

namespace tollgate::bus {
namespace {

constexpr std::chrono::milliseconds kTick{10};  // the expirer wakes no more often, however many requests expire
constexpr std::size_t kInboxRandomBytes = 12;

base::Error lost() {
  return {base::ErrorCode::kUnavailable, "bus connection lost"};
}

}  // namespace

std::shared_ptr<ReplyInbox> ReplyInbox::make(Connection& connection) {
  const std::shared_ptr<ReplyInbox> inbox(new ReplyInbox());  // the constructor is private
  base::SystemRandom random;
  inbox->prefix_ = "_INBOX." + base::randomHex(random, kInboxRandomBytes) + ".";
  const std::weak_ptr<ReplyInbox> weak = inbox;
  auto subscription = connection.subscribe(inbox->prefix_ + "*", "", [weak](const Delivery& delivery) {
    if (const auto self = weak.lock()) {
      self->onDelivery(delivery);
    }
  });
  if (subscription) {
    inbox->subscription_ = std::move(*subscription);
  }
  connection.onChange([weak](bool connected) {
    const auto self = weak.lock();
    if (self && !connected) {
      self->failAll(lost());  // their replies went with the connection
    }
  });
  inbox->expirer_.start("bus_expirer", [raw = inbox.get()] { raw->expireLoop(); });
  return inbox;
}

ReplyInbox::~ReplyInbox() {
  close();
}

std::uint64_t ReplyInbox::expect(Time deadline, Done done) {
  std::uint64_t id = 0;
  bool is_wake_due = false;
  {
    const std::lock_guard lock(mutex_);
    id = ++last_id_;
    waiting_.emplace(id, std::move(done));
    expiries_.push({deadline, id});
    is_wake_due = deadline + kTick < wake_at_;  // within a tick of its next wake-up the expirer is early enough
  }
  if (is_wake_due) {
    expirer_.wake();
  }
  return id;
}

std::string ReplyInbox::subjectFor(std::uint64_t id) const {
  char digits[20];
  const auto end = std::to_chars(std::begin(digits), std::end(digits), id).ptr;
  std::string subject;
  subject.reserve(prefix_.size() + sizeof digits);
  subject.append(prefix_).append(digits, end);
  return subject;
}

ReplyInbox::Done ReplyInbox::take(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  auto node = waiting_.extract(id);
  return node ? std::move(node.mapped()) : Done{};
}

// A request is completed by whoever takes it out of the map: the reply, the expirer, a lost connection or close(). The others find nothing.
void ReplyInbox::fail(std::uint64_t id, const base::Error& error) {
  if (const Done done = take(id)) {
    done(tl::unexpected(error));
  }
}

void ReplyInbox::failAll(const base::Error& error) {
  std::unordered_map<std::uint64_t, Done> failed;
  {
    const std::lock_guard lock(mutex_);
    failed.swap(waiting_);
    expiries_ = {};
  }
  for (const auto& [id, done] : failed) {
    done(tl::unexpected(error));
  }
}

void ReplyInbox::close() {
  if (expirer_.isStopping()) {
    return;
  }
  // First no reply can come any more, then no time-out; what is left is then completed here, with nobody else at it.
  subscription_.reset();
  expirer_.stop();
  failAll({base::ErrorCode::kUnavailable, "the bus client is being closed"});
}

void ReplyInbox::onDelivery(const Delivery& delivery) {
  if (delivery.subject.size() <= prefix_.size()) {
    return;
  }
  const std::string_view tail = delivery.subject.substr(prefix_.size());
  std::uint64_t id = 0;
  if (std::from_chars(tail.data(), tail.data() + tail.size(), id).ec != std::errc{}) {
    return;
  }
  const Done done = take(id);
  if (!done) {
    return;  // late: its deadline was over
  }
  if (delivery.no_responders) {
    done(base::fail(base::ErrorCode::kUnavailable, "nobody answers this request on the bus"));
  } else {
    done(delivery.data);
  }
}

std::vector<ReplyInbox::Done> ReplyInbox::takeExpired(Time now) {
  std::vector<Done> expired;
  const std::lock_guard lock(mutex_);
  while (!expiries_.empty() && expiries_.top().deadline <= now) {
    if (auto node = waiting_.extract(expiries_.top().id)) {
      expired.push_back(std::move(node.mapped()));
    }
    expiries_.pop();
  }
  // One wake for the deadlines of a tick; a request with an earlier deadline wakes this thread.
  wake_at_ = expiries_.empty() ? Time::max() : std::max(expiries_.top().deadline, now + kTick);
  return expired;
}

void ReplyInbox::expireLoop() {
  for (bool goes_on = true; goes_on;) {
    // Without the lock: a completion may ask again.
    for (const auto& done : takeExpired(std::chrono::steady_clock::now())) {
      done(base::fail(base::ErrorCode::kTimeout, "no reply on the bus before the deadline"));
    }
    Time wake_at;
    {
      const std::lock_guard lock(mutex_);
      wake_at = wake_at_;
    }
    goes_on = wake_at == Time::max() ? expirer_.wait() : expirer_.waitUntil(wake_at);
  }
}

}  // namespace tollgate::bus
