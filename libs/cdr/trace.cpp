#include "libs/cdr/trace.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>
#include <zlib.h>

#include "libs/base/assert.hpp"
#include "libs/sql/sql.hpp"

namespace tollgate::cdr {

namespace {

using namespace std::string_view_literals;

// The first byte says how the rest is made. JSON begins with '['.
constexpr char kVersion1 = '\x01';
constexpr std::size_t kTraceBytesMax = 1U << 20U;

// One step is: a byte with the stage (its place in this list plus 1, or 0 and the stage as text) and whether the step passed; the check;
// the text. Texts end with NUL.
constexpr std::array<std::string_view, 4> kStages = {"auth", "routing", "billing", "ingress"};
constexpr unsigned kPassed = 0x80;

// What deflate may refer back to. Part of version 1: a trace cannot be read with another dictionary, so it never changes. What occurs most
// often stands at the end. The length is below the window (4,096 bytes) less the longest match.
constexpr std::string_view kDictionary =
    "invite\0"
    "offer\0"
    "the offer has no codec that the source row allows\0"
    "the SDP of the offer cannot be read\0"
    "refused\0"
    "answer\0"
    "timeout\0"
    "lease\0"
    "no heartbeat for a lease time: closed at \0"
    " confirmed seconds\0"
    "the source address is not an IP address\0"
    " does not accept \0"
    "no source row covers \0"
    "source rows of several trunks cover \0"
    "the called number does not start with the tech prefix of any of these trunks\0"
    "the called number does not start with the tech prefix \0"
    " has no tech prefix\0"
    " does not exist\0"
    " is disabled\0"
    " is blocked\0"
    "called_number\0"
    "there is no called number\0"
    "the called number has no digits after the tech prefix\0"
    " has no active dialpeer\0"
    " is for another customer\0"
    " is inactive\0"
    " is only for calls of trunk \0"
    "requires at least \0"
    "allows at most \0"
    " digits and the called number has \0"
    "no rule of the dialpeers of \0"
    " matches the called number\0"
    " has a mode that is not supported\0"
    " has no usable target\0"
    " takes no outgoing calls\0"
    " has no endpoint\0"
    " is no candidate because a call has at most 32\0"
    " as the next trunk on failure and has 1 endpoint\0"
    "no rate for the number in plan \0"
    "the trunk has no rate plan\0"
    "none of the \0"
    " has a free slot\0"
    "unlimited, needs \0"
    " outgoing calls this second\0"
    " EUR GBP IDR KWD INR CNY \0"
    ", fee 0.010000, minimum 30 s, block 60 s\0"
    "prefix (any): \0"
    "source_row\0"
    "source row 1000 (10.0.0.0/24) of trunk 1000 (Main) covers 192.168.100.10 port 5060\0"
    "tech_prefix\0"
    "the called number starts with the tech prefix 55\0"
    "trunk_state\0"
    "trunk 1000 (Main) is enabled\0"
    "customer_state\0"
    "customer 1000 (Telecom) is active\0"
    "dialpeer\0"
    "trunk 1000 has 1 active dialpeer\0"
    "rule\0"
    "rule 1000 (374 Armenia) of dialpeer 1000 has the longest code that matches the called number\0"
    "candidate\0"
    "trunk 1000 (Carrier) is candidate 1 and has 1 endpoint\0"
    "candidate\0"
    "trunk 1001 (Carrier) is candidate 2 and has 2 endpoints\0"
    "rate\0"
    "plan 1 prefix 374: 0.060000 USD per minute, block 1 s\0"
    "cps\0"
    "0 (no limit) incoming calls this second\0"
    "incoming_slot\0"
    "0 of 10 incoming calls in use\0"
    "credit\0"
    "available 100.000000 USD (balance 100.000000, held 0.000000, floor 0.000000), needs 0.001000 for the first block, holds 0.060000 for "
    "60 s\0"
    "candidate\0"
    "trunk 1000 Carrier: 0 (no limit) outgoing calls in use\0"sv;
static_assert(kDictionary.size() < 3800);

constexpr int kWindowBits = -12;  // 4,096 bytes, without the header of zlib
constexpr int kMemoryLevel = 5;
constexpr int kLevel = 6;

Bytef* bytesOf(const char* text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text));  // zlib's input pointers are not const
}

// One per thread, kept: making one costs more than compressing a trace.
class Deflater {
 public:
  Deflater() { TG_ASSERT(deflateInit2(&stream_, kLevel, Z_DEFLATED, kWindowBits, kMemoryLevel, Z_DEFAULT_STRATEGY) == Z_OK); }
  ~Deflater() { (void)deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void append(const std::string& from, std::string& to) {
    TG_ASSERT(deflateReset(&stream_) == Z_OK);
    TG_ASSERT(deflateSetDictionary(&stream_, bytesOf(kDictionary.data()), static_cast<uInt>(kDictionary.size())) == Z_OK);
    const std::size_t head = to.size();
    to.resize(head + deflateBound(&stream_, static_cast<uLong>(from.size())));
    stream_.next_in = bytesOf(from.data());
    stream_.avail_in = static_cast<uInt>(from.size());
    stream_.next_out = bytesOf(to.data() + head);
    stream_.avail_out = static_cast<uInt>(to.size() - head);
    TG_ASSERT(deflate(&stream_, Z_FINISH) == Z_STREAM_END);
    to.resize(to.size() - stream_.avail_out);
  }

 private:
  z_stream stream_{};
};

base::Result<std::string> inflateAll(std::string_view packed) {
  z_stream stream{};
  TG_ASSERT(inflateInit2(&stream, kWindowBits) == Z_OK);
  TG_ASSERT(inflateSetDictionary(&stream, bytesOf(kDictionary.data()), static_cast<uInt>(kDictionary.size())) == Z_OK);
  stream.next_in = bytesOf(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  std::string plain;
  int outcome = Z_OK;
  while (outcome == Z_OK && plain.size() < kTraceBytesMax) {
    std::array<char, 4096> piece{};
    stream.next_out = bytesOf(piece.data());
    stream.avail_out = static_cast<uInt>(piece.size());
    outcome = inflate(&stream, Z_NO_FLUSH);
    plain.append(piece.data(), piece.size() - stream.avail_out);
  }
  (void)inflateEnd(&stream);
  if (outcome != Z_STREAM_END) {
    return base::fail(base::ErrorCode::kInvalid, "is not a packed trace");
  }
  return plain;
}

void appendText(std::string_view text, std::string& to) {
  to += sql::fit(text, std::numeric_limits<std::size_t>::max());
  to += '\0';
}

std::string plainOf(const google::protobuf::RepeatedPtrField<common::v1::TraceStep>& steps) {
  std::string plain;
  for (const common::v1::TraceStep& step : steps) {
    unsigned stage = 0;
    for (std::size_t i = 0; i < kStages.size(); ++i) {
      stage = kStages[i] == step.stage() ? static_cast<unsigned>(i + 1) : stage;
    }
    plain += static_cast<char>(stage | (step.passed() ? kPassed : 0));
    if (stage == 0) {
      appendText(step.stage(), plain);
    }
    appendText(step.check(), plain);
    appendText(step.found(), plain);
    if (plain.size() > kTraceBytesMax / 2) {
      break;  // far beyond what a call's checks can be; the rest is not kept
    }
  }
  return plain;
}

// The next text of `plain`, which is removed from it; nullopt when there is none.
std::optional<std::string> takeText(std::string_view& plain) {
  const std::size_t end = plain.find('\0');
  if (end == std::string_view::npos) {
    return std::nullopt;
  }
  std::string text(plain.substr(0, end));
  plain.remove_prefix(end + 1);
  return text;
}

base::Result<std::vector<base::TraceStep>> stepsOf(std::string_view plain) {
  std::vector<base::TraceStep> steps;
  while (!plain.empty()) {
    const auto head = static_cast<unsigned char>(plain[0]);
    const unsigned stage = head & ~kPassed;
    plain.remove_prefix(1);
    base::TraceStep step;
    step.passed = (head & kPassed) != 0;
    if (stage > kStages.size()) {
      return base::fail(base::ErrorCode::kInvalid, "is a trace with a stage that is not known");
    }
    auto stage_text = stage == 0 ? takeText(plain) : std::optional<std::string>(kStages[stage - 1]);
    auto check = takeText(plain);
    auto found = takeText(plain);
    if (!stage_text || !check || !found) {
      return base::fail(base::ErrorCode::kInvalid, "is a trace that ends inside a step");
    }
    step.stage = std::move(*stage_text);
    step.check = std::move(*check);
    step.found = std::move(*found);
    steps.push_back(std::move(step));
  }
  return steps;
}

base::Result<std::vector<base::TraceStep>> stepsOfJson(std::string_view text) {
  const auto list = nlohmann::json::parse(text, nullptr, false);
  if (!list.is_array()) {
    return base::fail(base::ErrorCode::kInvalid, "is not a trace");
  }
  std::vector<base::TraceStep> steps;
  for (const auto& item : list) {
    if (!item.is_object()) {
      return base::fail(base::ErrorCode::kInvalid, "is not a trace");
    }
    const auto text_of = [&item](const char* name) {
      const auto found = item.find(name);
      return found != item.end() && found->is_string() ? found->get<std::string>() : std::string();
    };
    const auto passed = item.find("passed");
    steps.push_back(
        {text_of("stage"), text_of("check"), text_of("found"), passed != item.end() && passed->is_boolean() && passed->get<bool>()});
  }
  return steps;
}

}  // namespace

std::string packTrace(const google::protobuf::RepeatedPtrField<common::v1::TraceStep>& steps) {
  thread_local Deflater deflater;
  std::string packed(1, kVersion1);
  deflater.append(plainOf(steps), packed);
  return packed;
}

base::Result<std::vector<base::TraceStep>> unpackTrace(std::string_view stored) {
  if (!stored.starts_with(kVersion1)) {
    return stepsOfJson(stored);
  }
  TG_TRY_ASSIGN(plain, inflateAll(stored.substr(1)));
  return stepsOf(plain);
}

}  // namespace tollgate::cdr
