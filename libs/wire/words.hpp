// The words for values of Protobuf enums, as JSON and MySQL show them: the value's own name. Pure; any thread.
#pragma once

#include <string>

#include <google/protobuf/generated_enum_reflection.h>

namespace tollgate::wire {

[[nodiscard]] std::string wordOf(const google::protobuf::EnumDescriptor& type, int number);

// "talking" for CALL_PHASE_TALKING; empty for UNSPECIFIED and for a number that this program does not know.
template <class Enum>
[[nodiscard]] std::string wordOf(Enum value) {
  return wordOf(*google::protobuf::GetEnumDescriptor<Enum>(), static_cast<int>(value));
}

}  // namespace tollgate::wire
