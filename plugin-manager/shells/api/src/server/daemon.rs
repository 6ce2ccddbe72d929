//! Who may ask, for whom the manager then acts, and what with: the parts every connection shares.

use super::body::Budget;
use super::gate::Gate;
use super::limits::{CALLS, MANAGEMENT, RECEIVED, SENT};
use crate::asks::Lane;
use crate::error::DaemonError;
use crate::operator;
use crate::wire::DaemonInfo;
use common::identity::IdentityContext;
use parking_lot::Mutex;
use plugin_manager::{PluginManager, TrustContext};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Who is at the other end of a connection, by the kernel's word.
#[derive(Debug, Clone, Copy)]
pub struct Peer {
    /// The user.
    pub uid: u32,
}

/// The superuser.
const ROOT: u32 = 0;

/// Whether a user may ask the daemon of another: its own may, and the superuser.
///
/// # Errors
/// Everybody else may not.
pub const fn admitted(peer: Peer, owner: u32) -> Result<u32, DaemonError> {
    if peer.uid == owner || peer.uid == ROOT {
        return Ok(peer.uid);
    }
    Err(DaemonError::Foreign { uid: peer.uid, owner })
}

/// What every connection shares.
#[derive(Debug)]
pub struct Daemon {
    manager: PluginManager,
    owner: u32,
    /// A handle of the manager for each user who asked: of those who may there are two. Made anew after an erasure,
    /// so that nobody goes on under the pseudonym of one who was erased.
    acting: Mutex<(u64, BTreeMap<u32, PluginManager>)>,
    /// The configuration file in force, absolute.
    pub config: String,
    /// The value of the header that says which daemon answers.
    pub info: String,
    /// What may begin.
    pub gate: Arc<Gate>,
    /// Bytes of requests.
    pub received: Budget,
    /// Bytes of answers.
    pub sent: Budget,
    calls: Arc<Semaphore>,
    management: Arc<Semaphore>,
}

impl Daemon {
    /// A daemon over an open home that is starting.
    pub fn new(manager: PluginManager, config: String, since_ns: u64) -> Arc<Self> {
        let pid = std::process::id();
        Arc::new(Self {
            manager,
            owner: rustix::process::geteuid().as_raw(),
            acting: Mutex::default(),
            config,
            info: DaemonInfo::header(pid, since_ns),
            gate: Gate::new(pid),
            received: Budget::of(RECEIVED),
            sent: Budget::of(SENT),
            calls: Arc::new(Semaphore::new(CALLS)),
            management: Arc::new(Semaphore::new(MANAGEMENT)),
        })
    }

    /// The manager, acting for who asks: what is decided and recorded names that user, not the daemon's.
    ///
    /// # Errors
    /// When that user may not ask.
    pub fn manager_for(&self, peer: Peer) -> Result<PluginManager, DaemonError> {
        let uid = admitted(peer, self.owner)?;
        let mut acting = self.acting.lock();
        let erasures = self.manager.erasures();
        if acting.0 != erasures {
            *acting = (erasures, BTreeMap::new());
        }
        let handle = acting.1.entry(uid).or_insert_with(|| {
            let identity = IdentityContext::operator(&operator::name_of(uid));
            self.manager.acting_as(&TrustContext::new(&identity))
        });
        Ok(handle.clone())
    }

    /// A place among those who are answered at once in this lane.
    pub async fn place(&self, lane: Lane) -> Option<OwnedSemaphorePermit> {
        let lane = match lane {
            Lane::Calls => &self.calls,
            Lane::Management => &self.management,
        };
        // Never closed.
        lane.clone().acquire_owned().await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_and_the_superuser_are_served_and_nobody_else() {
        let admits = |uid, owner| admitted(Peer { uid }, owner).is_ok();
        assert!(admits(1000, 1000) && admits(0, 1000) && admits(0, 0));
        assert!(!admits(1001, 1000) && !admits(1000, 0) && !admits(u32::MAX, 1000));
    }
}
