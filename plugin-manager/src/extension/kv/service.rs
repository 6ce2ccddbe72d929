//! The five calls of the storage family, on top of the values in memory.

use super::Kv;
use super::engine::Change;
use crate::extension::service::{Door, Service, invalid, limit, number, plugin, required, target, text};
use common::identity::IdentityContext;
use microkernel::syscall_bridge::{Call, CallError, Target, list, push};
use std::sync::Arc;

/// Most bytes of a key.
const KEY_BYTES: usize = 1024;
/// Keys listed when no limit is given.
const LIST_KEYS: u64 = 1000;
/// Most bytes of a list.
const LIST_BYTES: usize = 16 << 20;

/// The services of the family by action.
pub(in crate::extension) fn services<D: Door>(kv: &Arc<Kv>) -> [(&'static str, D::Handler); 5] {
    [
        ("kv_get", D::put(Get(kv.clone()))),
        ("kv_set", D::put(Set(kv.clone()))),
        ("kv_delete", D::put(Delete(kv.clone()))),
        ("kv_list", D::put(List(kv.clone()))),
        ("kv_cas", D::put(Cas(kv.clone()))),
    ]
}

struct Get(Arc<Kv>);

impl Service for Get {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [key] = list::<1>(args, 1)?;
        key_target(key)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let now = call.clock.coarse_ms();
        self.0.core.get(plugin(call.identity)?, call.target, now, call.response)
    }
}

struct Set(Arc<Kv>);

impl Service for Set {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [key, _] = list::<2>(args, 2)?;
        key_target(key)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [_, value] = list::<2>(call.args, 2)?;
        self.0.change(&call, &Change::Set(call.target, required(value)?))
    }
}

struct Delete(Arc<Kv>);

impl Service for Delete {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [key] = list::<1>(args, 1)?;
        key_target(key)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        self.0.change(&call, &Change::Remove(call.target))
    }
}

struct Cas(Arc<Kv>);

impl Service for Cas {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [key, expected, _] = list::<3>(args, 3)?;
        list::<1>(required(expected)?, 0)?;
        key_target(key)
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [_, expected, value] = list::<3>(call.args, 3)?;
        let [expected] = list::<1>(required(expected)?, 0)?;
        self.0.change(&call, &Change::Swap(call.target, expected, required(value)?))
    }
}

struct List(Arc<Kv>);

impl Service for List {
    fn target<'a>(&self, _: &IdentityContext, args: &'a [u8]) -> Result<Target<'a>, CallError> {
        let [prefix, after, most] = list::<3>(args, 1)?;
        text(after.unwrap_or_default())?;
        most.map(number).transpose()?;
        Ok(target(key_text(required(prefix)?)?, true))
    }
    fn serve(&self, call: Call<'_>) -> Result<(), CallError> {
        let [_, after, most] = list::<3>(call.args, 1)?;
        let after = text(after.unwrap_or_default())?;
        let most = most.map_or(Ok(LIST_KEYS), number)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let (owner, now) = (plugin(call.identity)?, call.clock.coarse_ms());
        self.0.core.read(owner, now, |area| {
            let mut left = LIST_BYTES;
            for key in area.keys(call.target, after).take(most) {
                // The caller asks again with the last key it got.
                let Some(rest) = left.checked_sub(key.len() + 4) else { break };
                left = rest;
                push(call.response, key.as_bytes());
            }
        })
    }
}

impl Kv {
    fn change(&self, call: &Call<'_>, change: &Change<'_>) -> Result<(), CallError> {
        self.core.write(plugin(call.identity)?, change, call.deadline, call.clock)
    }
}

fn key_target(key: Option<&[u8]>) -> Result<Target<'_>, CallError> {
    match key_text(required(key)?)? {
        "" => Err(invalid("a key is empty")),
        key => Ok(target(key, true)),
    }
}

fn key_text(bytes: &[u8]) -> Result<&str, CallError> {
    if bytes.len() > KEY_BYTES {
        return Err(limit("a key is longer than 1 KiB"));
    }
    text(bytes)
}
