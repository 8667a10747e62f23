// A fixed pool of threads with a bounded queue for work that blocks. submit() from any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "libs/base/result.hpp"

namespace tollgate::sql {

class Workers {
 public:
  Workers(std::string name, std::size_t threads, std::size_t queue_max);
  ~Workers();  // finishes what is queued, then joins
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  // kOverLimit when the queue is full.
  [[nodiscard]] base::Result<void> submit(std::function<void()> task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::sql
