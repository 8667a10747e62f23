// A folder of its own for a test, removed at the end. What a killed test left is removed by the next one. Any thread.
#pragma once

#include <filesystem>
#include <string>

namespace tollgate::testkit {

class TempDir {
 public:
  TempDir();  // under $TMPDIR, else /tmp; throws std::runtime_error
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

void writeFile(const std::string& path, const std::string& content);
[[nodiscard]] std::string readFile(const std::string& path);  // throws std::runtime_error when it cannot be read

}  // namespace tollgate::testkit
