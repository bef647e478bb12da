#include "core/kvm_guest.h"

#include <linux/kvm.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/kvm_device.h"
#include "core/syscall_error.h"

namespace vmpulse {

namespace {

constexpr size_t kPageBytes = 4096;
// Where Intel's KVM may put its task segment: just under the top of 4 GiB, far from the one page of memory.
constexpr unsigned long kTaskSegment = 0xfffbd000;
constexpr const char* kSubject = "canary VM";

// kvm_signal_mask with its flexible array filled in. Our own, as the macro behind that array in kernel
// headers before 6.6 gives it another size and offset in C++ than in C, and with the size another request
// number.
struct SignalMask {
  uint32_t length;
  unsigned char blocked[8];
};
static_assert(sizeof(SignalMask) == 12 && offsetof(SignalMask, blocked) == sizeof(uint32_t));
constexpr unsigned long kSetSignalMask = _IOW(KVMIO, 0x8b, uint32_t);

UniqueFd createVm(const UniqueFd& kvm) {
  // 0 asks for the default machine type. The kernel marks the new descriptor close-on-exec.
  return UniqueFd(checked(::ioctl(kvm.get(), KVM_CREATE_VM, 0), "ioctl(KVM_CREATE_VM)", "/dev/kvm"));
}

UniqueFd createVcpu(const UniqueFd& vm) {
  // The argument is the vCPU's number. The kernel marks the new descriptor close-on-exec.
  return UniqueFd(checked(::ioctl(vm.get(), KVM_CREATE_VCPU, 0), "ioctl(KVM_CREATE_VCPU)", kSubject));
}

}  // namespace

const int kKickSignal = SIGURG;

KvmGuest::KvmGuest(const CanaryProgram& program)
    : kvm_(openKvm()),
      memory_(kPageBytes, -1, "canary memory"),
      vm_(createVm(kvm_)),
      vcpu_(createVcpu(vm_)),
      run_(static_cast<size_t>(kvmVcpuMmapBytes(kvm_)), vcpu_.get(), "canary vCPU") {
  if (program.image.size() > kPageBytes) throw SyscallError(E2BIG, "mmap", "canary memory");
  std::memcpy(memory_.data(), program.image.data(), program.image.size());

  kvm_userspace_memory_region region{};
  region.guest_phys_addr = kCanaryLoadAddress;
  region.memory_size = memory_.bytes();
  region.userspace_addr = reinterpret_cast<uintptr_t>(memory_.data());
  // The kernel reads the structure now and the memory while the VM lives; memory_ outlives vm_.
  checked(::ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region), "ioctl(KVM_SET_USER_MEMORY_REGION)",
          kSubject);
  setRegisters();
  admitKickSignal();
}

#if defined(__x86_64__) || defined(__i386__)
void KvmGuest::setRegisters() {
  // An address, passed by value: needed for real mode on older Intel CPUs, accepted everywhere on x86.
  checked(::ioctl(vm_.get(), KVM_SET_TSS_ADDR, kTaskSegment), "ioctl(KVM_SET_TSS_ADDR)", kSubject);

  // Both structures have the fixed size that the request number encodes; the kernel fills, then reads them.
  kvm_sregs segments{};
  checked(::ioctl(vcpu_.get(), KVM_GET_SREGS, &segments), "ioctl(KVM_GET_SREGS)", kSubject);
  segments.cs.base = segments.ds.base = 0;
  segments.cs.selector = segments.ds.selector = 0;
  checked(::ioctl(vcpu_.get(), KVM_SET_SREGS, &segments), "ioctl(KVM_SET_SREGS)", kSubject);

  kvm_regs registers{};
  registers.rip = kCanaryLoadAddress;
  registers.rflags = 2;  // Bit 1 is always set; interrupts are off.
  checked(::ioctl(vcpu_.get(), KVM_SET_REGS, &registers), "ioctl(KVM_SET_REGS)", kSubject);
}
#else
void KvmGuest::setRegisters() {}
#endif

// The kick signal is blocked on this thread except inside KVM_RUN. So one that comes just before KVM_RUN is
// not lost, no handler ever runs, and the host program's handlers and masks stay as they are.
void KvmGuest::admitKickSignal() {
  SignalMask mask{sizeof(mask.blocked), {}};
  const uint64_t blocked = ~(uint64_t{1} << (kKickSignal - 1));
  std::memcpy(mask.blocked, &blocked, sizeof(blocked));
  // The kernel reads the header and then `length` bytes, 8 as its own sigset has: exactly this structure.
  checked(::ioctl(vcpu_.get(), kSetSignalMask, &mask), "ioctl(KVM_SET_SIGNAL_MASK)", kSubject);
}

KvmGuest::Exit KvmGuest::step(std::string& output) {
  // Takes no argument; results are in the run structure, which is mapped as long as the descriptor is open.
  if (::ioctl(vcpu_.get(), KVM_RUN, 0) == -1) {
    if (errno == EINTR) return Exit::interrupted;
    checked(-1, "ioctl(KVM_RUN)", kSubject);
  }
  if (exitReason() == KVM_EXIT_HLT) return Exit::halted;
  const auto& io = run()->io;
  if (exitReason() != KVM_EXIT_IO || io.direction != KVM_EXIT_IO_OUT || io.port != kCanaryPort)
    return Exit::other;

  const size_t bytes = size_t{io.size} * io.count;
  if (io.data_offset + bytes > run_.bytes()) return Exit::other;
  output.append(reinterpret_cast<const char*>(run_.data() + io.data_offset), bytes);
  return Exit::output;
}

uint32_t KvmGuest::exitReason() const {
  return run()->exit_reason;
}

void KvmGuest::requestExit() {
  // Written by one thread while the kernel may read it on another: a relaxed atomic byte is all it needs.
  __atomic_store_n(&run()->immediate_exit, 1, __ATOMIC_RELAXED);
}

kvm_run* KvmGuest::run() const {
  return reinterpret_cast<kvm_run*>(run_.data());
}

}  // namespace vmpulse
