// Measures the rate table: bytes a rate and nanoseconds a lookup. The figures are in libs/digits/README.md.
//
//   rate_table_bench [plans] [rates of each plan]      default: 1 5000000
//
// Prefixes have 4 to 10 digits, most of them 6 to 9, as in the price lists of carriers. A number has 12 digits; nine in ten begin with a
// prefix of the plan, the others are at random. Times are CPU times of the thread and the best of many rounds, but caches are shared with
// other programs: compare two versions only in the same minutes, run by turns.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <malloc.h>
#include <time.h>

#include "libs/base/random.hpp"
#include "libs/money/rate_table.hpp"

namespace {

using namespace tollgate;
constexpr std::size_t kLookups = 500'000;
constexpr int kRounds = 20;

double cpuNanoseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

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

struct Query {
  base::RatePlanId plan;
  std::string number;
};

// The best of several rounds, because other programs can only make a round slower.
double nanosecondsPerLookup(const money::RateTable& table, const std::vector<Query>& queries, std::size_t& found) {
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    found = 0;
    const double began = cpuNanoseconds();
    for (const Query& query : queries) {
      found += table.find(query.plan, query.number, base::WallTime(std::chrono::seconds(1))) ? 1U : 0U;
    }
    const double took = (cpuNanoseconds() - began) / static_cast<double>(queries.size());
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
  std::vector<Query> queries;
  std::int64_t last_id = 0;
  std::size_t bytes = 0;
  double build_time = 0;
  for (std::size_t plan = 1; plan <= plans; ++plan) {
    const base::RatePlanId id(static_cast<std::int64_t>(plan));
    const auto rows = makeRows(random, rates, last_id);
    for (std::size_t at = 0; at < kLookups / plans; ++at) {
      const bool is_known = random.next() % 10 != 0;
      std::string number = is_known ? rows[random.next() % rows.size()].prefix : "";
      number += randomDigits(random, 12 - number.size());
      queries.push_back({id, std::move(number)});
    }
    const std::size_t before = allocatedBytes();
    const double began = cpuNanoseconds();
    made[id] = money::PlanRates::build(id, money::Currency(), rows).value();
    build_time += cpuNanoseconds() - began;
    bytes += allocatedBytes() - before;
  }
  const double began = cpuNanoseconds();
  const auto changed = made[base::RatePlanId(1)]->with({}, {base::RateId(1)}).value();
  const double change_time = cpuNanoseconds() - began;
  for (std::size_t at = queries.size() - 1; at > 0; --at) {
    std::swap(queries[at], queries[random.next() % (at + 1)]);
  }
  const money::RateTable table(std::move(made));
  std::size_t found = 0;
  const double lookup = nanosecondsPerLookup(table, queries, found);
  const std::size_t all = plans * rates;
  std::printf("%zu plans of %zu rates: %.1f bytes a rate (%.0f MB), %.0f ns a lookup (%.0f%% found)\n", plans, rates,
              static_cast<double>(bytes) / static_cast<double>(all), static_cast<double>(bytes) / 1e6, lookup,
              100.0 * static_cast<double>(found) / static_cast<double>(queries.size()));
  std::printf("built in %.0f ms, one rate of a plan changed in %.1f ms\n", build_time / 1e6, change_time / 1e6);
  return changed->size() + 1 == rates ? 0 : 1;
}
