// Measures the rate table: bytes a rate and nanoseconds a lookup. The figures are in libs/digits/README.md.
//
//   rate_table_bench [plans] [rates of each plan]      default: 1 5000000
//
// Prefixes have 4 to 10 digits, most of them 6 to 9, as in the price lists of carriers. A number has 12 digits; nine in ten begin with a
// prefix of the plan, the others are at random. Run it in a release build on an idle machine.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <malloc.h>

#include "libs/base/random.hpp"
#include "libs/money/rate_table.hpp"

namespace {

using namespace tollgate;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLookups = 2'000'000;
constexpr int kRounds = 5;

std::string randomDigits(base::SeededRandom& random, std::size_t count) {
  std::string digits;
  for (std::size_t at = 0; at < count; ++at) {
    digits.push_back(static_cast<char>('0' + random.next() % 10));
  }
  return digits;
}

std::size_t prefixLength(base::SeededRandom& random) {
  constexpr std::size_t kLengths[] = {4, 5, 6, 6, 7, 7, 7, 8, 8, 9, 9, 10};
  return kLengths[random.next() % std::size(kLengths)];
}

std::vector<money::RateRow> makeRows(base::SeededRandom& random, std::size_t count, std::int64_t& last_id) {
  std::vector<money::RateRow> rows(count);
  for (auto& row : rows) {
    row.id = base::RateId(++last_id);
    row.prefix = randomDigits(random, prefixLength(random));
    row.per_minute_micros = row.id.value();
  }
  // As MySQL returns them.
  std::sort(rows.begin(), rows.end(), [](const auto& left, const auto& right) { return left.prefix < right.prefix; });
  return rows;
}

std::size_t allocatedBytes() {
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

double milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

struct Question {
  base::RatePlanId plan;
  std::string number;
};

// The best of several rounds: what other programs take from the machine only ever adds.
double nanosecondsPerLookup(const money::RateTable& table, const std::vector<Question>& questions, std::size_t& found) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    found = 0;
    const auto began = Clock::now();
    for (const Question& question : questions) {
      found += table.find(question.plan, question.number, base::WallTime(std::chrono::seconds(1))) ? 1U : 0U;
    }
    const double took = std::chrono::duration<double, std::nano>(Clock::now() - began).count() / static_cast<double>(questions.size());
    best = round == 0 ? took : std::min(best, took);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t plans = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1;
  const std::size_t rates = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 5'000'000;
  if (plans == 0 || rates == 0) {
    std::fprintf(stderr, "usage: rate_table_bench [plans] [rates of each plan]\n");
    return 2;
  }
  base::SeededRandom random(20261121);
  money::RateTable::Plans made;
  std::vector<Question> questions;
  std::int64_t last_id = 0;
  std::size_t bytes = 0;
  Clock::duration build_time{};
  for (std::size_t plan = 1; plan <= plans; ++plan) {
    const base::RatePlanId id(static_cast<std::int64_t>(plan));
    const auto rows = makeRows(random, rates, last_id);
    for (std::size_t at = 0; at < kLookups / plans; ++at) {
      const bool is_known = random.next() % 10 != 0;
      std::string number = is_known ? rows[random.next() % rows.size()].prefix : "";
      number += randomDigits(random, 12 - number.size());
      questions.push_back({id, std::move(number)});
    }
    const std::size_t before = allocatedBytes();
    const auto began = Clock::now();
    made[id] = money::PlanRates::build(id, money::Currency(), rows).value();
    build_time += Clock::now() - began;
    bytes += allocatedBytes() - before;
  }
  const auto began = Clock::now();
  const auto changed = made[base::RatePlanId(1)]->with({}, {base::RateId(1)}).value();
  const auto change_time = Clock::now() - began;
  for (std::size_t at = questions.size() - 1; at > 0; --at) {
    std::swap(questions[at], questions[random.next() % (at + 1)]);
  }
  const money::RateTable table(std::move(made));
  std::size_t found = 0;
  const double lookup = nanosecondsPerLookup(table, questions, found);
  const std::size_t all = plans * rates;
  std::printf("%zu plans of %zu rates: %.1f bytes a rate (%.0f MB), %.0f ns a lookup (%.0f%% found)\n", plans, rates,
              static_cast<double>(bytes) / static_cast<double>(all), static_cast<double>(bytes) / 1e6, lookup,
              100.0 * static_cast<double>(found) / static_cast<double>(questions.size()));
  std::printf("built in %.0f ms, one rate of a plan changed in %.1f ms\n", milliseconds(build_time), milliseconds(change_time));
  return changed->size() + 1 == rates ? 0 : 1;
}
