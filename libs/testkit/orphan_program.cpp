// A test program that starts a child, writes its pid to the file named by the argument and waits to be killed.
#include <unistd.h>

#include "libs/testkit/child.hpp"
#include "libs/testkit/temp_dir.hpp"

int main(int argc, char** argv) {
  tollgate::testkit::Child::Options options;
  options.command = {"sleep", "1000"};
  const auto child = tollgate::testkit::Child::start(options);
  if (argc != 2 || !child) {
    return 1;
  }
  tollgate::testkit::writeFile(argv[1], std::to_string((*child)->pid()) + "\n");
  ::pause();
  return 0;
}
