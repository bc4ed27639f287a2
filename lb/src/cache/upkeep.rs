//! The thread of a zone: it finds the files that an earlier process has left, then removes what nobody asks for, what is too
//! much and, where `min_free` wants room, the least recently used. nginx has two processes for that.

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use super::disk::{self, Disk};
use super::zone::{Eviction, Zone, now};
use crate::config::model::CachePace;

/// nginx's manager looks at least this often.
const MOST_SLEEP: Duration = Duration::from_secs(10);
/// And never more often than this.
const LEAST_SLEEP: Duration = Duration::from_millis(250);

pub(super) fn start(zone: &'static Zone) {
    let spawned = std::thread::Builder::new().name("cache".to_owned()).spawn(move || run(zone));
    if let Err(error) = spawned {
        crate::alert!("no thread for cache zone \"{}\": {error}", zone.name());
    }
}

fn run(zone: &'static Zone) {
    if let Some(disk) = &zone.disk {
        let pace = zone.path.load().loader.clone();
        load(zone, disk, disk.folder(), &mut Paced::new(pace));
        zone.is_loading.store(false, Relaxed);
    }
    while !zone.is_retired.load(Relaxed) {
        tidy(zone);
        let inactive = zone.path.load().inactive;
        std::thread::sleep((inactive / 2).clamp(LEAST_SLEEP, MOST_SLEEP));
    }
}

/// Finds the files of a folder and of those in it. What cannot be read is as if it were not there.
fn load(zone: &'static Zone, disk: &Disk, folder: &Path, paced: &mut Paced) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if zone.is_retired.load(Relaxed) {
            return;
        }
        let name = entry.file_name();
        let (Some(name), Ok(kind)) = (name.to_str(), entry.file_type()) else { continue };
        if kind.is_dir() {
            load(zone, disk, &entry.path(), paced);
        } else if let Some(key) = disk::key_of(name) {
            let Ok(data) = entry.metadata() else { continue };
            // A file from other levels is never looked for.
            if disk.path(&key) != entry.path() {
                disk::remove(&entry.path());
                continue;
            }
            let mut gone = Vec::new();
            zone.index.lock().found(&key, Disk::taken(data.len()), now(), &mut gone);
            zone.remove(gone, Eviction::Keys);
        } else if disk::is_unfinished(name) && is_old(&entry) {
            disk::remove(&entry.path());
        }
        paced.one();
    }
}

/// Whether nobody is writing to it: it was there before this process.
fn is_old(entry: &fs::DirEntry) -> bool {
    let age = entry.metadata().and_then(|data| data.modified()).ok().and_then(|at| at.elapsed().ok());
    age.is_some_and(|age| age > MOST_SLEEP)
}

/// Removes what has to go.
fn tidy(zone: &'static Zone) {
    let path = zone.path.load_full();
    let mut paced = Paced::new(path.manager.clone());
    let inactive = i64::try_from(path.inactive.as_secs()).unwrap_or(i64::MAX);
    loop {
        let gone = zone.index.lock().take_inactive(now().saturating_sub(inactive).saturating_add(1), 1);
        if gone.is_empty() {
            break;
        }
        zone.remove(gone, Eviction::Inactive);
        paced.one();
    }
    if let Some(most) = zone.max_bytes() {
        let gone = zone.index.lock().take_beyond(most);
        zone.remove(gone, Eviction::Size);
    }
    let Some(disk) = zone.disk.as_ref().filter(|_| path.min_free_bytes > 0) else { return };
    while disk.free_bytes().is_some_and(|free| free < path.min_free_bytes) {
        let Some(key) = zone.index.lock().take_oldest() else { break };
        zone.remove(vec![key], Eviction::Size);
        paced.one();
    }
}

/// So many files at a time, for so long at most, then a pause.
struct Paced {
    pace: CachePace,
    files: u64,
    since: Instant,
}

impl Paced {
    fn new(pace: CachePace) -> Self {
        Self { pace, files: 0, since: Instant::now() }
    }

    fn one(&mut self) {
        self.files += 1;
        if self.files >= self.pace.files || self.since.elapsed() >= self.pace.threshold {
            std::thread::sleep(self.pace.sleep);
            (self.files, self.since) = (0, Instant::now());
        }
    }
}
