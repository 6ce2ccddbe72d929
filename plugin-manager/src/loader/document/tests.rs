//! What documents are read and refused, and the line and column that is told.

use super::*;
use proptest::prelude::*;

fn problem(text: &str) -> String {
    json(text.as_bytes(), 1 << 20).unwrap_err().to_string()
}

#[test]
fn duplicate_keys_are_errors_at_every_depth() {
    assert!(problem(r#"{"a":1,"a":2}"#).contains("`a` is there twice"));
    assert!(problem(r#"{"x":[{"b":1,"b":1}]}"#).contains("`b` is there twice"));
    assert!(toml("a = 1\na = 2", 100).is_err());
}

#[test]
fn size_and_depth_are_bounded() {
    assert!(json(b"[[1]]", 4).is_err());
    let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(json(deep(24).as_bytes(), 1 << 20).is_ok());
    assert!(problem(&deep(25)).contains("nested deeper"));
    assert!(json(deep(100_000).as_bytes(), 1 << 20).is_err());
    assert!(toml(&format!("a = {}", deep(5_000)), 1 << 20).is_err());
}

#[test]
fn trailing_text_is_an_error() {
    assert!(problem("{} {}").contains("trailing"));
}

#[test]
fn unknown_and_missing_keys_are_named_with_their_place() {
    let node = || json(br#"{"a":{"vresion":1}}"#, 100).unwrap().fields(&["a"]).unwrap().take("a").unwrap();
    let e = node().fields(&["version"]).unwrap_err();
    assert_eq!(e.to_string(), "line 1, column 7: a: unknown key `vresion`; did you mean `version`?");
    let mut f = json(b"{}", 100).unwrap().fields(&["x"]).unwrap();
    assert_eq!(f.need("x").unwrap_err().to_string(), "line 1, column 1: the key `x` is missing");
}

#[test]
fn kinds_are_checked() {
    let list = json(br#"[1, "a", 1.5, -1, null]"#, 100).unwrap().list(10).unwrap();
    assert_eq!(list[0].integer(0..=9), Ok(1));
    assert_eq!(
        list[0].text(9).unwrap_err().to_string(),
        "line 1, column 2: [0]: expected text, found a whole number"
    );
    assert!(list[2].integer(0..=9).is_err());
    assert!(list[3].integer(0..=9).is_err());
    assert!(list[1].text(0).is_err());
    assert!(list[4].clone().entries(1).is_err());
}

#[test]
fn json_values_keys_and_faults_have_a_line_and_a_column() {
    let text = "{\n  \"a\\\"b\": [ {\"é\": 1, \"x\": \"]\\\\\"} ],\n  \"n\" : {}\n}";
    let mut top = json(text.as_bytes(), 100).unwrap().fields(&["a\"b", "n"]).unwrap();
    let at = |e: DocumentError| (e.line, e.column);
    assert_eq!(at(top.take("n").unwrap().fail_key("k")), (3, 3));
    let list = top.take("a\"b").unwrap();
    assert_eq!((at(list.fail("v")), at(list.fail_key("k"))), ((2, 11), (2, 3)));
    let inner = list.list(9).unwrap().remove(0);
    assert_eq!(at(inner.clone().fields(&["é"]).unwrap_err()), (2, 22));
    let mut fields = inner.fields(&["é", "x"]).unwrap();
    assert_eq!(at(fields.need("none").unwrap_err()), (2, 13));
    assert_eq!(at(fields.take("x").unwrap().integer(0..=1).unwrap_err()), (2, 27));
    assert_eq!(at(fields.take("é").unwrap().text(1).unwrap_err()), (2, 19));
    let fails = |text: &str| at(json(text.as_bytes(), 1000).unwrap_err());
    assert_eq!(fails("{\"a\": 1,\n \"a\": 2}"), (2, 2));
    assert_eq!(fails(&format!("[1,\n {}", "[".repeat(30))), (2, 25));
    assert_eq!(fails("{\n\"a\": tru}"), (2, 9));
}

#[test]
fn toml_values_keys_and_faults_have_a_line_and_a_column() {
    let text = "a = 1\n[b]\nc.d = [\n  \"x\",\n  0xff,\n]\n[[e]]\nf = 1979-05-27\n";
    let mut top = toml(text, 1000).unwrap().fields(&["a", "b", "e"]).unwrap();
    let at = |e: DocumentError| (e.line, e.column);
    assert_eq!(at(top.take("a").unwrap().text(1).unwrap_err()), (1, 5));
    let c = top.take("b").unwrap().fields(&["c"]).unwrap().take("c").unwrap();
    let d = c.fields(&["d"]).unwrap().take("d").unwrap();
    assert_eq!(at(d.fail_key("k")), (3, 3));
    let items = d.list(2).unwrap();
    assert_eq!(at(items[0].integer(0..=1).unwrap_err()), (4, 3));
    assert_eq!((items[1].integer(0..=255), at(items[1].text(1).unwrap_err())), (Ok(255), (5, 3)));
    let e = top.take("e").unwrap().list(1).unwrap().remove(0);
    let f = e.clone().fields(&["f"]).unwrap().take("f").unwrap();
    assert_eq!(f.text(9).unwrap_err().problem, "expected text, found a date");
    assert_eq!(at(e.fields(&["g"]).unwrap_err()), (8, 1));
    let fails = |text: &str| at(toml(text, 1000).unwrap_err());
    assert_eq!(fails("a = 1\n a = 2"), (2, 2));
    assert_eq!(fails("a = 1\nb = ="), (2, 5));
    assert_eq!(fails(&format!("a = 1\nb = {}{}", "[".repeat(30), "]".repeat(30))), (2, 28));
}

proptest! {
    #[test]
    fn reading_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), text in ".{0,200}") {
        let _ = json(&bytes, 1 << 16);
        let _ = json(text.as_bytes(), 1 << 16);
        let _ = toml(&text, 1 << 16);
    }
}
