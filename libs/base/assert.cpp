#include "libs/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace tollgate::base {

void assertFailed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, condition);
  std::abort();
}

}  // namespace tollgate::base
