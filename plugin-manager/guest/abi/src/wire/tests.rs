//! Round trips, strictness and totality of the argument lists.

use super::*;
use proptest::prelude::*;
use std::{vec, vec::Vec};

fn list(items: &[&[u8]]) -> Vec<u8> {
    let mut buffer = vec![0; encoded_len(items).unwrap()];
    encode(items, &mut buffer).unwrap();
    buffer
}

#[test]
fn the_layout_is_the_contract() {
    assert_eq!(list(&[]), b"");
    assert_eq!(list(&[b"ab", b""]), b"\x02\0\0\0ab\0\0\0\0");
    let mut buffer = [0; 64];
    let mut writer = ArgsWriter::new(&mut buffer);
    writer.put_u64(258).unwrap();
    writer.put_f64(1.0).unwrap();
    assert_eq!(writer.finish(), b"\x08\0\0\0\x02\x01\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\0\0\xf0\x3f");
}

#[test]
fn every_cut_of_a_list_is_refused_or_shorter() {
    let whole = list(&[b"abc", b"", b"xyz"]);
    let boundaries = [0, 7, 11, 18];
    for cut in 0..=whole.len() {
        assert_eq!(Args::parse(&whole[..cut]).is_ok(), boundaries.contains(&cut), "{cut}");
    }
    assert_eq!(Args::parse(&whole[..10]), Err(Malformed::Truncated { offset: 7 }));
}

#[test]
fn a_length_past_any_memory_is_refused() {
    assert_eq!(Args::parse(b"\xff\xff\xff\xffabc"), Err(Malformed::Truncated { offset: 0 }));
}

#[test]
fn the_number_of_items_is_checked() {
    let bytes = list(&[b"a", b"b"]);
    let args = Args::parse(&bytes).unwrap();
    assert_eq!(args.exactly::<2>().unwrap(), [b"a", b"b"]);
    assert_eq!(args.exactly::<3>(), Err(Malformed::Missing { index: 2 }));
    assert_eq!(args.exactly::<1>(), Err(Malformed::Surplus { expected: 1 }));
    assert_eq!(args.nth(2), Err(Malformed::Missing { index: 2 }));
    assert_eq!(args.u64(0), Err(Malformed::Number { len: 1 }));
}

#[test]
fn text_has_to_be_utf8() {
    let bytes = list(&["é".as_bytes(), b"\xff"]);
    let args = Args::parse(&bytes).unwrap();
    assert_eq!(args.text(0), Ok("é"));
    assert_eq!(args.text(1), Err(Malformed::Text));
}

#[test]
fn nested_lists_keep_their_items() {
    let mut buffer = [0; 64];
    let mut writer = ArgsWriter::new(&mut buffer);
    writer.put(b"before").unwrap();
    writer.put_list(|inner| inner.put(b"k").and_then(|()| inner.put_list(|_| Ok(())))).unwrap();
    writer.put(b"after").unwrap();
    let args = Args::parse(writer.finish()).unwrap();
    assert_eq!(args.len(), 3);
    let inner = args.list(1).unwrap();
    assert_eq!(inner.nth(0), Ok(b"k".as_slice()));
    assert!(inner.list(1).unwrap().is_empty());
    assert_eq!(args.text(2), Ok("after"));
}

#[test]
fn pairs_are_names_and_values_in_turn() {
    let flat = list(&[b"kind", b"email", b"host", b"a"]);
    let odd = list(&[b"kind"]);
    let bytes = list(&[&flat, &odd]);
    let args = Args::parse(&bytes).unwrap();
    let pairs: Vec<_> = args.pairs(0).unwrap().collect();
    assert_eq!(pairs, [(&b"kind"[..], &b"email"[..]), (b"host", b"a")]);
    assert_eq!(args.pairs(1).err(), Some(Malformed::Missing { index: 1 }));
}

#[test]
fn what_does_not_fit_leaves_the_list_as_it_was() {
    let mut buffer = [0; 10];
    let mut writer = ArgsWriter::new(&mut buffer);
    writer.put(b"ab").unwrap();
    assert_eq!(writer.put(b"c"), Err(Full));
    assert_eq!(writer.put_list(|inner| inner.put(b"")), Err(Full));
    assert_eq!(writer.put_list(|_| Err(Full)), Err(Full));
    writer.put(b"").unwrap();
    assert_eq!(writer.finish(), b"\x02\0\0\0ab\0\0\0\0");
}

proptest! {
    #[test]
    fn lists_survive_the_boundary(items in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..12)) {
        let slices: Vec<&[u8]> = items.iter().map(Vec::as_slice).collect();
        let bytes = list(&slices);
        let args = Args::parse(&bytes).unwrap();
        prop_assert_eq!(args.len(), items.len());
        prop_assert_eq!(args.iter().len(), items.len());
        prop_assert_eq!(args.iter().collect::<Vec<_>>(), slices.clone());

        let mut grown = Vec::new();
        for item in &slices {
            append(&mut grown, item).unwrap();
        }
        prop_assert_eq!(grown, bytes);
    }

    #[test]
    fn lists_of_lists_survive_the_boundary(
        pairs in prop::collection::vec((any::<u64>(), any::<u64>()), 0..8),
    ) {
        let mut buffer = [0; 512];
        let mut writer = ArgsWriter::new(&mut buffer);
        writer.put_list(|outer| {
            pairs.iter().try_for_each(|(a, b)| outer.put_list(|inner| {
                inner.put_u64(*a)?;
                inner.put_f64(f64::from_bits(*b))
            }))
        }).unwrap();
        let args = Args::parse(writer.finish()).unwrap();
        let outer = args.list(0).unwrap();
        prop_assert_eq!(outer.len(), pairs.len());
        for (item, (a, b)) in outer.into_iter().zip(&pairs) {
            let inner = Args::parse(item).unwrap();
            prop_assert_eq!(inner.u64(0), Ok(*a));
            prop_assert_eq!(inner.f64(1).unwrap().to_bits(), *b);
        }
    }

    #[test]
    fn any_bytes_parse_or_are_refused_and_never_panic(
        bytes in prop::collection::vec(prop_oneof![3 => 0u8..6, 1 => any::<u8>()], 0..80),
        index in 0usize..12,
    ) {
        if let Ok(args) = Args::parse(&bytes) {
            prop_assert_eq!(args.iter().map(|i| i.len() + PREFIX).sum::<usize>(), bytes.len());
            prop_assert_eq!(args.nth(index).is_ok(), index < args.len());
            let _ = (args.text(index), args.u64(index), args.f64(index), args.list(index));
        }
        let _ = crate::layout::FileStat::decode(&bytes);
    }

    #[test]
    fn a_short_buffer_is_full_and_never_overrun(item in prop::collection::vec(any::<u8>(), 0..40), room in 0usize..48) {
        let mut buffer = vec![0xAA; room + 8];
        let fits = item.len() + PREFIX <= room;
        let written = encode(&[&item], &mut buffer[..room]).map(<[u8]>::len);
        prop_assert_eq!(written, if fits { Ok(item.len() + PREFIX) } else { Err(Full) });
        prop_assert!(buffer[room..].iter().all(|b| *b == 0xAA));
    }
}
