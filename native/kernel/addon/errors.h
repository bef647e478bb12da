#pragma once

#include <napi.h>

#include "core/syscall_error.h"

namespace vmpulse {

// JavaScript errors with a string `code`; the typed wrapper turns them into VmpulseError.
Napi::Error argumentError(Napi::Env env, const std::string& message);  // ERR_VMPULSE_ARGUMENT
Napi::Error closedError(Napi::Env env, const std::string& type);       // ERR_VMPULSE_CLOSED
Napi::Error codedError(Napi::Env env, const char* code, const std::string& message);
// ERR_VMPULSE_SYSCALL with `errno` ("ESRCH") and `syscall` ("pidfd_open").
Napi::Error syscallError(Napi::Env env, const SyscallError& error);

// Runs `work`; what the core throws becomes a JavaScript error.
template <typename Work>
auto translated(Napi::Env env, Work work) {
  try {
    return work();
  } catch (const SyscallError& error) {
    throw syscallError(env, error);
  }
}

}  // namespace vmpulse
