// One file of the spool and the list of what is acknowledged in it.
//
//   segment-<number>.log   frames: length (u32), CRC-32 of the payload (u32), payload; appended by one write each batch
//   segment-<number>.acks  index of an acknowledged frame (u32) and its complement (u32)
//   payload: length of subject (u16), length of message id (u16), subject, message id, data
//
// Numbers are little-endian as on every machine this runs on. A frame whose length or CRC is wrong ends the segment: it is the torn end of
// a process that was killed. One thread. Private to libs/spool.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libs/base/result.hpp"

namespace tollgate::spool {

// Views into a payload.
struct RecordView {
  std::string_view subject;
  std::string_view message_id;
  std::string_view data;
};

[[nodiscard]] std::string makePayload(const RecordView& record);
// kInvalid when the lengths do not fit.
[[nodiscard]] base::Result<RecordView> readPayload(std::string_view payload);
void appendFrame(std::string_view payload, std::string& frames);

constexpr std::size_t kFrameHeadBytes = 8;
constexpr std::size_t kPayloadBytesMax = 16U << 20U;

class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) : fd_(fd) {}
  FileHandle(FileHandle&& other) noexcept;
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool isOpen() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

class Segment {
 public:
  struct Frame {
    std::uint32_t index = 0;   // in the segment
    std::int64_t offset = 0;   // of the payload
    std::uint32_t length = 0;  // of the payload
  };

  [[nodiscard]] static base::Result<std::unique_ptr<Segment>> create(const std::filesystem::path& directory, std::uint64_t number);
  // Opens what another process left; `unacknowledged` gets its frames in order.
  [[nodiscard]] static base::Result<std::unique_ptr<Segment>> reopen(const std::filesystem::path& directory, std::uint64_t number,
                                                                     std::vector<Frame>& unacknowledged);
  // The numbers of the segments in a directory, in order.
  [[nodiscard]] static std::vector<std::uint64_t> list(const std::filesystem::path& directory);

  // Appends whole frames. On failure nothing of them stays, or the segment is not used for writing any more (isWritable()).
  [[nodiscard]] base::Result<void> append(std::string_view frames, std::uint32_t count);
  [[nodiscard]] base::Result<std::string> read(const Frame& frame) const;
  void acknowledge(std::uint32_t index);
  void writeAcknowledgements();  // those noted since the last time; a lost one only means a duplicate
  void sync();
  void remove();

  [[nodiscard]] bool isWritable() const { return writable_; }
  [[nodiscard]] bool isAllAcknowledged() const { return acknowledged_ == frames_; }
  [[nodiscard]] std::int64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint32_t frames() const { return frames_; }
  [[nodiscard]] std::int64_t tornBytes() const { return torn_bytes_; }
  void seal() { sealed_ = true; }
  [[nodiscard]] bool isSealed() const { return sealed_; }

 private:
  Segment(std::filesystem::path log_path, std::filesystem::path acks_path);
  [[nodiscard]] base::Result<void> openFiles(int flags);
  [[nodiscard]] std::vector<bool> readAcknowledgements() const;

  // Passed in.
  std::filesystem::path log_path_;
  std::filesystem::path acks_path_;

  // Owned.
  FileHandle log_;
  FileHandle acks_;
  std::string acks_to_write_;

  // Derived.
  std::int64_t bytes_ = 0;
  std::int64_t torn_bytes_ = 0;
  std::uint32_t frames_ = 0;
  std::uint32_t acknowledged_ = 0;
  bool writable_ = true;
  bool sealed_ = false;
};

}  // namespace tollgate::spool
