#!/bin/sh
# Builds plugin.wasm from its text.
set -eu
cd "$(dirname "$0")"
wat2wasm plugin.wat -o plugin.wasm
