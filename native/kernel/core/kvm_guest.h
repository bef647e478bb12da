#pragma once

#include <atomic>
#include <string>

#include "core/canary_program.h"
#include "core/mapping.h"
#include "core/unique_fd.h"

struct kvm_run;

namespace vmpulse {

#if defined(__x86_64__) || defined(__i386__)
inline constexpr bool kCanarySupported = true;
#else
inline constexpr bool kCanarySupported = false;  // The programs are x86 real-mode code.
#endif

// The signal that gets a vCPU out of KVM_RUN. Ignored by default, so a stray one harms nobody.
extern const int kKickSignal;

// A throw-away VM: one page of memory, one vCPU, no devices. All of it is freed with the object.
// To be created, run and destroyed on one thread, with all signals blocked there.
class KvmGuest {
 public:
  enum class Exit { output, halted, interrupted, other };

  // Throws SyscallError.
  explicit KvmGuest(const CanaryProgram& program);

  // Runs until the next exit; port output is appended. `interrupted` by requestExit() or the kick signal.
  // Throws SyscallError.
  Exit step(std::string& output);

  // Number of the last exit as in <linux/kvm.h>.
  uint32_t exitReason() const;

  // From any thread: the next or present KVM_RUN returns at once (present: together with the kick signal).
  void requestExit();

 private:
  kvm_run* run() const;
  void setRegisters();
  void admitKickSignal();

  // Destroyed from below upwards: the vCPU before its VM, the VM before the memory that it maps.
  UniqueFd kvm_;
  Mapping memory_;
  UniqueFd vm_;
  UniqueFd vcpu_;
  Mapping run_;
};

}  // namespace vmpulse
