#include "services/ingress/service.hpp"

int main(int argc, char** argv) {
  return tollgate::service::run(argc, argv, tollgate::ingress::definition());
}
