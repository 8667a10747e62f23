#include "libs/bus/reply_inbox.hpp"

#include <charconv>
#include <utility>

#include "libs/base/assert.hpp"
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
  inbox->expirer_ = std::thread([raw = inbox.get()] { raw->expireLoop(); });
  return inbox;
}

ReplyInbox::~ReplyInbox() {
  close();
}

std::uint64_t ReplyInbox::expect(Time deadline, Done done) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t id = ++last_id_;
  waiting_.emplace(id, std::move(done));
  expiries_.push({deadline, id});
  if (deadline + kTick < wake_at_) {  // within a tick of its next wake-up the expirer is early enough
    wake_.notify_one();
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
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      return;
    }
    closed_ = true;
    wake_.notify_all();
  }
  // First no reply can come any more, then no time-out; what is left is then completed here, with nobody else at it.
  subscription_.reset();
  TG_ASSERT(expirer_.get_id() != std::this_thread::get_id());  // closed inside one of its own completions
  expirer_.join();
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

void ReplyInbox::expireLoop() {
  std::unique_lock lock(mutex_);
  std::vector<Done> expired;
  while (!closed_) {
    const Time now = std::chrono::steady_clock::now();
    while (!expiries_.empty() && expiries_.top().deadline <= now) {
      if (auto node = waiting_.extract(expiries_.top().id)) {
        expired.push_back(std::move(node.mapped()));
      }
      expiries_.pop();
    }
    if (!expired.empty()) {
      lock.unlock();  // a completion may ask again
      for (const auto& done : expired) {
        done(base::fail(base::ErrorCode::kTimeout, "no reply on the bus before the deadline"));
      }
      expired.clear();
      lock.lock();
      continue;
    }
    wake_at_ = expiries_.empty() ? Time::max() : std::max(expiries_.top().deadline, now + kTick);
    if (expiries_.empty()) {
      wake_.wait(lock);
    } else {
      wake_.wait_until(lock, wake_at_);
    }
  }
}

}  // namespace tollgate::bus
