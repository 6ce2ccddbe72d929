;; Greets whoever is named, and remembers whom it greeted last.
(module
  (import "env" "log" (func $log (param i32 i32)))
  (import "env" "input_read" (func $input_read (param i32 i32 i32) (result i32)))
  (import "env" "output" (func $output (param i32 i32) (result i32)))
  (import "env" "fail" (func $fail (param i32 i32)))
  (import "env" "syscall" (func $syscall (param i32 i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 0) "Hello, ")
  (data (i32.const 8) "!\n")
  (data (i32.const 16) "kv_set")
  (data (i32.const 24) "kv_get")
  (data (i32.const 32) "greeting")
  (data (i32.const 64) "there is no name in the input")
  (data (i32.const 96) "nobody was greeted yet")
  (data (i32.const 128) "the name is longer than 1024 bytes")
  (data (i32.const 168) "kv_set was refused")
  (data (i32.const 192) "kv_get was refused")
  ;; An argument list is byte strings, each after its length as four little-endian bytes. At 256 stands the key,
  ;; which is all kv_get takes; kv_set takes the value too: its length at 264, its bytes from 268 on.
  (data (i32.const 256) "\04\00\00\00last")

  (func (export "init") (result i32) (i32.const 0))
  (func (export "start") (result i32) (i32.const 0))
  (func (export "stop") (result i32) (i32.const 0))

  ;; Says why, and answers the status.
  (func $failed (param $status i32) (param $text i32) (param $len i32) (result i32)
    (call $fail (local.get $text) (local.get $len))
    (local.get $status))

  (func (export "greet") (param $input_len i32) (result i32)
    (local $len i32)
    (local $kept i32)
    (if (i32.gt_u (local.get $input_len) (i32.const 1024))
      (then (return (call $failed (i32.const 3) (i32.const 128) (i32.const 34)))))
    (local.set $len (call $input_read (i32.const 0) (i32.const 268) (i32.const 1024)))
    (if (i32.lt_s (local.get $len) (i32.const 0))
      (then (return (local.get $len))))
    ;; Without white space at the end.
    (block $trimmed
      (loop $trim
        (br_if $trimmed (i32.eqz (local.get $len)))
        (br_if $trimmed (i32.gt_u (i32.load8_u offset=267 (local.get $len)) (i32.const 32)))
        (local.set $len (i32.sub (local.get $len) (i32.const 1)))
        (br $trim)))
    (if (i32.eqz (local.get $len))
      (then (return (call $failed (i32.const 1) (i32.const 64) (i32.const 29)))))
    (i32.store (i32.const 264) (local.get $len))
    (local.set $kept
      (call $syscall (i32.const 16) (i32.const 6)
                     (i32.const 256) (i32.add (i32.const 12) (local.get $len))
                     (i32.const 0) (i32.const 0)))
    (if (i32.lt_s (local.get $kept) (i32.const 0))
      (then (return (call $failed (local.get $kept) (i32.const 168) (i32.const 18)))))
    (call $log (i32.const 32) (i32.const 8))
    (drop (call $output (i32.const 0) (i32.const 7)))
    (drop (call $output (i32.const 268) (local.get $len)))
    (call $output (i32.const 8) (i32.const 2)))

  (func (export "last") (param $input_len i32) (result i32)
    (local $len i32)
    (local.set $len
      (call $syscall (i32.const 24) (i32.const 6)
                     (i32.const 256) (i32.const 8)
                     (i32.const 2048) (i32.const 1024)))
    (if (i32.eq (local.get $len) (i32.const -2))
      (then (return (call $failed (i32.const 2) (i32.const 96) (i32.const 22)))))
    (if (i32.lt_s (local.get $len) (i32.const 0))
      (then (return (call $failed (local.get $len) (i32.const 192) (i32.const 18)))))
    (call $output (i32.const 2048) (local.get $len))))
