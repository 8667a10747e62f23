// TG_ASSERT guards our own invariants and stays on in release. Never for network, store or configuration input.
#pragma once

namespace tollgate::base {

[[noreturn]] void assertFailed(const char* condition, const char* file, int line) noexcept;

}  // namespace tollgate::base

#define TG_ASSERT(condition) ((condition) ? static_cast<void>(0) : ::tollgate::base::assertFailed(#condition, __FILE__, __LINE__))
