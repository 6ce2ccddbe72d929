//! Arguments, environment, clocks, randomness, waiting and the end of the program.

use super::errno::Errno;
use super::guest::Guest;
use super::layout::{EVENT, SUBSCRIPTION, Subscription, Wanted, event};
use forgeone_abi::limits::{MAX_RANDOM, MAX_SLEEP};
use forgeone_abi::names::syscall;

/// Most subscriptions of one `poll_oneoff`.
const SUBSCRIPTIONS: u32 = 1024;
/// Nanoseconds `clock_res_get` gives: what clocks of hosts keep.
const RESOLUTION: u64 = 1_000;
/// `clockid` of the wall clock.
const REALTIME: u32 = 0;
/// `clockid` of the clock that never goes back.
const MONOTONIC: u32 = 1;

/// `args_sizes_get(count, size)` and `environ_sizes_get`, of nothing.
pub(super) fn args_sizes_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    g.put(g.half(0), &[0; 4])?;
    g.put(g.half(1), &[0; 4])
}

/// `args_get(pointers, bytes)`: there are none.
pub(super) fn args_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    g.writable(g.half(0), 0)?;
    g.writable(g.half(1), 0)
}

/// `environ_sizes_get(count, size)`.
pub(super) fn environ_sizes_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    g.writable(g.half(0), 4)?;
    g.writable(g.half(1), 4)?;
    let all = environment(g);
    let count = u32::try_from(all.split(|byte| *byte == 0).count() - 1).map_err(|_| Errno::Overflow)?;
    let size = u32::try_from(all.len()).map_err(|_| Errno::Overflow)?;
    g.put(g.half(0), &count.to_le_bytes())?;
    g.put(g.half(1), &size.to_le_bytes())
}

/// `environ_get(pointers, bytes)`.
pub(super) fn environ_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (pointers, bytes) = (g.half(0), g.half(1));
    let all = environment(g).to_vec();
    g.writable(bytes, all.len())?;
    let (mut slot, mut start) = (pointers, bytes);
    for variable in all.split_inclusive(|byte| *byte == 0) {
        g.put(slot, &start.to_le_bytes())?;
        let length = u32::try_from(variable.len()).map_err(|_| Errno::Overflow)?;
        slot = slot.checked_add(4).ok_or(Errno::Fault)?;
        start = start.checked_add(length).ok_or(Errno::Fault)?;
    }
    g.put(bytes, &all)
}

/// The environment of this instance: read once, each variable decided by itself. What it may not read is not there.
fn environment<'g>(g: &'g mut Guest<'_>) -> &'g [u8] {
    if g.state.environment.is_none() {
        let names = std::mem::take(&mut g.state.variables);
        let mut all = Vec::new();
        for name in names {
            if g.variable(&name).is_err() || name.contains(['=', '\0']) || g.answer().contains(&0) {
                continue;
            }
            all.extend_from_slice(name.as_bytes());
            all.push(b'=');
            all.extend_from_slice(g.answer());
            all.push(0);
        }
        g.state.environment = Some(all);
    }
    g.state.environment.as_deref().unwrap_or_default()
}

/// `clock_res_get(clock, resolution)`.
pub(super) fn clock_res_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    if g.half(0) > MONOTONIC {
        return Err(Errno::Invalid);
    }
    g.put(g.half(1), &RESOLUTION.to_le_bytes())
}

/// `clock_time_get(clock, precision, time)`.
pub(super) fn clock_time_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    let out = g.half(2);
    g.writable(out, 8)?;
    let now = now(g, g.half(0))?;
    g.put(out, &now.to_le_bytes())
}

fn now(g: &mut Guest<'_>, clock: u32) -> Result<u64, Errno> {
    let name = match clock {
        REALTIME => syscall::TIME_NOW,
        MONOTONIC => syscall::TIME_MONOTONIC,
        _ => return Err(Errno::Invalid),
    };
    g.ask(name, &[])?;
    g.answer().first_chunk().map(|bytes| u64::from_le_bytes(*bytes)).ok_or(Errno::Io)
}

/// `random_get(buffer, len)`.
pub(super) fn random_get(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (mut at, mut left) = (g.half(0), g.half(1));
    g.bytes(at, left)?;
    while left > 0 {
        let length = left.min(u32::try_from(MAX_RANDOM).unwrap_or(u32::MAX));
        g.ask(syscall::RANDOM, &[&u64::from(length).to_le_bytes()])?;
        if g.scatter(&[(at, length)])? != length {
            return Err(Errno::Io);
        }
        (at, left) = (at.saturating_add(length), left - length);
    }
    Ok(())
}

/// `proc_exit(code)`: the call ends as a trap does.
pub(super) fn proc_exit(g: &mut Guest<'_>) -> Result<(), Errno> {
    g.state.exit = Some(g.half(0));
    Ok(())
}

/// `sched_yield()`.
pub(super) fn sched_yield(_: &mut Guest<'_>) -> Result<(), Errno> {
    Ok(())
}

/// `poll_oneoff(subscriptions, events, count, happened)`: descriptors are ready at once; else the nearest clock is
/// waited for, no longer than the call may last.
pub(super) fn poll_oneoff(g: &mut Guest<'_>) -> Result<(), Errno> {
    let (list, events, count, out) = (g.half(0), g.half(1), g.half(2), g.half(3));
    if count == 0 || count > SUBSCRIPTIONS {
        return Err(Errno::Invalid);
    }
    g.bytes(events, count * EVENT)?;
    g.writable(out, 4)?;
    let bytes = g.bytes(list, count * SUBSCRIPTION)?.chunks(usize::try_from(SUBSCRIPTION).unwrap_or(1));
    let wanted = bytes.map(Subscription::read).collect::<Option<Vec<_>>>().ok_or(Errno::Invalid)?;
    let ready: Vec<_> =
        wanted.iter().filter_map(|sub| Some(event(sub.userdata, state(g, sub)?, sub.kind, 0))).collect();
    let happened = if ready.is_empty() { sleep(g, &wanted)? } else { ready };
    let number = u32::try_from(happened.len()).map_err(|_| Errno::Overflow)?;
    g.put(events, &happened.concat())?;
    g.put(out, &number.to_le_bytes())
}

/// What a subscription for a descriptor has to tell at once; clocks have nothing.
fn state(g: &Guest<'_>, sub: &Subscription) -> Option<u16> {
    match sub.wanted {
        Wanted::Descriptor { fd } => Some(g.state.descriptors.get(fd).map_or_else(|e| e as u16, |_| 0)),
        Wanted::Clock { .. } => None,
    }
}

/// Waits for the nearest of these clocks, and gives the events of all that are over by then.
fn sleep(g: &mut Guest<'_>, wanted: &[Subscription]) -> Result<Vec<[u8; EVENT as usize]>, Errno> {
    let mut waits = Vec::with_capacity(wanted.len());
    for sub in wanted {
        let Wanted::Clock { id, timeout, absolute } = sub.wanted else { continue };
        let left = match (id, absolute) {
            (REALTIME | MONOTONIC, false) => timeout,
            _ => timeout.saturating_sub(now(g, id)?),
        };
        waits.push((left, sub.userdata));
    }
    let nearest = waits.iter().map(|(left, _)| *left).min().unwrap_or(0);
    wait(g, nearest)?;
    Ok(waits
        .iter()
        .filter(|(left, _)| *left <= nearest)
        .map(|(_, userdata)| event(*userdata, 0, 0, 0))
        .collect())
}

/// Waits so many nanoseconds, in steps, as long as the instance may live.
fn wait(g: &mut Guest<'_>, mut left: u64) -> Result<(), Errno> {
    loop {
        let step = left.min(MAX_SLEEP);
        g.ask(syscall::TIME_SLEEP, &[&step.to_le_bytes()])?;
        left -= step;
        if left == 0 {
            return Ok(());
        }
        if g.over.is_cancelled() {
            return Err(Errno::TimedOut);
        }
    }
}
