#pragma once

#include <napi.h>

namespace vmpulse {

// Network devices of this thread's network namespace; docs in src/kernel/links.ts.

// linkInfo(name) → object, or undefined where there is none
Napi::Value linkInfoFunction(const Napi::CallbackInfo& info);
// linkAddresses(name) → string[]
Napi::Value linkAddressesFunction(const Napi::CallbackInfo& info);
// setLinkUp(name, up)
Napi::Value setLinkUpFunction(const Napi::CallbackInfo& info);
// setLinkMaster(name, master | undefined)
Napi::Value setLinkMasterFunction(const Napi::CallbackInfo& info);
// createBridge(name, mac | undefined)
Napi::Value createBridgeFunction(const Napi::CallbackInfo& info);
// createTap(name, user | undefined, group | undefined)
Napi::Value createTapFunction(const Napi::CallbackInfo& info);
// removeLink(name)
Napi::Value removeLinkFunction(const Napi::CallbackInfo& info);
// addAddress(name, address)
Napi::Value addAddressFunction(const Napi::CallbackInfo& info);

}  // namespace vmpulse
