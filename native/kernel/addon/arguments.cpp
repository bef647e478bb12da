#include "addon/arguments.h"

#include <cmath>

#include "addon/errors.h"

namespace vmpulse {

int32_t integerArgument(const Napi::CallbackInfo& info, size_t index, const char* name, int32_t least,
                        int32_t greatest) {
  const Napi::Value value = info[index];  // Undefined where the caller gave fewer.
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    // False for NaN and the infinities too.
    if (number >= least && number <= greatest && std::trunc(number) == number) {
      return static_cast<int32_t>(number);
    }
  }
  throw argumentError(info.Env(), std::string(name) + " must be an integer from " + std::to_string(least) +
                                      " to " + std::to_string(greatest));
}

std::string stringArgument(const Napi::CallbackInfo& info, size_t index, const char* name, size_t maxBytes) {
  const Napi::Value value = info[index];
  if (value.IsString()) {
    std::string text = value.As<Napi::String>().Utf8Value();
    if (!text.empty() && text.size() <= maxBytes && text.find('\0') == std::string::npos) return text;
  }
  throw argumentError(info.Env(), std::string(name) + " must be a string of 1 to " +
                                      std::to_string(maxBytes) + " bytes without a zero byte");
}

}  // namespace vmpulse
