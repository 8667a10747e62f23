// How large an array must be that is indexed by an enum. Compile time.
#pragma once

#include <cstddef>

namespace tollgate::base {

// `last`: the value with the highest number.
template <class Enum>
[[nodiscard]] consteval std::size_t enumSize(Enum last) {
  return static_cast<std::size_t>(last) + 1;
}

}  // namespace tollgate::base
