// A test program that spools records until it is killed: usage killed_program DIRECTORY RUN. It writes the id of each record that its bus
// is given to stdout, a line each, and the bus acknowledges every second one.
#include "libs/spool/killed_program.hpp"

#include <string>
#include <string_view>

#include <unistd.h>

namespace tollgate::spool {
namespace {

// Large, so that the longer runs copy their log into the file several times.
constexpr std::size_t kRecordBytes = 20'000;
// The pace of calls: transactions of a few records, and acknowledgements between them.
constexpr useconds_t kPauseMicros = 300;

int run(const SpoolSettings& settings, const std::string& name) {
  auto spool = RecordSpool::open(
      settings,
      [](std::string_view, std::string_view id, std::string_view, auto done) {
        const std::string line = std::string(id) + "\n";
        if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
          ::_exit(1);
        }
        if (id.back() == '+') {
          done(1);
        }
      },
      [](std::string_view) {});
  for (int i = 0; spool; ++i) {
    const std::string id = name + "." + std::to_string(i) + (i % 2 == 0 ? "+" : "-");
    while (!(*spool)->append("tg.evt.call.v1.ended.1", id, std::string(kRecordBytes, 'x'))) {
      ::usleep(kPauseMicros);  // on a slow disk the queue is full
    }
    ::usleep(kPauseMicros);
  }
  return 1;
}

}  // namespace
}  // namespace tollgate::spool

int main(int argc, char** argv) {
  return argc == 3 ? tollgate::spool::run(tollgate::spool::killedSettings(argv[1]), argv[2]) : 2;
}
