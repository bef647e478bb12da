#include "core/vcpu_thread.h"

#include <pthread.h>

#include <condition_variable>
#include <exception>
#include <mutex>

#include "core/kvm_guest.h"
#include "core/signals_blocked.h"

namespace vmpulse {

namespace {

// More than any program writes; a CPU gone wild cannot fill the memory.
constexpr size_t kMaxOutputBytes = 64;

VcpuResult runToEnd(KvmGuest& guest) {
  VcpuResult result{VcpuEnd::interrupted, {}, {}, {}};
  for (;;) {
    switch (guest.step(result.output)) {
      case KvmGuest::Exit::output:
        if (result.output.size() <= kMaxOutputBytes) continue;
        result.end = VcpuEnd::unexpectedExit;
        result.detail = "the guest wrote more than " + std::to_string(kMaxOutputBytes) + " bytes";
        break;
      case KvmGuest::Exit::halted:
        result.end = VcpuEnd::halted;
        break;
      case KvmGuest::Exit::interrupted:
        break;
      case KvmGuest::Exit::other:
        result.end = VcpuEnd::unexpectedExit;
        result.detail = "KVM exit reason " + std::to_string(guest.exitReason());
        break;
    }
    return result;
  }
}

}  // namespace

// Shared by the thread and its owner; `guest` is set only while the guest exists.
struct VcpuThread::State {
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  KvmGuest* guest = nullptr;
  bool kicked = false;
  bool finished = false;
  std::optional<VcpuResult> result;

  void setGuest(KvmGuest* present) {
    const std::lock_guard lock(mutex);
    guest = present;
    if (guest != nullptr && kicked) guest->requestExit();
  }
  void setResult(VcpuResult value) {
    value.at = Clock::now();
    const std::lock_guard lock(mutex);
    result = std::move(value);
  }
  void finish() {
    const std::lock_guard lock(mutex);
    finished = true;
    changed.notify_all();
  }
};

// Makes the guest known to kick() while it exists.
class VcpuThread::Published {
 public:
  Published(State& state, KvmGuest& guest) : state_(state) { state_.setGuest(&guest); }
  ~Published() { state_.setGuest(nullptr); }
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

 private:
  State& state_;
};

void VcpuThread::body(const std::shared_ptr<State>& state, const CanaryProgram& program) {
  pthread_setname_np(pthread_self(), "vmpulse-vcpu");
  try {
    KvmGuest guest(program);
    const Published published(*state, guest);  // Destroyed first: kick() may come at any time.
    state->setResult(runToEnd(guest));
  } catch (const std::exception& error) {
    state->setResult({VcpuEnd::syscallFailed, {}, error.what(), {}});
  }
  state->finish();
}

VcpuThread::VcpuThread(CanaryProgram program) : state_(std::make_shared<State>()) {
  const SignalsBlocked blocked;
  thread_ = std::thread([state = state_, program = std::move(program)] { body(state, program); });
}

VcpuThread::~VcpuThread() {
  bool finished;
  {
    const std::lock_guard lock(state_->mutex);
    finished = state_->finished;
  }
  if (finished) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

bool VcpuThread::waitFinished(Clock::time_point until, std::stop_token stop) {
  std::unique_lock lock(state_->mutex);
  return state_->changed.wait_until(lock, std::move(stop), until, [this] { return state_->finished; });
}

void VcpuThread::kick() {
  const std::lock_guard lock(state_->mutex);
  state_->kicked = true;
  if (state_->guest != nullptr) state_->guest->requestExit();
  // An unfinished thread still needs the mutex that is held here, so its handle is valid.
  if (!state_->finished) pthread_kill(thread_.native_handle(), kKickSignal);
}

std::optional<VcpuResult> VcpuThread::result() const {
  const std::lock_guard lock(state_->mutex);
  return state_->result;
}

}  // namespace vmpulse
