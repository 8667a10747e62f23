// Ties a C++ enum to its Protobuf enum in a test: the same values under the same names, in both directions. Test thread.
// The names come from the compiler's spelling of a template argument, so there is no list of names that could lack a value.
#pragma once

#include <array>
#include <cctype>
#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

namespace tollgate::wire {

// "kNoRoute" for a named value, empty for a number without a name. GCC and clang.
template <class E, E kValue>
constexpr std::string_view enumeratorName() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("kValue = ") + 9);
  text = text.substr(0, text.find_first_of(";]"));
  return text.front() == '(' ? std::string_view{} : text.substr(text.rfind(':') + 1);
}

// kNoRoute -> NO_ROUTE, kG729 -> G729
inline std::string protoName(std::string_view name) {
  std::string words;
  for (const char letter : name.substr(1)) {
    if (std::isupper(static_cast<unsigned char>(letter)) != 0 && !words.empty()) {
      words += '_';
    }
    words += static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return words;
}

// `prefix` is what every value of the Protobuf enum begins with: "REASON_". Zero is UNSPECIFIED there; in C++ it may have any name or none.
// `own`: values that exist in C++ alone.
template <class E, E kLast>
void expectSameEnum(const google::protobuf::EnumDescriptor& descriptor, const std::string& prefix, const std::set<std::string>& own = {}) {
  constexpr std::size_t kSize = static_cast<std::size_t>(kLast) + 1;
  const auto names = []<std::size_t... kNumbers>(std::index_sequence<kNumbers...>) {
    return std::array<std::string_view, kSize>{enumeratorName<E, static_cast<E>(kNumbers)>()...};
  }
  (std::make_index_sequence<kSize>());
  EXPECT_FALSE(names.back().empty());
  EXPECT_TRUE((enumeratorName<E, static_cast<E>(kSize)>().empty())) << "there is a value after the last";
  for (std::size_t number = 1; number < kSize; ++number) {
    const auto* value = descriptor.FindValueByNumber(static_cast<int>(number));
    const auto name = names[number].empty() ? std::string() : protoName(names[number]);
    EXPECT_EQ(value == nullptr ? "" : value->name(), name.empty() || own.contains(name) ? name.substr(0, 0) : prefix + name) << number;
  }
  for (int i = 0; i < descriptor.value_count(); ++i) {
    EXPECT_LT(descriptor.value(i)->number(), static_cast<int>(kSize)) << descriptor.value(i)->name() << " has no value in C++";
  }
}

}  // namespace tollgate::wire
