{
  # Not in the package root: npm would run "node-gyp rebuild" by itself on every install.
  # pjrt_include: the folder with pjrt_c_api.h, which build.mjs names.
  "variables": { "openssl_fips": "" },
  "targets": [
    {
      "target_name": "stagecraft_xla",
      "sources": [
        "addon.cc",
        "buffers.cc",
        "client.cc",
        "handles.cc",
        "plugin.cc",
        "programs.cc",
        "values.cc",
      ],
      "include_dirs": ["<(pjrt_include)"],
      "cflags": ["-fvisibility=hidden", "-Wall", "-Wextra"],
      "cflags_cc!": ["-std=gnu++17", "-fno-rtti", "-fno-exceptions"],
      "cflags_cc": ["-std=c++17", "-fexceptions"],
      "libraries": ["-ldl"],
    },
  ],
}
