#include "libs/base/ids.hpp"

#include <algorithm>

namespace tollgate::base {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

}  // namespace

CallId CallId::make(std::int64_t wall_milliseconds, Random& random) {
  std::string text(kLength, '0');
  auto time = static_cast<std::uint64_t>(wall_milliseconds);
  for (int i = 9; i >= 0; --i) {
    text[static_cast<std::size_t>(i)] = kAlphabet[time & 31U];
    time >>= 5U;
  }
  for (std::size_t half = 0; half < 2; ++half) {
    auto bits = random.next();
    for (std::size_t i = 0; i < 8; ++i) {
      text[10 + half * 8 + i] = kAlphabet[bits & 31U];
      bits >>= 5U;
    }
  }
  return CallId(std::move(text));
}

CallId CallId::parse(std::string_view text) {
  const bool valid =
      text.size() == kLength && std::all_of(text.begin(), text.end(), [](char c) { return kAlphabet.find(c) != std::string_view::npos; });
  return valid ? CallId(std::string(text)) : CallId();
}

}  // namespace tollgate::base
