// The settings of the clients have one name and one default in every service.
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gtest/gtest.h>
#include <unistd.h>

#include "libs/bus/settings.hpp"
#include "libs/redis/settings.hpp"
#include "libs/sql/settings.hpp"

namespace tollgate::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Environment = std::map<std::string, std::string>;

TEST(ClientSettings, FillTheClients) {
  const auto secret = std::filesystem::temp_directory_path() / ("tollgate_client_settings_" + std::to_string(::getpid()));
  std::ofstream(secret) << "s3\n";
  Loader loader("billing", Environment{{"TOLLGATE_NATS_URL", "nats://bus:4222"},
                                       {"TOLLGATE_NATS_PASSWORD_FILE", secret.string()},
                                       {"TOLLGATE_REDIS_PORT", "7000"},
                                       {"TOLLGATE_REDIS_TIMEOUT", "100ms"},
                                       {"TOLLGATE_MYSQL_TIMEOUT", "1500ms"}});
  const auto nats = bus::readSettings(loader, "billing-1");
  const auto cache = redis::readSettings(loader);
  const auto pool = sql::readSettings(loader);
  std::filesystem::remove(secret);
  ASSERT_TRUE(loader.finish()) << loader.finish().error().message;
  EXPECT_EQ(nats.url, "nats://bus:4222");
  EXPECT_EQ(nats.password, "s3");
  EXPECT_EQ(nats.name, "billing-1");
  EXPECT_EQ(cache.port, 7000);
  EXPECT_EQ(cache.command_timeout, milliseconds(100));
  EXPECT_EQ(pool.user, "tollgate_billing");
  EXPECT_EQ(pool.timeout, seconds(2));
}

TEST(ClientSettings, RefuseAnUrlOfAnotherKind) {
  Loader loader("billing", Environment{{"TOLLGATE_NATS_URL", "http://bus"}});
  (void)bus::readSettings(loader, "x");
  const auto refused = loader.finish();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("nats_url"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace tollgate::config
