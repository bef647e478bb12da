#include "addon/errors.h"

#include "core/errno_name.h"

namespace vmpulse {

Napi::Error codedError(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", code);
  return error;
}

Napi::Error argumentError(Napi::Env env, const std::string& message) {
  Napi::Error error = Napi::TypeError::New(env, message);
  error.Set("code", "ERR_VMPULSE_ARGUMENT");
  return error;
}

Napi::Error closedError(Napi::Env env, const std::string& type) {
  return codedError(env, "ERR_VMPULSE_CLOSED", "the " + type + " is closed");
}

Napi::Error syscallError(Napi::Env env, const SyscallError& failure) {
  Napi::Error error = codedError(env, "ERR_VMPULSE_SYSCALL", failure.what());
  error.Set("errno", errnoName(failure.error()));
  error.Set("syscall", failure.syscall());
  return error;
}

}  // namespace vmpulse
