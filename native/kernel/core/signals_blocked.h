#pragma once

#include <pthread.h>
#include <signal.h>

namespace vmpulse {

// While it lives, this thread has every signal blocked, and so has for ever each thread it starts: the
// signals of the host program (SIGTERM, SIGCHLD, a profiler's) stay with the host program's own threads.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &previous_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t previous_;
};

}  // namespace vmpulse
