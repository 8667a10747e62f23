// REQUIREMENTS 12.1: all configuration by file or environment, secrets from files, a wrong one stops start-up with the reason.
#include "libs/config/loader.hpp"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace tollgate::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Environment = std::map<std::string, std::string>;

class LoaderTest : public testing::Test {
 protected:
  LoaderTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "tollgate_config_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~LoaderTest() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& content) {
    std::string path = folder_ / name;
    std::ofstream(path) << content;
    return path;
  }

  std::filesystem::path folder_;
};

bool mentions(const Loader& loader, std::string_view text) {
  const auto result = loader.finish();
  return !result && result.error().code == base::ErrorCode::kInvalid && result.error().message.find(text) != std::string::npos;
}

TEST_F(LoaderTest, GivesDefaultsWhenNothingIsSet) {
  Loader loader("auth", {});
  EXPECT_EQ(loader.text("greeting", "hello", ""), "hello");
  EXPECT_EQ(loader.integer("count", 5, 1, 10, ""), 5);
  EXPECT_EQ(loader.port("http_port", 8080, ""), 8080);
  EXPECT_TRUE(loader.flag("enabled", true, ""));
  EXPECT_EQ(loader.duration("wait", seconds(4), milliseconds(1), seconds(60), ""), seconds(4));
  EXPECT_EQ(loader.list("hosts", "a, b", ""), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(loader.secret("password", ""), "");
  EXPECT_TRUE(loader.finish());
}

TEST_F(LoaderTest, PrefersServiceEnvironmentThenCommonThenFile) {
  const std::string path = write("t.conf", "a = file\nb = file\nc = file\n");
  Loader loader("admin_api", Environment{{"TOLLGATE_ADMIN_API_A", "service"}, {"TOLLGATE_A", "common"}, {"TOLLGATE_B", "common"}});
  loader.readFile(path);
  EXPECT_EQ(loader.text("a", "", ""), "service");
  EXPECT_EQ(loader.text("b", "", ""), "common");
  EXPECT_EQ(loader.text("c", "", ""), "file");
  EXPECT_TRUE(loader.finish());
}

TEST_F(LoaderTest, ReadsCommentsAndBlanksInTheFile) {
  const std::string path = write("t.conf", "# first\n\n  name =  with = sign # tail\r\nurl = http://x/#frag\nempty =\n");
  Loader loader("auth", {});
  loader.readFile(path);
  EXPECT_EQ(loader.text("name", "", ""), "with = sign");
  EXPECT_EQ(loader.text("url", "", ""), "http://x/#frag");
  EXPECT_EQ(loader.text("empty", "fallback", ""), "");
  EXPECT_TRUE(loader.finish());
}

TEST_F(LoaderTest, ReportsEverythingWrongTogether) {
  const std::string path = write("t.conf", "count = many\nunknown_thing = 1\nno equals sign\ncount = 2\nBad-Name = 1\n");
  Loader loader("auth", Environment{{"TOLLGATE_WAIT", "4 parsecs"}});
  loader.readFile(path);
  EXPECT_EQ(loader.integer("count", 5, 1, 10, ""), 5);
  EXPECT_EQ(loader.duration("wait", seconds(1), seconds(1), seconds(9), ""), seconds(1));
  loader.refuse("count", "is odd");
  EXPECT_EQ(loader.problems().size(), 7U);
  for (const char* part : {"count (TOLLGATE_AUTH_COUNT) must be a whole number from 1 to 10, not 'many'", "t.conf:2: there is no setting",
                           "t.conf:3: expected", "t.conf:4: 'count' was already given", "t.conf:5: expected", "4 parsecs", "is odd"}) {
    EXPECT_TRUE(mentions(loader, part)) << part << "\nnot in\n" << loader.finish().error().message;
  }
}

TEST_F(LoaderTest, RefusesAFileThatIsNotThere) {
  Loader loader("auth", {});
  loader.readFile(folder_ / "none.conf");
  EXPECT_TRUE(mentions(loader, "none.conf cannot be read"));
}

struct Case {
  const char* text;
  bool is_good;
  std::int64_t value;
};

TEST_F(LoaderTest, BoundsIntegers) {
  const Case cases[] = {{"1", true, 1},
                        {"10", true, 10},
                        {"0", false, 0},
                        {"11", false, 0},
                        {"-1", false, 0},
                        {"", false, 0},
                        {"5x", false, 0},
                        {" 5", false, 0},
                        {"0x5", false, 0},
                        {"5.0", false, 0},
                        {"99999999999999999999", false, 0}};
  for (const Case& one : cases) {
    Loader loader("auth", Environment{{"TOLLGATE_COUNT", one.text}});
    const auto value = loader.integer("count", 7, 1, 10, "");
    EXPECT_EQ(loader.finish().has_value(), one.is_good) << one.text;
    EXPECT_EQ(value, one.is_good ? one.value : 7) << one.text;
  }
}

TEST_F(LoaderTest, ReadsDurationsWithUnits) {
  const Case cases[] = {{"250ms", true, 250}, {"4s", true, 4000}, {"2m", true, 120000}, {"1h", true, 3600000},     {"0", true, 0},
                        {"2d", false, 0},     {"5", false, 0},    {"", false, 0},       {"s", false, 0},           {"-4s", false, 0},
                        {"4 s", false, 0},    {"4sec", false, 0}, {"1.5s", false, 0},   {"99999999999h", false, 0}};
  for (const Case& one : cases) {
    Loader loader("auth", Environment{{"TOLLGATE_WAIT", one.text}});
    const auto value = loader.duration("wait", milliseconds(7), milliseconds(0), std::chrono::hours(24), "");
    EXPECT_EQ(loader.finish().has_value(), one.is_good) << one.text;
    EXPECT_EQ(value.count(), one.is_good ? one.value : 7) << one.text;
  }
}

TEST_F(LoaderTest, TakesOnlyTrueAndFalseForFlags) {
  const Case cases[] = {{"true", true, 1}, {"false", true, 0}, {"yes", false, 1}, {"1", false, 1}, {"True", false, 1}};
  for (const Case& one : cases) {
    Loader loader("auth", Environment{{"TOLLGATE_ON", one.text}});
    EXPECT_EQ(loader.flag("on", true, ""), one.value == 1) << one.text;
    EXPECT_EQ(loader.finish().has_value(), one.is_good) << one.text;
  }
}

TEST_F(LoaderTest, ReadsSecretsOnlyFromFiles) {
  const std::string path = write("secret", "pa ss=#word\n");
  Loader loader("billing", Environment{{"TOLLGATE_MYSQL_PASSWORD_FILE", path}, {"TOLLGATE_MYSQL_PASSWORD", "in the open"}});
  EXPECT_EQ(loader.secret("mysql_password", "password"), "pa ss=#word");
  EXPECT_TRUE(loader.finish());
  EXPECT_EQ(loader.declared().front().name, "mysql_password_file");
}

TEST_F(LoaderTest, RefusesSecretsMissingEmptyOrTooLarge) {
  const std::string empty = write("empty", "\n");
  const std::string large = write("large", std::string(70000, 'x'));
  Loader loader("billing", Environment{{"TOLLGATE_A_FILE", (folder_ / "none").string()},
                                       {"TOLLGATE_B_FILE", empty},
                                       {"TOLLGATE_C_FILE", large},
                                       {"TOLLGATE_D_FILE", folder_.string()}});
  for (const char* name : {"a", "b", "c", "d"}) {
    EXPECT_EQ(loader.secret(name, ""), "") << name;
  }
  EXPECT_EQ(loader.problems().size(), 4U);
}

TEST_F(LoaderTest, TellsEverySettingOnceForHelp) {
  Loader loader("auth", {});
  (void)loader.duration("wait", milliseconds(1500), milliseconds(0), seconds(9), "how long");
  (void)loader.duration("wait", milliseconds(1500), milliseconds(0), seconds(9), "how long");
  (void)loader.duration("day", std::chrono::hours(24), milliseconds(0), std::chrono::hours(48), "");
  ASSERT_EQ(loader.declared().size(), 2U);
  EXPECT_EQ(loader.declared()[0].environment, "TOLLGATE_AUTH_WAIT");
  EXPECT_EQ(loader.declared()[0].default_text, "1500ms");
  EXPECT_EQ(loader.declared()[0].help, "how long");
  EXPECT_EQ(loader.declared()[1].default_text, "1d");
}

}  // namespace
}  // namespace tollgate::config
