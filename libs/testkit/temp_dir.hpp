// A temporary folder of a test, removed with the object. Folders that killed tests left behind are removed by the next TempDir.
// Thread: any.
#pragma once

#include <filesystem>
#include <string>

namespace tollgate::testkit {

class TempDir {
 public:
  TempDir();  // under $TMPDIR, else /tmp. Errors: std::runtime_error
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
[[nodiscard]] std::string readFile(const std::string& path);  // Errors: std::runtime_error

}  // namespace tollgate::testkit
