//! The same bits from the same input, on every engine and machine.

use super::{Bench, conformance};

conformance! {
    fault_047_nans_are_canonical
    fault_047_one_program_gives_one_answer
}

fn fault_047_nans_are_canonical(bench: &Bench) {
    const F32: u64 = 0x7fc0_0000;
    const F64: u64 = 0x7ff8_0000_0000_0000;
    let single = |code: &str| (format!("(i64.extend_i32_u (i32.reinterpret_f32 {code}))"), F32);
    let double = |code: &str| (format!("(i64.reinterpret_f64 {code})"), F64);
    let cases = [
        single("(f32.div (global.get $zero32) (global.get $zero32))"),
        single("(f32.sqrt (f32.sub (global.get $zero32) (f32.const 1)))"),
        single("(f32.add (global.get $odd32) (f32.const 1))"),
        single("(f32.mul (f32.const 2) (global.get $odd32))"),
        single("(f32.min (global.get $odd32) (f32.const 1))"),
        single("(f32.demote_f64 (global.get $odd64))"),
        double("(f64.div (global.get $zero64) (global.get $zero64))"),
        double("(f64.sqrt (f64.sub (global.get $zero64) (f64.const 1)))"),
        double("(f64.sub (global.get $odd64) (f64.const 1))"),
        double("(f64.max (global.get $odd64) (f64.const 1))"),
        double("(f64.promote_f32 (global.get $odd32))"),
        double("(f64.nearest (global.get $odd64))"),
        double(
            "(f64x2.extract_lane 1 (f64x2.add (f64x2.splat (global.get $odd64)) (f64x2.splat (global.get $zero64))))",
        ),
    ];
    for (code, bits) in cases {
        let body = format!(
            r#"(global $zero32 (mut f32) (f32.const 0)) (global $odd32 (mut f32) (f32.const -nan:0x312345))
            (global $zero64 (mut f64) (f64.const 0)) (global $odd64 (mut f64) (f64.const -nan:0x4123456789abc))
            (func (export "op") (param i32) (result i32)
              (i64.store (i32.const 0) {code}) (call $output (i32.const 0) (i32.const 8)))"#
        );
        let (_, output) = bench.guest(&body).run().call(0, b"").unwrap();
        assert_eq!(output, bits.to_le_bytes(), "{code} gave {output:x?}");
    }
}

fn fault_047_one_program_gives_one_answer(bench: &Bench) {
    // A linear congruence drives integer and float arithmetic whose results are folded into one number.
    let body = r#"
        (func (export "op") (param i32) (result i32)
          (local $i i32) (local $x i64) (local $h i64) (local $f f64) (local $g f32)
          (local.set $x (i64.const 88172645463325252))
          (local.set $f (f64.const 0.5)) (local.set $g (f32.const 0.25))
          (loop $l
            (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 6364136223846793005)) (i64.const 1442695040888963407)))
            (local.set $f (f64.sqrt (f64.add (f64.mul (local.get $f) (f64.const 1.1))
              (f64.convert_i64_s (i64.shr_s (local.get $x) (i64.const 40))))))
            (local.set $g (f32.div (f32.demote_f64 (local.get $f)) (f32.sub (local.get $g) (f32.const 3.7))))
            (local.set $h (i64.rotl (i64.xor (local.get $h) (i64.add (i64.reinterpret_f64 (local.get $f))
              (i64.extend_i32_u (i32.reinterpret_f32 (local.get $g))))) (i64.const 13)))
            (local.set $h (i64.add (local.get $h) (i64.popcnt (i64.rem_u (local.get $x) (i64.const 1000003)))))
            (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 20000))))
          (i64.store (i32.const 0) (local.get $h))
          (call $output (i32.const 0) (i32.const 8)))"#;
    let (_, output) = bench.guest(body).run().call(0, b"").unwrap();
    assert_eq!(i64::from_le_bytes(output.try_into().unwrap()), expected());
}

/// The same program in Rust.
fn expected() -> i64 {
    let (mut x, mut h, mut f, mut g) = (88_172_645_463_325_252_i64, 0_i64, 0.5_f64, 0.25_f32);
    let canonical64 = |v: f64| if v.is_nan() { 0x7ff8_0000_0000_0000 } else { v.to_bits() };
    let canonical32 = |v: f32| if v.is_nan() { 0x7fc0_0000 } else { v.to_bits() };
    for _ in 0..20_000 {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        f = (f * 1.1 + (x >> 40) as f64).sqrt();
        g = (f as f32) / (g - 3.7);
        h = (h ^ (canonical64(f) as i64).wrapping_add(i64::from(canonical32(g)))).rotate_left(13);
        h = h.wrapping_add(i64::from((x as u64 % 1_000_003).count_ones()));
    }
    h
}
