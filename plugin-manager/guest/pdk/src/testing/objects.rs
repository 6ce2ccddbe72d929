//! The calls of objects on the fake host: buckets are those a test named.

use forgeone_abi::names::syscall as name;
use forgeone_abi::{Args, Status};

use super::services::{Answer, file_part, invalid, list};
use super::state::State;

/// Most names of one page.
const PAGE: u64 = 1000;

pub(super) fn dispatch(state: &mut State, call: &str, args: Args<'_>) -> Answer {
    let text = args.text(0).map_err(invalid)?;
    let (bucket, key) = match text.split_once('/') {
        Some((bucket, key)) => (bucket, Some(key)),
        None => (text, None),
    };
    let wrong = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    if bucket.is_empty() || key.is_some_and(|key| key.contains(['\0', '\\']) || key.split('/').any(wrong)) {
        return Err(Status::Invalid);
    }
    if call == name::OBJECT_LIST {
        return page(state, bucket, key, args);
    }
    let key = key.ok_or(Status::Invalid)?;
    let objects = state.buckets.get_mut(bucket).ok_or(Status::NotFound)?;
    match call {
        name::OBJECT_GET => file_part(objects.get(key).ok_or(Status::NotFound)?, args),
        name::OBJECT_PUT => {
            let [_, content] = args.exactly().map_err(invalid)?;
            objects.insert(key.to_owned(), content.to_vec());
            Ok(Vec::new())
        }
        name::OBJECT_DELETE => {
            objects.remove(key);
            Ok(Vec::new())
        }
        _ => Err(Status::UnknownSyscall),
    }
}

fn page(state: &State, bucket: &str, folder: Option<&str>, args: Args<'_>) -> Answer {
    let objects = state.buckets.get(bucket).ok_or(Status::NotFound)?;
    let after = if args.len() > 1 { args.text(1).map_err(invalid)? } else { "" };
    let most = if args.len() > 2 { args.u64(2).map_err(invalid)? } else { PAGE };
    let below = folder.map_or_else(String::new, |folder| format!("{folder}/"));
    let names = objects.keys().filter(|key| key.starts_with(&below)).map(|key| format!("{bucket}/{key}"));
    let names = names.filter(|name| name.as_str() > after);
    let names: Vec<String> = names.take(usize::try_from(most.min(PAGE)).unwrap_or_default()).collect();
    list(names.iter().map(String::as_bytes))
}
