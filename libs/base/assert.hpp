// TG_ASSERT guards our own invariants, also in release builds (STYLE 16). It is never used on network, store or configuration input. Any
// thread; it ends the process.
#pragma once

namespace tollgate::base {

[[noreturn]] void assertFailed(const char* condition, const char* file, int line) noexcept;

}  // namespace tollgate::base

#define TG_ASSERT(condition) ((condition) ? static_cast<void>(0) : ::tollgate::base::assertFailed(#condition, __FILE__, __LINE__))
