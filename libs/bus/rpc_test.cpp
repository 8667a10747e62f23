#include "libs/bus/rpc.hpp"

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "libs/bus/connection.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"
#include "libs/wire/same_enum.hpp"
#include "tollgate/auth/v1/auth.rpc.h"
#include "tollgate/bus/v1/rpc.pb.h"

namespace tollgate::bus {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using Authorize = auth::v1::Auth::Authorize;
using testkit::waitUntil;
using AuthorizeResult = base::Result<auth::v1::AuthorizeReply>;

const Executor kInPlace = [](const std::function<void()>& completion) { completion(); };

std::unique_ptr<Connection> connectTo(const testkit::NatsServer& server, ConnectionKind kind = ConnectionKind::kRequests) {
  ConnectionSettings settings;
  settings.url = server.url();
  settings.name = "test";
  auto connection = Connection::open(settings, kind);
  EXPECT_TRUE(connection.has_value());
  return std::move(*connection);
}

auth::v1::AuthorizeRequest requestFor(const std::string& called) {
  auth::v1::AuthorizeRequest request;
  request.set_called(called);
  return request;
}

// Answers with the called number as it came.
base::Result<void> serveEcho(RpcServer& server) {
  return server.serve<Authorize>(
      [](const RpcContext&, const auth::v1::AuthorizeRequest& request, Responder<auth::v1::AuthorizeReply> responder) {
        auth::v1::AuthorizeReply reply;
        reply.mutable_identified()->set_called(request.called());
        responder.reply(reply);
      });
}

class RpcTest : public ::testing::Test {
 protected:
  testkit::NatsServer server_;
  std::unique_ptr<Connection> ours_ = connectTo(server_);
  std::unique_ptr<Connection> theirs_ = connectTo(server_);
};

TEST(RpcError, CodesAreThoseOfTheProto) {
  wire::expectSameEnum<ErrorCode, base::kLastErrorCode>(*v1::RpcErrorCode_descriptor(), "RPC_ERROR_CODE_");
}

TEST_F(RpcTest, BringsTheReplyAndCarriesTheCallId) {
  RpcServer service(*theirs_);
  std::string seen_call_id;
  ASSERT_TRUE(service.serve<Authorize>([&](const RpcContext& context, const auth::v1::AuthorizeRequest& request, auto responder) {
    seen_call_id = context.call_id;
    auth::v1::AuthorizeReply reply;
    reply.mutable_identified()->set_called(request.called());
    responder.reply(reply);
  }));
  ASSERT_TRUE(theirs_->flush(2s));
  RpcClient client(*ours_, kInPlace, {});
  const auto reply = client.wait<Authorize>("CALL1", requestFor("37410"), 2s);
  ASSERT_TRUE(reply.has_value()) << reply.error().message;
  EXPECT_EQ(reply->identified().called(), "37410");
  EXPECT_EQ(seen_call_id, "CALL1");
}

TEST_F(RpcTest, SendsGatheredRequestsAsOneMessageAndAnswersEach) {
  RpcServer service(*theirs_);
  ASSERT_TRUE(serveEcho(service));
  std::atomic<int> messages{0};
  const auto spy = theirs_->subscribe("tg.rpc.auth.v1.authorize", "", [&](const Delivery&) { ++messages; });
  ASSERT_TRUE(theirs_->flush(2s));

  std::atomic<int> executor_runs{0};
  std::atomic<int> right{0};
  RpcClient client(*ours_,
                   [&](const std::function<void()>& completion) {
                     ++executor_runs;
                     completion();
                   },
                   {.gather = true, .batch_max = 64, .pending_max = 1000});
  for (int i = 0; i < 100; ++i) {
    client.call<Authorize>("CALL", requestFor(std::to_string(i)), 2s, [&right, i](const AuthorizeResult& result) {
      right += result && result->identified().called() == std::to_string(i) ? 1 : 0;
    });
  }
  EXPECT_EQ(client.flush(), std::nullopt);
  EXPECT_TRUE(waitUntil([&] { return right == 100; }));
  EXPECT_TRUE(waitUntil([&] { return messages == 2; }));  // 64 + 36
  EXPECT_EQ(executor_runs, 2);
}

TEST_F(RpcTest, SendsFewerMessagesWhenRequestsComeFast) {
  RpcServer service(*theirs_);
  ASSERT_TRUE(serveEcho(service));
  std::atomic<int> messages{0};
  const auto spy = theirs_->subscribe("tg.rpc.auth.v1.authorize", "", [&](const Delivery&) { ++messages; });
  ASSERT_TRUE(theirs_->flush(2s));
  std::atomic<int> good{0};
  RpcClient client(*ours_, kInPlace, {.gather = true, .spacing = 300ms, .spacing_from_per_second = 1});
  const auto ask = [&] {
    client.call<Authorize>("CALL", requestFor("1"), 5s, [&](const AuthorizeResult& result) { good += result ? 1 : 0; });
    return client.flush();
  };
  EXPECT_EQ(ask(), std::nullopt);  // a single request is sent without delay, although the spacing is long
  ASSERT_TRUE(waitUntil([&] { return good == 1 && messages == 1; }));
  int asked = 1;
  bool was_held = false;
  for (; asked < 400; ++asked) {
    if (const auto held = ask()) {
      was_held = true;
      EXPECT_GT(*held, 0ms);
      EXPECT_LE(*held, 300ms);
    }
    const auto next = std::chrono::steady_clock::now() + 1ms;
    ASSERT_TRUE(waitUntil([&] { return std::chrono::steady_clock::now() >= next; }));
  }
  EXPECT_TRUE(was_held);
  // The rate is measured in the first 100 ms, in which at most one message leaves in each millisecond. After that one leaves every 300 ms.
  // A slow machine sends fewer messages in the first part and more in the second. The owner flushes again until nothing is held back.
  EXPECT_TRUE(waitUntil([&] { return !client.flush() && good == asked; }));
  EXPECT_LT(messages, asked / 2);
}

TEST_F(RpcTest, BatchReplyWaitsForTheLastResponderAndBringsErrorsPerItem) {
  RpcServer service(*theirs_);
  std::vector<std::jthread> pool;
  ASSERT_TRUE(service.serve<Authorize>([&](const RpcContext&, const auth::v1::AuthorizeRequest& request, auto responder) {
    if (request.called() == "dropped") {
      return;
    }
    if (request.called() == "failed") {
      responder.fail({ErrorCode::kConflict, "no"});
      return;
    }
    pool.emplace_back([held = std::make_shared<decltype(responder)>(std::move(responder))] { held->reply({}); });
  }));
  ASSERT_TRUE(theirs_->flush(2s));
  std::atomic<int> done{0};
  std::optional<AuthorizeResult> results[3];
  RpcClient client(*ours_, kInPlace, {.gather = true});
  const char* numbers[] = {"good", "failed", "dropped"};
  for (int i = 0; i < 3; ++i) {
    client.call<Authorize>("CALL", requestFor(numbers[i]), 2s, [&, i](AuthorizeResult result) {
      results[i] = std::move(result);
      ++done;
    });
  }
  EXPECT_EQ(client.flush(), std::nullopt);
  ASSERT_TRUE(waitUntil([&] { return done == 3; }));
  EXPECT_TRUE(results[0]->has_value());
  EXPECT_EQ(results[1]->error().code, ErrorCode::kConflict);
  EXPECT_EQ(results[1]->error().message, "no");
  EXPECT_EQ(results[2]->error().code, ErrorCode::kInternal);
}

TEST_F(RpcTest, IsUnavailableImmediatelyWhenNobodyServes) {
  RpcClient client(*ours_, kInPlace, {});
  const auto reply = client.wait<Authorize>("CALL", requestFor("1"), 10s);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kUnavailable);  // kTimeout if it had waited for the deadline
}

TEST_F(RpcTest, TimesOutWhenTheServiceIsSilentAndIgnoresTheLateReply) {
  std::mutex mutex;
  std::vector<Responder<auth::v1::AuthorizeReply>> held;  // outlives the service, whose handler fills it
  RpcServer service(*theirs_);
  ASSERT_TRUE(service.serve<Authorize>([&](const RpcContext&, const auth::v1::AuthorizeRequest&, auto responder) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(responder));
  }));
  ASSERT_TRUE(theirs_->flush(2s));
  RpcClient client(*ours_, kInPlace, {});
  const auto start = std::chrono::steady_clock::now();
  const auto reply = client.wait<Authorize>("CALL", requestFor("1"), 100ms);
  ASSERT_FALSE(reply.has_value());
  EXPECT_EQ(reply.error().code, ErrorCode::kTimeout);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 100ms);
  ASSERT_TRUE(waitUntil([&] {
    const std::lock_guard lock(mutex);
    return held.size() == 1;
  }));
  ASSERT_TRUE(waitUntil([&] { return std::chrono::steady_clock::now() > start + 150ms; }));  // the service counts from the arrival
  std::atomic<int> replies{0};
  const auto spy = ours_->subscribe("_INBOX.>", "", [&](const Delivery&) { ++replies; });
  ASSERT_TRUE(ours_->flush(2s));
  held[0].reply({});
  EXPECT_EQ(theirs_->metrics().late_requests.value(), 1);  // after the deadline nothing is sent
  ASSERT_TRUE(theirs_->flush(2s));
  ASSERT_TRUE(ours_->flush(2s));
  EXPECT_EQ(replies, 0);
}

TEST_F(RpcTest, DropsARequestWhoseBudgetIsOver) {
  RpcServer service(*theirs_);
  std::atomic<int> handled{0};
  ASSERT_TRUE(service.serve<Authorize>([&](const RpcContext&, const auth::v1::AuthorizeRequest&, auto) { ++handled; }));
  ASSERT_TRUE(theirs_->flush(2s));
  v1::RequestBatch stale;
  stale.add_items()->set_call_id("CALL");
  ASSERT_TRUE(ours_->publishRequest(Authorize::kSubject, "_INBOX.test", stale.SerializeAsString()));
  EXPECT_TRUE(waitUntil([&] { return theirs_->metrics().late_requests.value() == 1; }));
  EXPECT_EQ(handled, 0);
}

// REQUIREMENTS 12.6: a service under overload answers those who still wait, not those who have given up.
TEST_F(RpcTest, DropsARequestThatWaitedTooLongBehindABusyHandler) {
  RpcServer service(*theirs_);
  std::atomic<int> handled{0};
  std::promise<void> go_on;
  ASSERT_TRUE(service.serve<Authorize>([&](const RpcContext&, const auth::v1::AuthorizeRequest&, auto responder) {
    if (++handled == 1) {
      go_on.get_future().wait();
    }
    responder.reply({});
  }));
  ASSERT_TRUE(theirs_->flush(2s));
  RpcClient client(*ours_, kInPlace, {});
  std::atomic<int> done{0};
  const auto note = [&](const AuthorizeResult&) { ++done; };
  client.call<Authorize>("BUSY", requestFor("1"), 30s, note);
  ASSERT_TRUE(waitUntil([&] { return handled == 1; }));
  const auto start = std::chrono::steady_clock::now();
  client.call<Authorize>("LATE", requestFor("2"), 300ms, note);
  ASSERT_TRUE(waitUntil([&] { return std::chrono::steady_clock::now() >= start + 1500ms; }));
  client.call<Authorize>("FRESH", requestFor("3"), 30s, note);
  ASSERT_TRUE(ours_->flush(2s));
  go_on.set_value();
  EXPECT_TRUE(waitUntil([&] { return done == 3; }));
  EXPECT_EQ(handled, 2);
  EXPECT_EQ(theirs_->metrics().late_requests.value(), 1);
}

// An answer that nobody gets is undone at the moment it would be sent, also one that waited for the slower ones of its batch.
TEST_F(RpcTest, UndoesWhatALateAnswerTook) {
  std::mutex mutex;
  std::vector<std::pair<RpcContext, Responder<auth::v1::AuthorizeReply>>> held;  // outlives the service, whose handler fills it
  std::vector<std::string> undone;
  RpcServer service(*theirs_);
  ASSERT_TRUE(service.serve<Authorize>([&](const RpcContext& context, const auth::v1::AuthorizeRequest& request, auto responder) {
    const std::lock_guard lock(mutex);
    if (request.called() == "slow") {
      held.emplace_back(context, std::move(responder));
    } else {
      responder.reply({}, [&undone, call = context.call_id] { undone.push_back(call); });
    }
  }));
  ASSERT_TRUE(theirs_->flush(2s));
  RpcClient client(*ours_, kInPlace, {.gather = true});
  std::atomic<int> answered{0};
  std::atomic<int> timed_out{0};
  const auto note = [&](const AuthorizeResult& result) { ++(result ? answered : timed_out); };
  client.call<Authorize>("IN-TIME", requestFor("1"), 2s, note);
  EXPECT_EQ(client.flush(), std::nullopt);
  EXPECT_TRUE(waitUntil([&] { return answered == 1; }));
  client.call<Authorize>("QUICK", requestFor("1"), 100ms, note);
  client.call<Authorize>("SLOW", requestFor("slow"), 100ms, note);
  EXPECT_EQ(client.flush(), std::nullopt);
  EXPECT_TRUE(waitUntil([&] { return timed_out == 2; }));
  const std::lock_guard lock(mutex);
  ASSERT_EQ(held.size(), 1U);
  EXPECT_TRUE(waitUntil([&] { return held[0].first.isLate(); }));
  EXPECT_TRUE(undone.empty());
  held[0].second.reply({}, [&undone] { undone.emplace_back("SLOW"); });
  EXPECT_EQ(undone, (std::vector<std::string>{"QUICK", "SLOW"}));
  EXPECT_EQ(theirs_->metrics().late_requests.value(), 2);
}

TEST_F(RpcTest, UndoesWhatAnAnswerTookWhenTheServerIsGone) {
  std::mutex mutex;
  std::vector<Responder<auth::v1::AuthorizeReply>> held;
  auto service = std::make_unique<RpcServer>(*theirs_);
  ASSERT_TRUE(service->serve<Authorize>([&](const RpcContext&, const auth::v1::AuthorizeRequest&, auto responder) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(responder));
  }));
  ASSERT_TRUE(theirs_->flush(2s));
  RpcClient client(*ours_, kInPlace, {});
  client.call<Authorize>("CALL", requestFor("1"), 30s, [](const AuthorizeResult&) {});
  ASSERT_TRUE(waitUntil([&] {
    const std::lock_guard lock(mutex);
    return held.size() == 1;
  }));
  service.reset();
  int undone = 0;
  held[0].reply({}, [&undone] { ++undone; });
  EXPECT_EQ(undone, 1);
}

// REQUIREMENTS 12.6: the clocks of the hosts need not agree, because what travels is a duration.
TEST(RpcEnvelope, CarriesNoWallTime) {
  std::vector<const google::protobuf::Descriptor*> open{v1::RequestBatch::descriptor(), v1::ReplyBatch::descriptor()};
  while (!open.empty()) {
    const auto* message = open.back();
    open.pop_back();
    EXPECT_NE(message->full_name(), "google.protobuf.Timestamp");
    for (int i = 0; i < message->field_count(); ++i) {
      if (const auto* inner = message->field(i)->message_type()) {
        open.push_back(inner);
      }
    }
  }
}

TEST_F(RpcTest, IgnoresGarbageOnTheSubject) {
  RpcServer service(*theirs_);
  ASSERT_TRUE(serveEcho(service));
  ASSERT_TRUE(theirs_->flush(2s));
  ASSERT_TRUE(ours_->publishRequest(Authorize::kSubject, "_INBOX.test", "\xff\xff garbage"));
  ASSERT_TRUE(ours_->publishRequest(Authorize::kSubject, "_INBOX.test", ""));
  RpcClient client(*ours_, kInPlace, {});
  EXPECT_TRUE(client.wait<Authorize>("CALL", requestFor("1"), 2s).has_value());
}

TEST_F(RpcTest, SpreadsRequestsOverTheQueueGroup) {
  const auto third = connectTo(server_);
  RpcServer one(*theirs_);
  RpcServer two(*third);
  std::atomic<int> by_one{0};
  std::atomic<int> by_two{0};
  ASSERT_TRUE(one.serve<Authorize>([&](const RpcContext&, const auto&, auto responder) { ++by_one, responder.reply({}); }));
  ASSERT_TRUE(two.serve<Authorize>([&](const RpcContext&, const auto&, auto responder) { ++by_two, responder.reply({}); }));
  ASSERT_TRUE(theirs_->flush(2s));
  ASSERT_TRUE(third->flush(2s));
  RpcClient client(*ours_, kInPlace, {});
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(client.wait<Authorize>("CALL", requestFor("1"), 2s).has_value());
  }
  EXPECT_EQ(by_one + by_two, 100);
  EXPECT_GT(by_one, 0);
  EXPECT_GT(by_two, 0);
}

TEST_F(RpcTest, RefusesBeyondThePendingBound) {
  RpcServer service(*theirs_);
  ASSERT_TRUE(serveEcho(service));
  std::vector<ErrorCode> errors;
  RpcClient client(*ours_, kInPlace, {.gather = true, .batch_max = 64, .pending_max = 2});
  for (int i = 0; i < 3; ++i) {
    client.call<Authorize>("CALL", requestFor("1"), 2s, [&](const AuthorizeResult& result) {
      if (!result) {
        errors.push_back(result.error().code);
      }
    });
  }
  EXPECT_EQ(errors, std::vector{ErrorCode::kOverLimit});
}

TEST_F(RpcTest, CompletesWhatIsPendingWhenTheClientIsDestroyed) {
  std::mutex mutex;
  std::vector<Responder<auth::v1::AuthorizeReply>> held;  // outlives the service, whose handler fills it
  RpcServer service(*theirs_);
  ASSERT_TRUE(service.serve<Authorize>([&](const RpcContext&, const auth::v1::AuthorizeRequest&, auto responder) {
    const std::lock_guard lock(mutex);
    held.push_back(std::move(responder));
  }));
  ASSERT_TRUE(theirs_->flush(2s));
  std::vector<ErrorCode> errors;
  const auto note = [&](const AuthorizeResult& result) { errors.push_back(result ? ErrorCode::kInternal : result.error().code); };
  {
    RpcClient client(*ours_, kInPlace, {.gather = true});
    client.call<Authorize>("SENT", requestFor("1"), 30s, note);
    EXPECT_EQ(client.flush(), std::nullopt);
    client.call<Authorize>("GATHERED", requestFor("1"), 30s, note);
  }
  EXPECT_EQ(errors, (std::vector{ErrorCode::kUnavailable, ErrorCode::kUnavailable}));
}

// REQUIREMENTS 12.2: recovery needs no operator.
TEST_F(RpcTest, FailsImmediatelyWhileTheServerIsDownAndRecoversWhenItIsBack) {
  RpcServer service(*theirs_);
  ASSERT_TRUE(serveEcho(service));
  ASSERT_TRUE(theirs_->flush(2s));
  std::atomic<int> changes{0};
  ours_->onChange([&](bool) { ++changes; });
  RpcClient client(*ours_, kInPlace, {});
  ASSERT_TRUE(client.wait<Authorize>("CALL", requestFor("1"), 2s).has_value());
  server_.kill();
  ASSERT_TRUE(waitUntil([&] { return !ours_->isConnected(); }));
  const auto refused = client.wait<Authorize>("CALL", requestFor("1"), 10s);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);  // kTimeout if it had waited for the deadline
  server_.start();
  ASSERT_TRUE(waitUntil([&] { return client.wait<Authorize>("CALL", requestFor("2"), 500ms).has_value(); }, 15s));
  EXPECT_GE(changes, 2);
  EXPECT_GE(ours_->metrics().losses.value(), 1);
}

TEST_F(RpcTest, AnswersWhatWasReceivedBeforeTheServerIsDestroyed) {
  auto service = std::make_unique<RpcServer>(*theirs_);
  ASSERT_TRUE(serveEcho(*service));
  ASSERT_TRUE(theirs_->flush(2s));
  std::atomic<int> good{0};
  std::atomic<int> bad{0};
  RpcClient client(*ours_, kInPlace, {});
  for (int i = 0; i < 500; ++i) {
    client.call<Authorize>("CALL", requestFor("1"), 10s, [&](const AuthorizeResult& result) { ++(result ? good : bad); });
  }
  ASSERT_TRUE(ours_->flush(2s));
  service.reset();
  ASSERT_TRUE(waitUntil([&] { return good + bad == 500; }));
  EXPECT_EQ(bad, 0);
}

}  // namespace
}  // namespace tollgate::bus
