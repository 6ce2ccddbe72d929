//! The calls of spans on the fake host: one trace, spans numbered in the order they are opened.

use forgeone_abi::{Args, Status};

use super::services::{Answer, invalid, one_text};
use super::state::State;

/// Most spans that are open at once.
const OPEN: usize = 64;

pub(super) fn begin(state: &mut State, args: Args<'_>) -> Answer {
    let name = args.text(0).map_err(invalid)?;
    if args.len() > 1 {
        args.pairs(1).map_err(invalid)?;
    }
    let (names, open) = &mut state.spans;
    if open.len() == OPEN {
        return Err(Status::Limit);
    }
    names.push(name.to_owned());
    open.push(names.len());
    Ok(place(names.len()).into_bytes())
}

pub(super) fn end(state: &mut State, args: Args<'_>) -> Answer {
    let span = one_text(args)?;
    let open = &mut state.spans.1;
    let at = open.iter().position(|number| place(*number) == span).ok_or(Status::NotFound)?;
    open.truncate(at);
    Ok(Vec::new())
}

fn place(number: usize) -> String {
    format!("00-{:032x}-{number:016x}-01", 1)
}
