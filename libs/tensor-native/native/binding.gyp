{
  # Not in the package root: npm would run "node-gyp rebuild" by itself on every install.
  # One binary for every machine of an architecture: each kernels_*.cc is compiled for its own
  # instruction set in a static library of its own, and dispatch.cc chooses at run time.
  "variables": { "openssl_fips": "" },
  "target_defaults": {
    "cflags!": ["-O2", "-g", "-fno-omit-frame-pointer"],
    "cflags": ["-O3", "-ffp-contract=fast", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wno-psabi"],
    "cflags_cc!": ["-std=gnu++17", "-fno-rtti", "-fno-exceptions"],
    "cflags_cc": ["-std=c++17"],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=fast", "-fvisibility=hidden"],
    },
  },
  "targets": [
    {
      "target_name": "kernels_baseline",
      "type": "static_library",
      "sources": ["kernels_baseline.cc"],
      "cflags": ["-fPIC"],
    },
    {
      "target_name": "stagecraft_native",
      "sources": [
        "addon.cc",
        "args.cc",
        "arena.cc",
        "cpus.cc",
        "decoder.cc",
        "dispatch.cc",
        "entries.cc",
        "layers.cc",
        "operations.cc",
        "optimizer.cc",
        "pool.cc",
        "rotary_table.cc",
        "weight_cache.cc",
      ],
      "cflags_cc": ["-fexceptions"],
      "dependencies": ["kernels_baseline"],
      "libraries": ["-lpthread"],
      "conditions": [
        ["target_arch=='x64'", { "dependencies": ["kernels_avx2", "kernels_avx512"] }],
        ["target_arch=='arm64'", { "dependencies": ["kernels_neon"] }],
      ],
    },
  ],
  "conditions": [
    ["target_arch=='x64'", {
      "targets": [
        {
          "target_name": "kernels_avx2",
          "type": "static_library",
          "sources": ["kernels_avx2.cc"],
          "cflags": ["-fPIC", "-mavx2", "-mfma"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-mavx2", "-mfma"] },
        },
        {
          "target_name": "kernels_avx512",
          "type": "static_library",
          "sources": ["kernels_avx512.cc"],
          "cflags": ["-fPIC", "-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma", "-Wno-maybe-uninitialized"],
          "xcode_settings": { "OTHER_CPLUSPLUSFLAGS": ["-mavx512f", "-mavx512dq", "-mavx512vl", "-mfma"] },
        },
      ],
    }],
    ["target_arch=='arm64'", {
      "targets": [
        {
          "target_name": "kernels_neon",
          "type": "static_library",
          "sources": ["kernels_neon.cc"],
          "cflags": ["-fPIC"],
        },
      ],
    }],
  ],
}
