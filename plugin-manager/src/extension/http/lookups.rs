//! Names looked up on blocking threads. A place is held until the lookup itself has ended, whoever still waits for it:
//! so a plugin blocks [`OF_ONE`] threads at most, and never those of the host's own requests.

use super::fault::Fault;
use super::net::Resolve;
use common::identity::PluginId;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lookups of one plugin at once.
const OF_ONE: usize = 4;
/// Lookups of all plugins at once.
const OF_PLUGINS: usize = 48;
/// Lookups at once for buckets of objects.
const OF_BUCKETS: usize = 8;
/// Lookups at once for issuers' keys.
const OF_ISSUERS: usize = 8;
/// Threads that all of them together may block.
pub(super) const THREADS: usize = OF_PLUGINS + OF_BUCKETS + OF_ISSUERS;
/// Plugins remembered before those that look nothing up are forgotten.
const REMEMBERED: usize = 1024;

/// Whose request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::extension) enum Asker {
    /// A plugin's, to a host it named.
    Plugin(PluginId),
    /// To a store the operator named.
    Bucket,
    /// To an issuer the operator named.
    Issuer,
}

/// The lookups of one client.
#[derive(Debug)]
pub(super) struct Lookups {
    resolver: Arc<dyn Resolve>,
    each: Mutex<HashMap<PluginId, Arc<Semaphore>>>,
    plugins: Arc<Semaphore>,
    buckets: Arc<Semaphore>,
    issuers: Arc<Semaphore>,
}

impl Lookups {
    pub fn new(resolver: Arc<dyn Resolve>) -> Self {
        let places = |most| Arc::new(Semaphore::new(most));
        Self {
            resolver,
            each: Mutex::default(),
            plugins: places(OF_PLUGINS),
            buckets: places(OF_BUCKETS),
            issuers: places(OF_ISSUERS),
        }
    }

    /// The addresses of a name. Waits for a place first; dropped before it has one, it leaves nothing behind.
    pub async fn find(&self, asker: Asker, name: &str) -> Result<Vec<IpAddr>, Fault> {
        let places = self.places(asker).await?;
        let (resolver, name) = (self.resolver.clone(), name.to_owned());
        let found = tokio::task::spawn_blocking(move || {
            let found = resolver.resolve(&name);
            drop(places);
            found
        });
        found.await.map_err(|_| Fault::Internal)?.map_err(|_| Fault::NoName)
    }

    /// A plugin's own place comes first, so that it waits for a place among all with [`OF_ONE`] lookups at most.
    async fn places(&self, asker: Asker) -> Result<[Option<OwnedSemaphorePermit>; 2], Fault> {
        let (own, shared) = match asker {
            Asker::Plugin(plugin) => (Some(self.of(plugin)), &self.plugins),
            Asker::Bucket => (None, &self.buckets),
            Asker::Issuer => (None, &self.issuers),
        };
        let own = match own {
            Some(own) => Some(place(own).await?),
            None => None,
        };
        Ok([own, Some(place(shared.clone()).await?)])
    }

    fn of(&self, plugin: PluginId) -> Arc<Semaphore> {
        let mut each = self.each.lock();
        if each.len() >= REMEMBERED && !each.contains_key(&plugin) {
            // A permit holds its semaphore, and so does who waits for one.
            each.retain(|_, places| Arc::strong_count(places) > 1);
        }
        each.entry(plugin).or_insert_with(|| Arc::new(Semaphore::new(OF_ONE))).clone()
    }
}

async fn place(places: Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Fault> {
    places.acquire_owned().await.map_err(|_| Fault::Internal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::identity::Name;
    use std::net::Ipv4Addr;
    use std::sync::mpsc;
    use std::time::Duration;

    fn plugin(name: &str) -> PluginId {
        PluginId::new(&Name::new("acme").unwrap(), &Name::new(name).unwrap())
    }

    /// `stuck` has no answer until the test lets go; every other name has one at once.
    #[derive(Debug)]
    struct Stuck {
        asked: mpsc::Sender<String>,
        released: Mutex<mpsc::Receiver<()>>,
    }

    impl Resolve for Stuck {
        fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
            self.asked.send(name.to_owned()).unwrap();
            if name == "stuck" {
                // Ends when the test drops the other side.
                self.released.lock().recv().ok();
            }
            Ok(vec![Ipv4Addr::LOCALHOST.into()])
        }
    }

    struct Stage {
        lookups: Arc<Lookups>,
        asked: mpsc::Receiver<String>,
        release: mpsc::Sender<()>,
        runtime: tokio::runtime::Runtime,
    }

    impl Stage {
        fn new() -> Self {
            let ((asked, told), (release, released)) = (mpsc::channel(), mpsc::channel());
            let resolver = Arc::new(Stuck { asked, released: Mutex::new(released) });
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .max_blocking_threads(THREADS)
                .enable_time()
                .build()
                .unwrap();
            Self { lookups: Arc::new(Lookups::new(resolver)), asked: told, release, runtime }
        }
        /// Begins a lookup that does not end, and gives up waiting for it.
        fn give_up(&self, asker: Asker) {
            let wait = async {
                tokio::time::timeout(Duration::from_millis(1), self.lookups.find(asker, "stuck")).await
            };
            self.runtime.block_on(wait).unwrap_err();
        }
        fn find(&self, asker: Asker) -> Result<Vec<IpAddr>, Fault> {
            self.runtime.block_on(async {
                let found = self.lookups.find(asker, "other");
                tokio::time::timeout(Duration::from_secs(20), found).await.unwrap()
            })
        }
    }

    #[test]
    fn who_gives_up_keeps_its_places_until_the_lookups_have_ended_and_others_go_on() {
        let stage = Stage::new();
        for _ in 0..5 * THREADS {
            stage.give_up(Asker::Plugin(plugin("bad")));
        }
        let found = Ok(vec![Ipv4Addr::LOCALHOST.into()]);
        for asker in [Asker::Plugin(plugin("good")), Asker::Bucket, Asker::Issuer] {
            assert_eq!(stage.find(asker), found, "{asker:?}");
        }
        let asked: Vec<String> = stage.asked.try_iter().collect();
        assert_eq!(asked.iter().filter(|name| *name == "stuck").count(), OF_ONE);
        // Once they have ended, the plugin has its places back.
        drop(stage.release);
        let again = async {
            let found = stage.lookups.find(Asker::Plugin(plugin("bad")), "other");
            tokio::time::timeout(Duration::from_secs(20), found).await.unwrap()
        };
        assert_eq!(stage.runtime.block_on(again), found);
    }

    #[test]
    fn many_plugins_that_look_up_what_has_no_answer_leave_the_hosts_own_requests_their_threads() {
        let stage = Stage::new();
        for i in 0..OF_PLUGINS {
            for _ in 0..OF_ONE {
                stage.give_up(Asker::Plugin(plugin(&format!("bad{i}"))));
            }
        }
        assert_eq!(stage.find(Asker::Issuer), Ok(vec![Ipv4Addr::LOCALHOST.into()]));
        let asked: Vec<String> = stage.asked.try_iter().filter(|name| name == "stuck").collect();
        assert_eq!(asked.len(), OF_PLUGINS);
    }

    #[test]
    fn plugins_that_look_nothing_up_are_forgotten() {
        let lookups = Stage::new().lookups;
        let kept = lookups.of(plugin("kept")).try_acquire_owned().unwrap();
        for i in 0..3 * REMEMBERED {
            drop(lookups.of(plugin(&format!("p{i}"))));
        }
        assert!(lookups.each.lock().len() <= REMEMBERED);
        assert_eq!(lookups.of(plugin("kept")).available_permits(), OF_ONE - 1);
        drop(kept);
    }
}
