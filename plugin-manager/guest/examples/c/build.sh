#!/bin/sh
# Builds plugin.wasm: a reactor (no entry), without a C library; memory.copy stands in for memcpy.
set -eu
cd "$(dirname "$0")"
${CLANG:-clang} --target=wasm32-unknown-unknown -mbulk-memory -nostdlib -O2 -Wall -Wextra -Werror \
  -Wl,--no-entry -Wl,--strip-all -o plugin.wasm plugin.c
