//! Says at build time when the build will have no engine: everything but running plugins still works.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let engines = ["CARGO_FEATURE_WASMTIME_RUNTIME", "CARGO_FEATURE_WASMER_RUNTIME"];
    if engines.iter().all(|engine| std::env::var_os(engine).is_none()) {
        println!(
            "cargo::warning=no engine is compiled in, so no plugin can run: \
             build with --features wasmtime-runtime or --features wasmer-runtime"
        );
    }
}
