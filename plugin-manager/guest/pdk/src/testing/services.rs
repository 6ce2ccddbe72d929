//! The system calls of the fake host. Malformed arguments are -3, as the contract says.

use std::cell::RefCell;
use std::collections::BTreeMap;

use forgeone_abi::layout::{FileKind, FileStat};
use forgeone_abi::limits::{MAX_KEY, MAX_RANDOM, MAX_VALUE};
use forgeone_abi::names::{metric, syscall as name};
use forgeone_abi::wire::append;
use forgeone_abi::{Args, Malformed, Status};

use super::state::{Metric, State};
use super::{objects, spans};
use crate::http::Request;

pub(super) type Answer = Result<Vec<u8>, Status>;

pub(super) fn dispatch(state: &RefCell<State>, name: &str, args: &[u8]) -> Answer {
    state.borrow_mut().refusal(name)?;
    let args = Args::parse(args).map_err(invalid)?;
    // A service or another plugin may call the host again, so the state is not borrowed while it runs.
    let service = state.borrow().services.get(name).cloned();
    if let Some(service) = service {
        return service(args);
    }
    if name == name::PLUGIN_CALL {
        return plugin_call(state, args);
    }
    if name == name::HTTP_REQUEST {
        return http_request(state, args);
    }
    let state = &mut *state.borrow_mut();
    match name {
        name::PING => Ok(name::PONG.to_vec()),
        name::TIME_NOW => Ok(state.time.to_le_bytes().to_vec()),
        name::RANDOM => random(state, args),
        name::CONFIG_GET => {
            state.config.get(one_text(args)?).map(|v| v.clone().into_bytes()).ok_or(Status::NotFound)
        }
        name::METRIC_RECORD => metric_record(state, args),
        name::EVENT_EMIT => event_emit(state, args),
        name::SECRET_REVEAL if !state.secrets.is_empty() => {
            state.secrets.get(one_text(args)?).cloned().ok_or(Status::NotFound)
        }
        name::AUTH_VERIFY if !state.tokens.is_empty() => {
            state.tokens.get(one_text(args)?).map(|v| v.clone().into_bytes()).ok_or(Status::Invalid)
        }
        name::SPAN_BEGIN => spans::begin(state, args),
        name::SPAN_END => spans::end(state, args),
        _ if name.starts_with("object_") => objects::dispatch(state, name, args),
        _ if name.starts_with("kv_") => kv(state, name, args),
        _ if name.starts_with("file_") => file(state, name, args),
        _ => Err(Status::UnknownSyscall),
    }
}

pub(super) fn invalid(_: Malformed) -> Status {
    Status::Invalid
}

pub(super) fn one_text(args: Args<'_>) -> Result<&str, Status> {
    args.exactly::<1>().map_err(invalid)?;
    args.text(0).map_err(invalid)
}

fn items<'a, const N: usize>(args: Args<'a>) -> Result<[&'a [u8]; N], Status> {
    args.exactly().map_err(invalid)
}

fn plugin_call(state: &RefCell<State>, args: Args<'_>) -> Answer {
    let [_, _, input] = items(args)?;
    let key = (args.text(0).map_err(invalid)?.to_owned(), args.text(1).map_err(invalid)?.to_owned());
    let operation = state.borrow().plugins.get(&key).cloned();
    operation.ok_or(Status::NotFound)?(input)
}

fn http_request(state: &RefCell<State>, args: Args<'_>) -> Answer {
    let request = Request::decode(args).map_err(invalid)?;
    let server = state.borrow().server.clone().ok_or(Status::UnknownSyscall)?;
    state.borrow_mut().requests.push(request.clone());
    let secrets = state.borrow().secrets.clone();
    let request = request.with_headers(|value| filled(value, &secrets))?;
    server(&request)?.encode().map_err(|_| Status::Limit)
}

/// The value of a header with the secrets it refers to in their places.
fn filled(value: &[u8], secrets: &BTreeMap<String, Vec<u8>>) -> Answer {
    const OPEN: &[u8] = b"{{secret:";
    const CLOSE: &[u8] = b"}}";
    let (mut out, mut rest) = (Vec::new(), value);
    while let Some((before, inside)) = split_at(rest, OPEN) {
        let (name, after) = split_at(inside, CLOSE).ok_or(Status::Invalid)?;
        let name = std::str::from_utf8(name).map_err(|_| Status::Invalid)?;
        out.extend_from_slice(before);
        out.extend_from_slice(secrets.get(name).ok_or(Status::NotFound)?);
        rest = after;
    }
    out.extend_from_slice(rest);
    Ok(out)
}

/// What stands before and after the first `mark`.
fn split_at<'b>(bytes: &'b [u8], mark: &[u8]) -> Option<(&'b [u8], &'b [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((bytes.get(..at)?, bytes.get(at + mark.len()..)?))
}

/// Not random: a sequence that differs from call to call and is the same in every run.
fn random(state: &mut State, args: Args<'_>) -> Answer {
    items::<1>(args)?;
    let length = usize::try_from(args.u64(0).map_err(invalid)?).map_err(|_| Status::Limit)?;
    if length > MAX_RANDOM {
        return Err(Status::Limit);
    }
    let next = |seed: &mut u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        seed.to_be_bytes()[0]
    };
    Ok((0..length).map(|_| next(&mut state.random)).collect())
}

fn metric_record(state: &mut State, args: Args<'_>) -> Answer {
    items::<4>(args)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Status::Invalid);
    let kind = args.text(1).map_err(invalid)?;
    if !metric::ALL.contains(&kind) {
        return Err(Status::Invalid);
    }
    let labels = args.pairs(3).map_err(invalid)?;
    state.metrics.push(Metric {
        name: args.text(0).map_err(invalid)?.to_owned(),
        kind: kind.to_owned(),
        value: args.f64(2).map_err(invalid)?,
        labels: labels.map(|(n, v)| Ok((text(n)?, text(v)?))).collect::<Result<_, Status>>()?,
    });
    Ok(Vec::new())
}

fn event_emit(state: &mut State, args: Args<'_>) -> Answer {
    items::<2>(args)?;
    let (kind, json) = (args.text(0).map_err(invalid)?, args.text(1).map_err(invalid)?);
    state.events.push((kind.to_owned(), json.to_owned()));
    Ok(Vec::new())
}

fn kv(state: &mut State, name: &str, args: Args<'_>) -> Answer {
    let key = args.nth(0).map_err(invalid)?;
    if key.len() > MAX_KEY {
        return Err(Status::Limit);
    }
    match name {
        name::KV_GET => {
            items::<1>(args)?;
            state.kv.get(key).cloned().ok_or(Status::NotFound)
        }
        name::KV_SET => {
            let [_, value] = items(args)?;
            store(state, key, value)
        }
        name::KV_DELETE => {
            items::<1>(args)?;
            state.kv.remove(key).map(|_| Vec::new()).ok_or(Status::NotFound)
        }
        name::KV_CAS => {
            let [_, _, value] = items(args)?;
            let expected = args.list(1).map_err(invalid)?;
            if expected.len() > 1 {
                return Err(Status::Invalid);
            }
            match state.kv.get(key).map(Vec::as_slice) == expected.iter().next() {
                true => store(state, key, value),
                false => Err(Status::Conflict),
            }
        }
        name::KV_LIST => kv_list(state, key, args),
        _ => Err(Status::UnknownSyscall),
    }
}

fn store(state: &mut State, key: &[u8], value: &[u8]) -> Answer {
    let size = |(key, value): (&Vec<u8>, &Vec<u8>)| key.len() + value.len();
    let others: usize = state.kv.iter().filter(|(other, _)| *other != key).map(size).sum();
    if value.len() > MAX_VALUE || others + key.len() + value.len() > state.storage_limit {
        return Err(Status::Limit);
    }
    state.kv.insert(key.to_vec(), value.to_vec());
    Ok(Vec::new())
}

fn kv_list(state: &State, prefix: &[u8], args: Args<'_>) -> Answer {
    let after = args.nth(1).unwrap_or_default();
    let limit = if args.len() > 2 { args.u64(2).map_err(invalid)? } else { u64::MAX };
    let keys = state.kv.keys().filter(|key| key.starts_with(prefix) && key.as_slice() > after);
    list(keys.take(usize::try_from(limit).unwrap_or(usize::MAX)).map(Vec::as_slice))
}

pub(super) fn list<'i>(items: impl Iterator<Item = &'i [u8]>) -> Answer {
    let mut out = Vec::new();
    for item in items {
        append(&mut out, item).map_err(|_| Status::Limit)?;
    }
    Ok(out)
}

fn file(state: &mut State, name: &str, args: Args<'_>) -> Answer {
    let path = path(args)?;
    match name {
        name::FILE_READ => {
            let content = state.files.get(path).ok_or(Status::NotFound)?;
            file_part(content, args)
        }
        name::FILE_WRITE | name::FILE_APPEND => {
            let [_, content] = items(args)?;
            file_write(state, path, content, name == name::FILE_APPEND)
        }
        name::FILE_STAT => file_stat(state, path),
        name::FILE_LIST => file_list(state, path),
        name::FILE_DELETE => state.files.remove(path).map(|_| Vec::new()).ok_or(Status::NotFound),
        _ => Err(Status::UnknownSyscall),
    }
}

fn file_write(state: &mut State, path: &str, content: &[u8], append: bool) -> Answer {
    let others: usize = state.files.iter().filter(|(other, _)| *other != path).map(|(_, c)| c.len()).sum();
    let kept = state.files.get(path).filter(|_| append).map_or(&[][..], Vec::as_slice);
    if others + kept.len() + content.len() > state.storage_limit {
        return Err(Status::Limit);
    }
    let content = [kept, content].concat();
    state.files.insert(path.to_owned(), content);
    Ok(Vec::new())
}

fn path(args: Args<'_>) -> Result<&str, Status> {
    let path = args.text(0).map_err(invalid)?;
    let wrong = |segment: &str| segment.is_empty() || segment == "." || segment == "..";
    match path.strip_prefix('/') {
        Some(rest) if !path.contains(['\0', '\\']) && !rest.split('/').any(wrong) => Ok(path),
        _ => Err(Status::Invalid),
    }
}

pub(super) fn file_part(content: &[u8], args: Args<'_>) -> Answer {
    if args.len() == 1 {
        return Ok(content.to_vec());
    }
    let number = |index| args.u64(index).map(|n| usize::try_from(n).unwrap_or(usize::MAX)).map_err(invalid);
    let (offset, length) = (number(1)?, number(2)?);
    Ok(content.iter().skip(offset).take(length).copied().collect())
}

fn file_stat(state: &State, path: &str) -> Answer {
    let (size, kind) = match state.files.get(path) {
        Some(content) => (content.len() as u64, FileKind::File),
        None if below(state, path).next().is_some() => (0, FileKind::Directory),
        None => return Err(Status::NotFound),
    };
    Ok(FileStat { size, mtime: state.time, kind }.encode().to_vec())
}

/// Paths under a directory, without its own.
fn below<'s>(state: &'s State, directory: &str) -> impl Iterator<Item = &'s str> {
    let prefix = format!("{directory}/");
    state.files.keys().filter_map(move |path| path.strip_prefix(prefix.as_str()))
}

fn file_list(state: &State, path: &str) -> Answer {
    let mut names: Vec<String> = below(state, path)
        .map(|rest| match rest.split_once('/') {
            Some((directory, _)) => format!("{directory}/"),
            None => rest.to_owned(),
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    match names.is_empty() {
        true => Err(Status::NotFound),
        false => list(names.iter().map(String::as_bytes)),
    }
}
