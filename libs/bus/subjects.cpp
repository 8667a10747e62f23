#include "libs/bus/subjects.hpp"

namespace tollgate::bus::subjects {
namespace {

std::string join(std::string_view head, std::string_view noun, std::string_view version, std::string_view verb) {
  std::string subject;
  subject.reserve(head.size() + noun.size() + version.size() + verb.size() + 24);
  subject.append(head).append(noun).append(version).append(verb);
  return subject;
}

}  // namespace

std::string callEvent(std::string_view past_verb, base::TrunkId trunk) {
  return join("tg.evt.", "call", ".v1.", past_verb).append(".").append(std::to_string(trunk.value()));
}

std::string configChanged(std::string_view entity) {
  return join("tg.evt.", "config", ".v1.changed.", entity);
}

std::string creditEvent(std::string_view past_verb, base::CustomerId customer) {
  return join("tg.evt.", "credit", ".v1.", past_verb).append(".").append(std::to_string(customer.value()));
}

std::string instanceAlive(std::string_view instance) {
  return join("tg.evt.", "ingress", ".v1.alive.", instance);
}

std::string deliver(std::string_view durable) {
  return join("tg.deliver.", durable, "", "");
}

}  // namespace tollgate::bus::subjects
