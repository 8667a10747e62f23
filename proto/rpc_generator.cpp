// Writes <file>.rpc.h for each `service` of a .proto: its RPCs as types from which libs/bus makes typed clients and servers.
// usage: rpc_generator DESCRIPTOR_SET PROTO_FILE OUTPUT     (a build step; the descriptor set comes from protoc)
//
// The subject of every RPC is derived here and nowhere else: tg.<space>.<service>.<version>.<verb in snake_case>, where the space is "ctl"
// for the package tollgate.control and "rpc" for every other.
#include <cctype>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

namespace {

using google::protobuf::FileDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

std::string snakeCase(std::string_view name) {
  std::string words;
  for (const char letter : name) {
    if (std::isupper(static_cast<unsigned char>(letter)) != 0 && !words.empty()) {
      words += '_';
    }
    words += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  return words;
}

std::string cppName(const std::string& proto_name) {
  std::string name;
  for (const char letter : proto_name) {
    letter == '.' ? name += "::" : name += letter;
  }
  return name;
}

// tollgate.auth.v1 -> tg.rpc.auth.v1.
std::string subjectHead(const ServiceDescriptor& service) {
  const std::string& package = service.file()->package();
  const auto version = package.substr(package.rfind('.') + 1);
  const bool is_control = package.rfind("tollgate.control.", 0) == 0;
  return std::string("tg.") + (is_control ? "ctl" : "rpc") + "." + snakeCase(service.name()) + "." + version + ".";
}

void writeMethod(const MethodDescriptor& method, std::ostream& out) {
  std::string handler = method.name();
  handler[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(handler[0])));
  out << "  struct " << method.name() << " {\n"
      << "    using Service = " << method.service()->name() << ";\n"
      << "    using Request = ::" << cppName(method.input_type()->full_name()) << ";\n"
      << "    using Reply = ::" << cppName(method.output_type()->full_name()) << ";\n"
      << "    static constexpr std::string_view kSubject = \"" << subjectHead(*method.service()) << snakeCase(method.name()) << "\";\n"
      << "    template <class Handler, class... Arguments>\n"
      << "    static void handle(Handler& handler, Arguments&&... arguments) {\n"
      << "      handler." << handler << "(std::forward<Arguments>(arguments)...);\n"
      << "    }\n"
      << "  };\n\n";
}

void writeService(const ServiceDescriptor& service, std::ostream& out) {
  out << "struct " << service.name() << " {\n"
      << "  static constexpr std::string_view kName = \"" << snakeCase(service.name()) << "\";\n\n";
  std::string verbs;
  for (int i = 0; i < service.method_count(); ++i) {
    writeMethod(*service.method(i), out);
    verbs += (i == 0 ? "" : ", ") + service.method(i)->name();
  }
  out << "  using Verbs = std::tuple<" << verbs << ">;\n};\n\n";
}

void writeFile(const FileDescriptor& file, std::ostream& out) {
  const std::string stem = file.name().substr(0, file.name().rfind('.'));
  out << "// Made from " << file.name() << " by proto/rpc_generator.cpp. For libs/bus/rpc.hpp and libs/bus/control.hpp.\n"
      << "#pragma once\n\n#include <string_view>\n#include <tuple>\n#include <utility>\n\n#include \"" << stem << ".pb.h\"\n\n"
      << "namespace " << cppName(file.package()) << " {\n\n";
  for (int i = 0; i < file.service_count(); ++i) {
    writeService(*file.service(i), out);
  }
  out << "}  // namespace " << cppName(file.package()) << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: rpc_generator DESCRIPTOR_SET PROTO_FILE OUTPUT\n";
    return 2;
  }
  std::ifstream input(argv[1], std::ios::binary);
  google::protobuf::FileDescriptorSet files;
  if (!files.ParseFromIstream(&input)) {
    std::cerr << argv[1] << ": not a descriptor set\n";
    return 1;
  }
  google::protobuf::DescriptorPool pool;
  for (const auto& file : files.file()) {
    if (pool.BuildFile(file) == nullptr) {
      std::cerr << file.name() << ": cannot be built\n";
      return 1;
    }
  }
  const FileDescriptor* file = pool.FindFileByName(argv[2]);
  if (file == nullptr) {
    std::cerr << argv[2] << ": not in the descriptor set\n";
    return 1;
  }
  std::ofstream out(argv[3]);
  writeFile(*file, out);
  return out.flush() ? 0 : 1;
}
