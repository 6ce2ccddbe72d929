//! Stored values between the journals and the database: appended, synced, settled; each step under its own lock.

use super::super::db::{Db, KV, OrDb};
use super::super::disk::Disk;
use super::super::kv::KvRow;
use super::super::{StoreError, layout};
use super::frame::{self, Position, Standing};
use super::pending::{self, Change, Pending};
use super::replay::{Found, damage, in_order, replay};
use super::segment::{JournalFile, Segment};
use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

const FILES: [&str; 2] = ["kv.0.journal", "kv.1.journal"];
/// Most bytes of one batch.
const BATCH: usize = 128 << 20;
/// Most bytes of a journal that is read: one that was not overfull when the largest batch came.
const MOST: u64 = 160 << 20;

/// Stored values that are in the journals and perhaps not in the database.
#[derive(Debug)]
pub(in crate::store) struct Values {
    disk: Arc<dyn Disk>,
    state: Mutex<State>,
    /// One settling at a time; held before `state`, which is never held over a sync or a transaction.
    settling: Mutex<()>,
}

/// While it is held nothing is moved into the database.
pub(in crate::store) type Resting<'a> = MutexGuard<'a, ()>;

#[derive(Debug)]
struct State {
    /// What is appended to.
    front: Segment,
    /// Empty, or on its way into the database.
    back: Segment,
    /// Bytes of the journal before `front`.
    before: u64,
    /// An append could not be undone or a sync failed: what is in the file is not known any more.
    broken: bool,
}

impl State {
    /// Lets the journals change places. The back one must be empty.
    fn turn(&mut self) {
        std::mem::swap(&mut self.front, &mut self.back);
        self.before = self.back.length;
    }
    fn holds(&self, namespace: &str) -> bool {
        self.front.rows.of(namespace).or_else(|| self.back.rows.of(namespace)).is_some()
    }
    /// Up to where the journals are durable, without a gap.
    fn durable(&self) -> Position {
        if self.back.is_ahead() { self.back.durable() } else { self.front.durable() }
    }
    fn append(&mut self, disk: &dyn Disk, rows: &[KvRow<'_>]) -> Result<(), StoreError> {
        let standing = Standing { at: self.front.end(), synced: self.durable(), before: self.before };
        let fill = |out: &mut Vec<u8>| rows.iter().for_each(|row| pending::encode(row, out));
        let frame = frame::encode(&self.front.header, &standing, fill);
        if let Err(torn) = self.front.append(disk, &frame) {
            self.broken = !torn.cut;
            return Err(torn.error);
        }
        let all = Arc::make_mut(&mut self.front.rows);
        rows.iter().for_each(|row| all.put(row.namespace, row.key, row.value));
        Ok(())
    }
}

impl Values {
    /// Opens the journals below `root`, or makes them; moves what a crash left in them into the database.
    ///
    /// # Errors
    /// E0003 when a batch that was durable is damaged, E0104 when others can write to a journal, E0002 on input
    /// and output.
    pub(in crate::store) fn open(disk: Arc<dyn Disk>, root: &Path, db: &Db) -> Result<Self, StoreError> {
        let [first, second] = FILES.map(|name| load(root, name));
        let [earlier, later] = in_order([first?, second?]);
        let rows = replay(&earlier, &later)?;
        if !rows.is_empty() {
            apply(db, &rows)?;
        }
        let generation = earlier.generation().max(later.generation());
        let usable = earlier.is_clean() && later.is_clean();
        let reuse =
            |found: Found, next: u64| open_segment(&*disk, found, (!usable).then_some(generation + next));
        let front = reuse(earlier, 1)?;
        let back = reuse(later, 2)?;
        if !usable {
            disk.sync_dir(root).map_err(StoreError::io("sync", root))?;
        }
        let state = State { front, back, before: 0, broken: false };
        Ok(Self { disk, state: Mutex::new(state), settling: Mutex::default() })
    }

    /// Appends a batch: all of it or nothing. When this returns it outlives this process, not yet a loss of
    /// power. Settles first when one journal is full and the other overfull.
    pub(in crate::store) fn append(&self, db: &Db, rows: &[KvRow<'_>]) -> Result<(), StoreError> {
        let bytes: usize = rows.iter().map(pending::encoded_len).sum();
        if bytes > BATCH {
            return Err(StoreError::TooLarge { what: "a batch of stored values", limit: BATCH });
        }
        if rows.is_empty() { Ok(()) } else { self.with_room(db)?.append(&*self.disk, rows) }
    }

    fn with_room(&self, db: &Db) -> Result<MutexGuard<'_, State>, StoreError> {
        loop {
            let mut state = self.state.lock();
            if state.broken {
                return Err(StoreError::Refusing(state.front.file.path.clone()));
            }
            if state.front.is_full() && state.back.is_empty() {
                state.turn();
            }
            if !state.front.is_overfull() {
                return Ok(state);
            }
            drop(state);
            self.settle(db)?;
        }
    }

    /// Makes durable what was appended before. Appending goes on meanwhile.
    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        for (file, end) in self.ahead()? {
            let synced = file.sync(&*self.disk);
            let mut state = self.state.lock();
            // What a failed sync left on the disk is not known, and the next one would not tell.
            state.broken |= synced.is_err();
            synced?;
            state.back.note_synced(end);
            state.front.note_synced(end);
        }
        Ok(())
    }

    /// What is to be synced up to where, in the order in which it was written.
    fn ahead(&self) -> Result<Vec<(Arc<JournalFile>, Position)>, StoreError> {
        let state = self.state.lock();
        if state.broken {
            return Err(StoreError::Refusing(state.front.file.path.clone()));
        }
        let both = [&state.back, &state.front].into_iter();
        Ok(both.filter(|s| s.is_ahead()).map(|s| (s.file.clone(), s.end())).collect())
    }

    /// Whether a full journal waits to be settled.
    pub(in crate::store) fn settle_due(&self) -> bool {
        !self.state.lock().back.is_empty()
    }

    /// Whether both journals are full: who appends had better wait for a settling.
    pub(in crate::store) fn is_full(&self) -> bool {
        let state = self.state.lock();
        state.front.is_full() && !state.back.is_empty()
    }

    /// Moves the rows of a full journal into the database and empties it. Appending goes on meanwhile.
    pub(in crate::store) fn settle(&self, db: &Db) -> Result<(), StoreError> {
        let resting = self.settling.lock();
        self.settle_back(db, &resting)
    }

    fn settle_back(&self, db: &Db, _: &Resting<'_>) -> Result<(), StoreError> {
        let state = self.state.lock();
        if state.back.is_empty() {
            return Ok(());
        }
        let (file, rows) = (state.back.file.clone(), state.back.rows.clone());
        let generation = state.front.header.generation + 1;
        drop(state);
        apply(db, &rows)?;
        // Nobody appends to a journal at the back that is not empty, and nobody else empties it.
        let header = file.restart(&*self.disk, generation)?;
        self.state.lock().back = Segment::empty(file, header);
        Ok(())
    }

    /// Moves everything that is in the journals now into the database.
    pub(in crate::store) fn settle_all(&self, db: &Db) -> Result<(), StoreError> {
        self.settle_while(db, |state| !state.front.is_empty() || !state.back.is_empty()).map(drop)
    }

    /// Moves what the journals hold of a namespace, which must be quiet, into the database; while the result is
    /// held, nothing is moved there.
    pub(in crate::store) fn settle_of(&self, db: &Db, namespace: &str) -> Result<Resting<'_>, StoreError> {
        self.settle_while(db, |state| state.holds(namespace))
    }

    fn settle_while(&self, db: &Db, due: impl Fn(&State) -> bool) -> Result<Resting<'_>, StoreError> {
        let resting = self.settling.lock();
        loop {
            let mut state = self.state.lock();
            if !due(&state) {
                break;
            }
            if state.back.is_empty() {
                state.turn();
            }
            drop(state);
            self.settle_back(db, &resting)?;
        }
        Ok(resting)
    }

    /// A view of the database taken by `view`, and the changes of a namespace to lay over it.
    pub(in crate::store) fn over<T>(
        &self,
        namespace: &str,
        view: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<(T, BTreeMap<String, Change>), StoreError> {
        let state = self.state.lock();
        // INVARIANT: taken under the lock under which settled rows leave memory, so that none is missed and none
        // in the database is newer.
        let seen = view()?;
        let of = |segment: &Segment| segment.rows.of(namespace).cloned().unwrap_or_default();
        let mut changes = of(&state.back);
        changes.append(&mut of(&state.front));
        Ok((seen, changes))
    }
}

fn apply(db: &Db, rows: &Pending) -> Result<(), StoreError> {
    db.write("store values", |txn| {
        let mut table = txn.open_table(KV).or_db("open a table")?;
        for (namespace, key, value) in rows.iter() {
            match value {
                Some(value) => table.insert((namespace, key), value).or_db("write")?,
                None => table.remove((namespace, key)).or_db("write")?,
            };
        }
        Ok(())
    })
}

fn load(root: &Path, name: &str) -> Result<Found, StoreError> {
    let path = root.join(name);
    layout::check_file(&path)?;
    match path.metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => return Found::new(path, None),
        Err(e) => return Err(StoreError::io("look at", path)(e)),
        Ok(meta) if meta.len() > MOST => return Err(damage(&path, MOST, "is longer than one can be")),
        Ok(_) => {}
    }
    let bytes = std::fs::read(&path).map_err(StoreError::io("read", &path))?;
    Found::new(path, Some(bytes))
}

/// Opens a journal as it is, or with a number empties it and gives it that generation.
fn open_segment(disk: &dyn Disk, found: Found, restart: Option<u64>) -> Result<Segment, StoreError> {
    let file = disk.append_to(&found.path).map_err(StoreError::io("open", &found.path))?;
    let file = JournalFile { path: found.path, file };
    let header = match (restart, found.header) {
        (None, Some(header)) => header,
        (restart, _) => file.restart(disk, restart.unwrap_or(1))?,
    };
    Ok(Segment::empty(Arc::new(file), header))
}
