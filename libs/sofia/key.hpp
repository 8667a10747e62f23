// The value by which the owner of a handle or timer finds its own state again: {index, generation} packed by the owner, never a pointer.
// The stack may call after that state was destroyed and its index is used again; then the generation differs (STYLE 20). 0 = nobody. Any
// thread.
#pragma once

#include <cstdint>

namespace tollgate::sofia {

using Key = std::uint64_t;
constexpr Key kNoKey = 0;

}  // namespace tollgate::sofia
