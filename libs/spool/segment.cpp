#include "libs/spool/segment.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace tollgate::spool {
namespace {

constexpr std::string_view kPrefix = "segment-";
constexpr std::string_view kLogSuffix = ".log";
constexpr std::size_t kPayloadHeadBytes = 4;
constexpr std::size_t kAckBytes = 8;
constexpr mode_t kFileMode = 0600;

std::filesystem::path pathOf(const std::filesystem::path& directory, std::uint64_t number, std::string_view suffix) {
  std::string digits = std::to_string(number);
  digits.insert(0, 12 - std::min<std::size_t>(12, digits.size()), '0');
  return directory / (std::string(kPrefix) + digits + std::string(suffix));
}

base::Error fileError(const std::filesystem::path& path, const char* what) {
  return {base::ErrorCode::kInternal, path.string() + ": " + what + ": " + std::strerror(errno)};
}

template <class Number>
void put(std::string& out, Number number) {
  char bytes[sizeof number];
  std::memcpy(bytes, &number, sizeof number);
  out.append(bytes, sizeof number);
}

template <class Number>
Number get(const char* from) {
  Number number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

std::uint32_t crcOf(std::string_view payload) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(payload.data()), payload.size()));
}

// All of it or nothing but an error.
bool writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool readAll(int fd, std::int64_t offset, char* into, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::pread(fd, into, size, offset);
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got <= 0) {
      return false;
    }
    into += got;
    offset += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace

std::string makePayload(const RecordView& record) {
  std::string payload;
  payload.reserve(kPayloadHeadBytes + record.subject.size() + record.message_id.size() + record.data.size());
  put(payload, static_cast<std::uint16_t>(record.subject.size()));
  put(payload, static_cast<std::uint16_t>(record.message_id.size()));
  payload.append(record.subject).append(record.message_id).append(record.data);
  return payload;
}

base::Result<RecordView> readPayload(std::string_view payload) {
  if (payload.size() < kPayloadHeadBytes) {
    return base::fail(base::ErrorCode::kInvalid, "spooled record too short");
  }
  const std::size_t subject = get<std::uint16_t>(payload.data());
  const std::size_t id = get<std::uint16_t>(payload.data() + 2);
  payload.remove_prefix(kPayloadHeadBytes);
  if (subject + id > payload.size()) {
    return base::fail(base::ErrorCode::kInvalid, "spooled record too short");
  }
  return RecordView{payload.substr(0, subject), payload.substr(subject, id), payload.substr(subject + id)};
}

void appendFrame(std::string_view payload, std::string& frames) {
  put(frames, static_cast<std::uint32_t>(payload.size()));
  put(frames, crcOf(payload));
  frames.append(payload);
}

FileHandle::FileHandle(FileHandle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

FileHandle::~FileHandle() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

Segment::Segment(std::filesystem::path log_path, std::filesystem::path acks_path)
    : log_path_(std::move(log_path)), acks_path_(std::move(acks_path)) {}

base::Result<void> Segment::openFiles(int flags) {
  log_ = FileHandle(::open(log_path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | flags, kFileMode));
  if (!log_.isOpen()) {
    return tl::unexpected(fileError(log_path_, "cannot be opened"));
  }
  acks_ = FileHandle(::open(acks_path_.c_str(), O_RDWR | O_APPEND | O_CLOEXEC | O_CREAT, kFileMode));
  if (!acks_.isOpen()) {
    return tl::unexpected(fileError(acks_path_, "cannot be opened"));
  }
  return {};
}

base::Result<std::unique_ptr<Segment>> Segment::create(const std::filesystem::path& directory, std::uint64_t number) {
  // The constructor is private.
  std::unique_ptr<Segment> segment(new Segment(pathOf(directory, number, kLogSuffix), pathOf(directory, number, ".acks")));
  TG_TRY(segment->openFiles(O_CREAT | O_EXCL));
  const FileHandle folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  static_cast<void>(::fsync(folder.get()));  // so that the name survives a power failure too
  return segment;
}

std::vector<bool> Segment::readAcknowledgements() const {
  std::vector<bool> acknowledged;
  char entry[kAckBytes];
  for (std::int64_t at = 0; readAll(acks_.get(), at, entry, sizeof entry); at += static_cast<std::int64_t>(sizeof entry)) {
    const auto index = get<std::uint32_t>(entry);
    if (get<std::uint32_t>(entry + 4) != ~index || index > kPayloadBytesMax) {
      break;  // torn
    }
    if (acknowledged.size() <= index) {
      acknowledged.resize(index + 1);
    }
    acknowledged[index] = true;
  }
  return acknowledged;
}

base::Result<std::unique_ptr<Segment>> Segment::reopen(const std::filesystem::path& directory, std::uint64_t number,
                                                       std::vector<Frame>& unacknowledged) {
  std::unique_ptr<Segment> segment(new Segment(pathOf(directory, number, kLogSuffix), pathOf(directory, number, ".acks")));
  TG_TRY(segment->openFiles(0));
  segment->sealed_ = true;
  segment->writable_ = false;
  struct stat info {};
  if (::fstat(segment->log_.get(), &info) != 0) {
    return tl::unexpected(fileError(segment->log_path_, "cannot be read"));
  }
  const std::vector<bool> acknowledged = segment->readAcknowledgements();
  std::string payload;
  std::int64_t at = 0;
  char head[kFrameHeadBytes];
  while (at + static_cast<std::int64_t>(kFrameHeadBytes) <= info.st_size && readAll(segment->log_.get(), at, head, sizeof head)) {
    const auto length = get<std::uint32_t>(head);
    const std::int64_t payload_at = at + static_cast<std::int64_t>(kFrameHeadBytes);
    if (length > kPayloadBytesMax || payload_at + length > info.st_size) {
      break;
    }
    payload.resize(length);
    if (!readAll(segment->log_.get(), payload_at, payload.data(), length) || crcOf(payload) != get<std::uint32_t>(head + 4) ||
        !readPayload(payload)) {
      break;
    }
    const std::uint32_t index = segment->frames_++;
    if (index < acknowledged.size() && acknowledged[index]) {
      ++segment->acknowledged_;
    } else {
      unacknowledged.push_back({index, payload_at, length});
    }
    at = payload_at + length;
  }
  segment->bytes_ = info.st_size;
  segment->torn_bytes_ = info.st_size - at;
  return segment;
}

std::vector<std::uint64_t> Segment::list(const std::filesystem::path& directory) {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kLogSuffix)) {
      continue;
    }
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size() - kLogSuffix.size();
    const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, number);
    if (parsed.ec == std::errc{} && parsed.ptr == end) {
      numbers.push_back(number);
    }
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

base::Result<void> Segment::append(std::string_view frames, std::uint32_t count) {
  if (!writeAll(log_.get(), frames)) {
    const base::Error error = fileError(log_path_, "cannot be written");
    writable_ = ::ftruncate(log_.get(), bytes_) == 0;
    return tl::unexpected(error);
  }
  bytes_ += static_cast<std::int64_t>(frames.size());
  frames_ += count;
  return {};
}

base::Result<std::string> Segment::read(const Frame& frame) const {
  std::string payload(frame.length, '\0');
  if (!readAll(log_.get(), frame.offset, payload.data(), payload.size())) {
    return tl::unexpected(fileError(log_path_, "cannot be read"));
  }
  return payload;
}

void Segment::acknowledge(std::uint32_t index) {
  ++acknowledged_;
  put(acks_to_write_, index);
  put(acks_to_write_, ~index);
}

void Segment::writeAcknowledgements() {
  if (!acks_to_write_.empty()) {
    static_cast<void>(writeAll(acks_.get(), acks_to_write_));
    acks_to_write_.clear();
  }
}

void Segment::sync() {
  static_cast<void>(::fdatasync(log_.get()));
}

void Segment::remove() {
  std::error_code ignored;  // what stays is removed at the next open
  std::filesystem::remove(log_path_, ignored);
  std::filesystem::remove(acks_path_, ignored);
}

}  // namespace tollgate::spool
