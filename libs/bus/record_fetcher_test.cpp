// The pull consumer `billing`, and why the stream is not of interest retention.
#include <atomic>
#include <future>
#include <set>

#include <gtest/gtest.h>
#include <nats/nats.h>

#include "libs/bus/connection_state.hpp"
#include "libs/bus/records.hpp"
#include "libs/bus/subjects.hpp"
#include "libs/testkit/servers.hpp"
#include "libs/testkit/wait.hpp"

namespace tollgate::bus {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using testkit::waitUntil;

std::unique_ptr<Connection> connectTo(const testkit::NatsServer& server) {
  ConnectionSettings settings;
  settings.url = server.url();
  settings.name = "test";
  return Connection::open(settings, ConnectionKind::kEvents).value();
}

class RecordFetcherTest : public ::testing::Test {
 protected:
  RecordFetcherTest() { settings_.ack_wait = 1s; }

  // Stores `count` records; ids go on from call to call.
  void publish(int count) {
    std::atomic<int> stored{0};
    for (int i = 0; i < count; ++i) {
      ++last_id_;
      publisher_->publish("tg.evt.call.v1.ended.1", "c." + std::to_string(last_id_), std::to_string(last_id_),
                          [&](const auto& result) { stored += result ? 1 : 0; });
    }
    ASSERT_TRUE(waitUntil([&] { return stored == count; }, 20s));
  }
  // Calls the JetStream API as an operator's tool does.
  template <class Use>
  void asOperator(Use use) {
    ASSERT_TRUE(connection_->state().withHandle("operator", [&](natsConnection* handle) {
      jsCtx* context = nullptr;
      EXPECT_EQ(natsConnection_JetStream(&context, handle, nullptr), NATS_OK);
      const natsStatus status = use(context);
      jsCtx_Destroy(context);
      return status;
    }));
  }
  void deleteConsumer(std::string_view name) {
    asOperator([&](jsCtx* context) { return js_DeleteConsumer(context, "CALL_EVENTS", std::string(name).c_str(), nullptr, nullptr); });
  }
  static std::vector<Record> fetchAll(RecordFetcher& fetcher, std::size_t count) {
    std::vector<Record> all;
    const auto until = std::chrono::steady_clock::now() + 10s;
    while (all.size() < count && std::chrono::steady_clock::now() < until) {
      for (Record& record : fetcher.fetch(count - all.size(), 5ms, 100ms)) {
        all.push_back(std::move(record));
      }
    }
    return all;
  }

  testkit::NatsServer server_;
  StreamSettings settings_;
  std::unique_ptr<Connection> connection_ = connectTo(server_);
  std::unique_ptr<RecordPublisher> publisher_ = std::make_unique<RecordPublisher>(*connection_, 5s);
  int last_id_ = 0;
};

TEST_F(RecordFetcherTest, FetchesInBatchesAndAcknowledges) {
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  EXPECT_TRUE(fetcher->fetch(10, 5ms, 50ms).empty());
  publish(25);
  const auto first = fetchAll(*fetcher, 10);
  ASSERT_EQ(first.size(), 10U);
  EXPECT_EQ(first.front().streamSequence(), 1U);
  EXPECT_EQ(first.front().data(), "1");
  EXPECT_EQ(first.front().subject(), "tg.evt.call.v1.ended.1");
  for (const Record& record : first) {
    record.ack();
  }
  for (const Record& record : fetchAll(*fetcher, 15)) {
    record.ack();
  }
  EXPECT_TRUE(waitUntil([&] {
    const auto progress = readProgress(*connection_);
    return progress && progress->books.pending == 0 && progress->books.acked_floor_sequence == 25;
  }));
  EXPECT_EQ(readProgress(*connection_)->slots.pending, 25U);
}

// While nobody fetches, the server keeps what there is: an outage of the database needs no memory here.
TEST_F(RecordFetcherTest, NothingIsDeliveredBeyondTheLastBatch) {
  settings_.ack_wait = 30s;
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  EXPECT_TRUE(fetcher->fetch(10, 5ms, 50ms).empty());  // leaves a request for ten
  publish(500);
  ASSERT_TRUE(connection_->flush(2s));
  const auto progress = readProgress(*connection_);
  ASSERT_TRUE(progress.has_value());
  // pending counts both; the server has delivered the ten that were asked for.
  EXPECT_EQ(progress->books.pending, 500U);
  EXPECT_EQ(fetcher->fetch(1000, 0ms, 0ms).size(), 10U);
}

TEST_F(RecordFetcherTest, DeliversAgainWhatIsNotAcknowledged) {
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  publish(3);
  {
    const auto stopped = RecordFetcher::open(*connection_, settings_.ack_wait).value();
    ASSERT_EQ(fetchAll(*stopped, 3).size(), 3U);
  }
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  const auto again = fetchAll(*fetcher, 3);
  ASSERT_EQ(again.size(), 3U);
  EXPECT_EQ(again.front().deliveries(), 2U);
}

TEST_F(RecordFetcherTest, InstancesShareTheRecords) {
  settings_.ack_wait = 30s;
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  const auto other = connectTo(server_);
  const auto one = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  const auto two = RecordFetcher::open(*other, settings_.ack_wait).value();
  publish(200);
  std::set<std::uint64_t> seen;
  std::size_t of_one = 0;
  std::size_t of_two = 0;
  ASSERT_TRUE(waitUntil([&] {
    for (const Record& record : one->fetch(10, 1ms, 10ms)) {
      EXPECT_TRUE(seen.insert(record.streamSequence()).second);
      ++of_one;
      record.ack();
    }
    for (const Record& record : two->fetch(10, 1ms, 10ms)) {
      EXPECT_TRUE(seen.insert(record.streamSequence()).second);
      ++of_two;
      record.ack();
    }
    return seen.size() == 200;
  }));
  EXPECT_GT(of_one, 0U);
  EXPECT_GT(of_two, 0U);
}

TEST_F(RecordFetcherTest, GoesOnAfterAKilledServer) {
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  publish(1);
  const auto before = fetchAll(*fetcher, 1);
  ASSERT_EQ(before.size(), 1U);
  server_.kill();
  ASSERT_TRUE(waitUntil([&] { return !connection_->isConnected(); }));
  server_.start();
  ASSERT_TRUE(waitUntil([&] { return connection_->isConnected(); }, 20s));
  before.front().ack();  // of before the loss: it may be another stream now
  const auto again = fetchAll(*fetcher, 1);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_NE(again.front().epoch(), before.front().epoch());
  again.front().ack();
  EXPECT_TRUE(waitUntil([&] { return readProgress(*connection_)->books.pending == 0; }));
}

TEST_F(RecordFetcherTest, AnInterruptEndsTheWait) {
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  auto waiting = std::async(std::launch::async, [&] { return fetcher->fetch(1, 1s, 60s).size(); });
  fetcher->interrupt();
  EXPECT_EQ(waiting.wait_for(5s), std::future_status::ready);
}

// The consumer is deleted and made again while somebody reads.
TEST_F(RecordFetcherTest, AConsumerThatIsMadeAgainGoesOnWithTheSameReaders) {
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  EXPECT_TRUE(fetcher->fetch(10, 1ms, 10ms).empty());
  deleteConsumer(kBooksConsumer);
  EXPECT_EQ(readProgress(*connection_).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(fetcher->fetch(10, 1ms, 300ms).empty());
  publish(2);
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  EXPECT_EQ(fetchAll(*fetcher, 2).size(), 2U);
}

// An earlier version read by a push consumer of the same name. What it had acknowledged is not read again.
TEST_F(RecordFetcherTest, ThePushConsumerOfAnEarlierVersionIsReplaced) {
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  deleteConsumer(kBooksConsumer);
  deleteConsumer(kSlotsConsumer);
  asOperator([](jsCtx* context) {
    jsConsumerConfig config;
    jsConsumerConfig_Init(&config);
    config.Durable = "billing";
    config.DeliverSubject = "tg.deliver.billing";
    config.DeliverGroup = "billing";
    config.AckPolicy = js_AckExplicit;
    return js_AddConsumer(nullptr, context, "CALL_EVENTS", &config, nullptr, nullptr);
  });
  publish(3);
  {
    const auto old = connection_->subscribe("tg.deliver.billing", "billing", [&](const Delivery& delivery) {
      if (delivery.data != "3") {
        (void)connection_->publish(delivery.reply_to, "+ACK");
      }
    });
    ASSERT_TRUE(waitUntil([&] {
      jsConsumerInfo* info = nullptr;
      asOperator([&](jsCtx* context) { return js_GetConsumerInfo(&info, context, "CALL_EVENTS", "billing", nullptr, nullptr); });
      const JetConsumerInfo owner(info);
      return info->AckFloor.Stream == 2;
    }));
  }
  const auto replaced = ensureRecordStream(*connection_, settings_);
  ASSERT_TRUE(replaced.has_value()) << replaced.error().message;
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  std::atomic<int> freed{0};
  const auto slots = RecordConsumer::open(*connection_, [&](const Record& record) { ++freed, record.ack(); });
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  const auto rest = fetchAll(*fetcher, 1);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest.front().data(), "3");
  EXPECT_TRUE(fetcher->fetch(1, 1ms, 100ms).empty());
  EXPECT_TRUE(waitUntil([&] { return freed == 1; }));
}

// What is published while a consumer is missing is still read.
TEST_F(RecordFetcherTest, ARecordPublishedWhileAConsumerIsMissingIsStillRead) {
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  deleteConsumer(kBooksConsumer);
  deleteConsumer(kSlotsConsumer);
  publish(1);
  ASSERT_TRUE(ensureRecordStream(*connection_, settings_));
  const auto fetcher = RecordFetcher::open(*connection_, settings_.ack_wait).value();
  EXPECT_EQ(fetchAll(*fetcher, 1).size(), 1U);
}

// Pin test: why the stream is not of interest retention. The publisher is told that the record is stored, and nobody ever gets it.
TEST_F(RecordFetcherTest, InterestRetentionDropsWhatAMissingConsumerShouldRead) {
  asOperator([](jsCtx* context) {
    const char* subjects[] = {"tg.evt.call.v1.ended.*"};
    jsStreamConfig config;
    jsStreamConfig_Init(&config);
    config.Name = "CALL_EVENTS";
    config.Subjects = subjects;
    config.SubjectsLen = 1;
    config.Retention = js_InterestPolicy;
    return js_AddStream(nullptr, context, &config, nullptr, nullptr);
  });
  publish(1);  // acknowledged
  jsStreamInfo* info = nullptr;
  asOperator([&](jsCtx* context) { return js_GetStreamInfo(&info, context, "CALL_EVENTS", nullptr, nullptr); });
  const JetStreamInfo owner(info);
  EXPECT_EQ(info->State.LastSeq, 1U);
  EXPECT_EQ(info->State.Msgs, 0U);
}

}  // namespace
}  // namespace tollgate::bus
