#include "libs/bus/records.hpp"

#include <atomic>
#include <future>
#include <map>
#include <mutex>

#include <gtest/gtest.h>

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
  auto connection = Connection::open(settings, ConnectionKind::kEvents);
  EXPECT_TRUE(connection.has_value());
  return std::move(*connection);
}

base::Result<std::uint64_t> publishAndWait(RecordPublisher& publisher, const std::string& id, const std::string& data = "data") {
  auto promise = std::make_shared<std::promise<base::Result<std::uint64_t>>>();
  publisher.publish(subjects::callEvent("ended", base::TrunkId(1)), id, data,
                    [promise](base::Result<std::uint64_t> result) { promise->set_value(std::move(result)); });
  return promise->get_future().get();
}

// What a consumer was given, by stream sequence.
class Reader {
 public:
  void take(const Record& record) {
    const std::lock_guard lock(mutex_);
    ++counts_[record.streamSequence()];
    last_ = std::make_unique<Record>(record);
  }
  [[nodiscard]] std::size_t distinct() const {
    const std::lock_guard lock(mutex_);
    return counts_.size();
  }
  [[nodiscard]] int times(std::uint64_t sequence) const {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(sequence);
    return found == counts_.end() ? 0 : found->second;
  }
  [[nodiscard]] Record last() const {
    const std::lock_guard lock(mutex_);
    return *last_;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, int> counts_;
  std::unique_ptr<Record> last_;
};

class RecordsTest : public ::testing::Test {
 protected:
  testkit::NatsServer server_;
  std::unique_ptr<Connection> connection_ = connectTo(server_);
};

TEST_F(RecordsTest, EnsureMayBeRepeatedAndChangesSettings) {
  StreamSettings settings;
  ASSERT_TRUE(ensureRecordStream(*connection_, settings));
  ASSERT_TRUE(ensureRecordStream(*connection_, settings));
  settings.bytes_max = 1'000'000;
  settings.ack_wait = 2s;
  const auto changed = ensureRecordStream(*connection_, settings);
  EXPECT_TRUE(changed.has_value()) << changed.error().message;
  // Also while an instance reads.
  const auto consumer = RecordConsumer::open(*connection_, [](const Record&) {});
  ASSERT_TRUE(consumer.has_value());
  ASSERT_TRUE(connection_->flush(2s));
  const auto again = ensureRecordStream(*connection_, settings);
  EXPECT_TRUE(again.has_value()) << again.error().message;
}

TEST_F(RecordsTest, EnsureSaysUnavailableWithoutServer) {
  server_.kill();
  ASSERT_TRUE(waitUntil([&] { return !connection_->isConnected(); }));
  EXPECT_EQ(ensureRecordStream(*connection_, {}).error().code, ErrorCode::kUnavailable);
}

TEST_F(RecordsTest, PublishWithoutStreamIsUnavailable) {
  RecordPublisher publisher(*connection_, 5s);
  EXPECT_EQ(publishAndWait(publisher, "c.1").error().code, ErrorCode::kUnavailable);
}

// REQUIREMENTS 9.3: the same record twice is stored once.
TEST_F(RecordsTest, StoresTheSameMessageIdOnce) {
  ASSERT_TRUE(ensureRecordStream(*connection_, {}));
  RecordPublisher publisher(*connection_, 5s);
  const auto first = publishAndWait(publisher, "c.1", "one");
  const auto again = publishAndWait(publisher, "c.1", "one");
  const auto second = publishAndWait(publisher, "c.2", "two");
  ASSERT_TRUE(first && again && second);
  EXPECT_EQ(*first, *again);
  EXPECT_EQ(*second, *first + 1);
  EXPECT_EQ(readProgress(*connection_)->last_sequence, *second);
}

TEST_F(RecordsTest, RefusalOfTheStreamIsAnError) {
  StreamSettings settings;
  settings.bytes_max = 2000;
  ASSERT_TRUE(ensureRecordStream(*connection_, settings));
  RecordPublisher publisher(*connection_, 5s);
  ASSERT_TRUE(publishAndWait(publisher, "c.1", std::string(1500, 'x')));
  const auto full = publishAndWait(publisher, "c.2", std::string(1500, 'x'));
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, ErrorCode::kUnavailable);
}

TEST_F(RecordsTest, RecordLargerThanTheBusTakesIsOverLimit) {
  ASSERT_TRUE(ensureRecordStream(*connection_, {}));
  RecordPublisher publisher(*connection_, 5s);
  EXPECT_EQ(publishAndWait(publisher, "c.1", std::string(9'000'000, 'x')).error().code, ErrorCode::kOverLimit);
}

TEST_F(RecordsTest, ConsumerReadsWhatWasStoredBeforeItCameAndAcknowledges) {
  ASSERT_TRUE(ensureRecordStream(*connection_, {}));
  RecordPublisher publisher(*connection_, 5s);
  ASSERT_TRUE(publishAndWait(publisher, "c.1", "before"));
  Reader reader;
  const auto consumer = RecordConsumer::open(*connection_, [&](const Record& record) { reader.take(record); });
  ASSERT_TRUE(consumer.has_value());
  ASSERT_TRUE(waitUntil([&] { return reader.distinct() == 1; }));
  EXPECT_EQ(reader.last().data(), "before");
  EXPECT_EQ(reader.last().subject(), "tg.evt.call.v1.ended.1");
  EXPECT_EQ(reader.last().deliveries(), 1U);
  auto progress = readProgress(*connection_);
  ASSERT_TRUE(progress.has_value()) << progress.error().message;
  EXPECT_EQ(progress->last_sequence, 1U);
  EXPECT_EQ(progress->slots.acked_floor_sequence, 0U);
  EXPECT_EQ(progress->slots.pending, 1U);
  reader.last().ack();
  EXPECT_TRUE(waitUntil([&] {
    progress = readProgress(*connection_);
    return progress && progress->slots.pending == 0 && progress->slots.acked_floor_sequence == 1;
  }));
  EXPECT_EQ(progress->books.acked_floor_sequence, 0U) << "each consumer has its own";
}

TEST_F(RecordsTest, DeliversAgainWhatIsNotAcknowledged) {
  StreamSettings settings;
  settings.ack_wait = 1s;
  ASSERT_TRUE(ensureRecordStream(*connection_, settings));
  RecordPublisher publisher(*connection_, 5s);
  Reader reader;
  const auto consumer = RecordConsumer::open(*connection_, [&](const Record& record) {
    reader.take(record);
    if (record.deliveries() == 3) {
      record.ack();
    }
  });
  ASSERT_TRUE(publishAndWait(publisher, "c.1"));
  EXPECT_TRUE(waitUntil([&] { return reader.times(1) == 3; }));
  EXPECT_TRUE(waitUntil([&] { return readProgress(*connection_)->slots.pending == 0; }));
}

TEST_F(RecordsTest, InstancesShareTheRecords) {
  ASSERT_TRUE(ensureRecordStream(*connection_, {}));
  const auto other = connectTo(server_);
  Reader one;
  Reader two;
  const auto first = RecordConsumer::open(*connection_, [&](const Record& record) { one.take(record), record.ack(); });
  const auto second = RecordConsumer::open(*other, [&](const Record& record) { two.take(record), record.ack(); });
  ASSERT_TRUE(first && second);
  ASSERT_TRUE(connection_->flush(2s));
  ASSERT_TRUE(other->flush(2s));
  RecordPublisher publisher(*connection_, 5s);
  std::atomic<int> stored{0};
  for (int i = 0; i < 200; ++i) {
    publisher.publish("tg.evt.call.v1.ended.1", "c." + std::to_string(i), "x", [&](const auto& result) { stored += result ? 1 : 0; });
  }
  ASSERT_TRUE(waitUntil([&] { return stored == 200; }));
  EXPECT_TRUE(waitUntil([&] { return one.distinct() + two.distinct() == 200; }));
  EXPECT_GT(one.distinct(), 0U);
  EXPECT_GT(two.distinct(), 0U);
}

// REQUIREMENTS 12.2: what is recorded survives a killed server, and consumer and publisher go on by themselves.
TEST_F(RecordsTest, SurvivesAKilledServer) {
  ASSERT_TRUE(ensureRecordStream(*connection_, {}));
  RecordPublisher publisher(*connection_, 1s);
  Reader reader;
  const auto consumer = RecordConsumer::open(*connection_, [&](const Record& record) { reader.take(record), record.ack(); });
  ASSERT_TRUE(publishAndWait(publisher, "c.1"));
  ASSERT_TRUE(waitUntil([&] { return reader.distinct() == 1; }));
  server_.kill();
  ASSERT_TRUE(waitUntil([&] { return !connection_->isConnected(); }));
  EXPECT_EQ(publishAndWait(publisher, "c.2").error().code, ErrorCode::kUnavailable);
  server_.start();
  ASSERT_TRUE(waitUntil([&] { return publishAndWait(publisher, "c.2").has_value(); }, 20s));
  EXPECT_TRUE(waitUntil([&] { return reader.distinct() == 2; }, 20s));
  const auto duplicate = publishAndWait(publisher, "c.1");  // the duplicate window survives too
  ASSERT_TRUE(duplicate.has_value());
  EXPECT_EQ(*duplicate, 1U);
}

// The least a service must be allowed to do; deploy/nats follows this.
TEST(RecordsPermissions, IngressAndBillingNeedNoMoreThanThis) {
  testkit::NatsOptions options;
  options.extra = R"(authorization { users = [
    { user: ingress, password: x, permissions: {
        publish: ["tg.rpc.*.v1.*", "tg.evt.call.v1.>", "_INBOX.>"], subscribe: ["_INBOX.>", "tg.ctl.ingress.v1.*"] } }
    { user: billing, password: x, permissions: {
        publish: ["_INBOX.>", "$JS.ACK.CALL_EVENTS.>", "$JS.API.STREAM.CREATE.CALL_EVENTS", "$JS.API.STREAM.UPDATE.CALL_EVENTS",
                  "$JS.API.STREAM.INFO.CALL_EVENTS", "$JS.API.CONSUMER.CREATE.CALL_EVENTS.>",
                  "$JS.API.CONSUMER.DURABLE.CREATE.CALL_EVENTS.*", "$JS.API.CONSUMER.INFO.CALL_EVENTS.*",
                  "$JS.API.CONSUMER.DELETE.CALL_EVENTS.billing", "$JS.API.CONSUMER.MSG.NEXT.CALL_EVENTS.billing"],
        subscribe: ["_INBOX.>", "tg.rpc.billing.v1.*", "tg.deliver.slots"] } } ] }
)";
  testkit::NatsServer server(options);
  const auto connectAs = [&](const std::string& user) {
    auto connection =
        Connection::open({.url = server.url(), .user = user, .password = "x", .ca_file = {}, .name = user}, ConnectionKind::kEvents);
    EXPECT_TRUE(connection && (*connection)->isConnected());
    return std::move(*connection);
  };
  const auto billing = connectAs("billing");
  const auto ingress = connectAs("ingress");
  const auto ensured = ensureRecordStream(*billing, {});
  ASSERT_TRUE(ensured.has_value()) << ensured.error().message;
  Reader reader;
  const auto consumer = RecordConsumer::open(*billing, [&](const Record& record) { reader.take(record), record.ack(); });
  RecordPublisher publisher(*ingress, 5s);
  ASSERT_TRUE(publishAndWait(publisher, "c.1"));
  EXPECT_TRUE(waitUntil([&] { return reader.distinct() == 1; }));
  const auto fetcher = RecordFetcher::open(*billing, 10s).value();
  for (const Record& record : fetcher->fetch(10, 1ms, 5s)) {
    record.ack();
  }
  EXPECT_TRUE(waitUntil([&] {
    const auto progress = readProgress(*billing);
    return progress && progress->slots.pending == 0 && progress->books.pending == 0;
  }));
  EXPECT_EQ(billing->metrics().errors.value(), 0);
  EXPECT_EQ(ingress->metrics().errors.value(), 0);
}

}  // namespace
}  // namespace tollgate::bus
