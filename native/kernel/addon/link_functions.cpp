#include "addon/link_functions.h"

#include <net/if.h>

#include <limits>

#include "addon/arguments.h"
#include "addon/errors.h"
#include "core/link_change.h"
#include "core/link_info.h"
#include "core/tap.h"

namespace vmpulse {

namespace {

// More than the longest IPv6 address with its prefix.
constexpr size_t kMaxAddressBytes = 64;

// A name that the kernel takes for a device: it refuses others with EINVAL, or makes a pattern of "tap%d".
std::string deviceArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  std::string device = stringArgument(info, index, name, IFNAMSIZ - 1);
  const bool isName =
      device != "." && device != ".." && device.find_first_of("/:% \t\n\v\f\r") == std::string::npos;
  if (isName) return device;
  throw argumentError(info.Env(), std::string(name) + " must be the name of a network device");
}

bool booleanArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  const Napi::Value value = info[index];
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  throw argumentError(info.Env(), std::string(name) + " must be a boolean");
}

std::optional<uint32_t> idArgument(const Napi::CallbackInfo& info, size_t index, const char* name) {
  if (info[index].IsUndefined()) return std::nullopt;
  return static_cast<uint32_t>(integerArgument(info, index, name, 0, std::numeric_limits<int32_t>::max()));
}

std::optional<MacAddress> macArgument(const Napi::CallbackInfo& info, size_t index) {
  if (info[index].IsUndefined()) return std::nullopt;
  const std::string text = stringArgument(info, index, "mac", 17);
  MacAddress mac{};
  for (size_t i = 0; i < mac.size(); ++i) {
    const std::string part = text.size() == 17 ? text.substr(i * 3, 2) : "";
    const bool isHex = part.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos && !part.empty();
    const bool isCut = i == 5 || (text.size() == 17 && text[i * 3 + 2] == ':');
    if (!isHex || !isCut)
      throw argumentError(info.Env(), "mac must be a MAC address such as 52:54:00:12:34:56");
    mac[i] = static_cast<uint8_t>(std::stoul(part, nullptr, 16));
  }
  return mac;
}

Napi::Value textOrNull(Napi::Env env, const std::string& text) {
  return text.empty() ? env.Null() : Napi::String::New(env, text).As<Napi::Value>();
}

Napi::Value idOrNull(Napi::Env env, const std::optional<uint32_t>& id) {
  return id ? Napi::Number::New(env, *id).As<Napi::Value>() : env.Null();
}

Napi::Value toObject(Napi::Env env, const std::optional<TunInfo>& tun) {
  if (!tun) return env.Null();
  Napi::Object result = Napi::Object::New(env);
  result.Set("type", tun->tap ? "tap" : "tun");
  result.Set("persistent", tun->persistent);
  result.Set("vnetHeader", tun->vnetHeader);
  result.Set("multiQueue", tun->multiQueue);
  result.Set("owner", idOrNull(env, tun->owner));
  result.Set("group", idOrNull(env, tun->group));
  return result;
}

Napi::Object toObject(Napi::Env env, const LinkInfo& link) {
  Napi::Object result = Napi::Object::New(env);
  result.Set("index", link.index);
  result.Set("name", link.name);
  result.Set("mac", textOrNull(env, link.mac));
  result.Set("kind", textOrNull(env, link.kind));
  result.Set("mtu", link.mtu);
  result.Set("up", link.up);
  result.Set("carrier", link.carrier);
  result.Set("master", textOrNull(env, link.master));
  // Exact up to 2^53: at 100 Gbit/s that is eight days of bytes, and what counts is whether they move.
  result.Set("receivedPackets", static_cast<double>(link.receivedPackets));
  result.Set("receivedBytes", static_cast<double>(link.receivedBytes));
  result.Set("sentPackets", static_cast<double>(link.sentPackets));
  result.Set("sentBytes", static_cast<double>(link.sentBytes));
  result.Set("tun", toObject(env, link.tun));
  return result;
}

}  // namespace

Napi::Value linkInfoFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  const auto found = translated(info.Env(), [&] { return readLink(name); });
  return found ? toObject(info.Env(), *found).As<Napi::Value>() : info.Env().Undefined();
}

Napi::Value linkAddressesFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  const auto found = translated(info.Env(), [&] { return readAddresses(name); });
  Napi::Array result = Napi::Array::New(info.Env(), found.size());
  for (uint32_t i = 0; i < found.size(); ++i) result.Set(i, found[i]);
  return result;
}

Napi::Value setLinkUpFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  const bool up = booleanArgument(info, 1, "up");
  translated(info.Env(), [&] { setLinkUp(name, up); });
  return info.Env().Undefined();
}

Napi::Value setLinkMasterFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  const std::string master = info[1].IsUndefined() ? "" : deviceArgument(info, 1, "master");
  translated(info.Env(), [&] { setLinkMaster(name, master); });
  return info.Env().Undefined();
}

Napi::Value createBridgeFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  const auto mac = macArgument(info, 1);
  translated(info.Env(), [&] { createBridge(name, mac); });
  return info.Env().Undefined();
}

Napi::Value createTapFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  const TapOwners owners{idArgument(info, 1, "user"), idArgument(info, 2, "group")};
  translated(info.Env(), [&] { createTap(name, owners); });
  return info.Env().Undefined();
}

Napi::Value removeLinkFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  translated(info.Env(), [&] { removeLink(name); });
  return info.Env().Undefined();
}

Napi::Value addAddressFunction(const Napi::CallbackInfo& info) {
  const std::string name = deviceArgument(info, 0, "name");
  const std::string address = stringArgument(info, 1, "address", kMaxAddressBytes);
  translated(info.Env(), [&] { addAddress(name, address); });
  return info.Env().Undefined();
}

}  // namespace vmpulse
