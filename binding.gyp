{
  "targets": [
    {
      "target_name": "kernel",
      "sources": ["<!@(node native/kernel/list_sources.cjs)"],
      "include_dirs": ["native/kernel", "<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": [
        "NAPI_VERSION=9",
        "NODE_ADDON_API_CPP_EXCEPTIONS",
        # Without it, an error thrown into a worker that is being terminated ends the whole process.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
      ],
      "cflags_cc": ["-std=c++20", "-fvisibility=hidden", "-fvisibility-inlines-hidden", "-Wall", "-Wextra"],
      "cflags_cc!": ["-fno-exceptions"],
      "ldflags": ["-pthread", "-Wl,-z,nodelete"]
    }
  ]
}
