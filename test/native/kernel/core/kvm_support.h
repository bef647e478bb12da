#pragma once

#include <unistd.h>

// First line of every test that needs real KVM: without it the test is skipped, visibly.
#define VMPULSE_NEEDS_KVM() \
  if (::access("/dev/kvm", R_OK | W_OK) != 0) GTEST_SKIP() << "no usable /dev/kvm on this machine"
