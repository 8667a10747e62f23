#include "libs/wire/words.hpp"

#include <string_view>

#include <google/protobuf/descriptor.h>

#include "libs/base/text.hpp"

namespace tollgate::wire {

std::string wordOf(const google::protobuf::EnumDescriptor& type, int number) {
  constexpr std::string_view kUnspecified = "UNSPECIFIED";
  const auto* value = type.FindValueByNumber(number);
  if (value == nullptr || number == 0) {
    return {};
  }
  // Every value's name begins as that of 0, which is <PREFIX>_UNSPECIFIED (STYLE 27).
  return base::lower(value->name().substr(type.FindValueByNumber(0)->name().size() - kUnspecified.size()));
}

}  // namespace tollgate::wire
