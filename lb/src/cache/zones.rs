//! All zones of a configuration.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use nix::unistd::{Uid, chown};

use super::upkeep;
use super::zone::Zone;
use crate::config::model::{CachePath, Position};

/// The zones, in the order of the configuration. A reload finds again those that it keeps.
#[derive(Default)]
pub struct Zones(Vec<&'static Zone>);

/// Why the zones of a configuration cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ZoneError {
    /// A folder cannot be made.
    #[error("mkdir() \"{path}\" failed ({reason})")]
    Folder {
        /// Which.
        path: String,
        /// In the system's words.
        reason: String,
        /// Its `proxy_cache_path`.
        position: Position,
    },
    /// A zone that is in use has another folder now.
    #[error(
        "cache \"{name}\" uses the \"{path}\" cache path while previously it used the \"{previous}\" cache path"
    )]
    OtherFolder {
        /// The zone.
        name: String,
        /// Its folder now.
        path: String,
        /// Its folder before.
        previous: String,
        /// Its `proxy_cache_path`.
        position: Position,
    },
    /// A zone that is in use has other levels now.
    #[error("cache \"{name}\" had previously different levels")]
    OtherLevels {
        /// The zone.
        name: String,
        /// Its `proxy_cache_path`.
        position: Position,
    },
}

impl ZoneError {
    /// Where it is asked for.
    pub fn position(&self) -> &Position {
        match self {
            Self::Folder { position, .. }
            | Self::OtherFolder { position, .. }
            | Self::OtherLevels { position, .. } => position,
        }
    }
}

impl Zones {
    /// The zones of `paths`; those of `previous` that have the same name are the same. Folders are made.
    pub fn prepare(paths: &[CachePath], previous: Option<&Self>) -> Result<Self, ZoneError> {
        let known = |name: &str| previous.and_then(|zones| zones.named(name));
        let mut zones = Vec::with_capacity(paths.len());
        for path in paths {
            zones.push(match known(&path.name) {
                Some(zone) => again(zone, path)?,
                None => Zone::leak(path),
            });
        }
        for (zone, path) in zones.iter().zip(paths) {
            let Some(disk) = &zone.disk else { continue };
            disk.prepare().map_err(|error| ZoneError::Folder {
                path: disk.folder().display().to_string(),
                reason: crate::system_error::number_first(&error.to_string()),
                position: path.position.clone(),
            })?;
        }
        Ok(Self(zones))
    }

    /// They are in force, in the place of `previous`: their settings hold, their threads run, and those of zones that are no
    /// more end.
    pub fn start(&self, paths: &[CachePath], previous: Option<&Self>) {
        for (zone, path) in self.0.iter().zip(paths) {
            zone.index.lock().resize(path.keys_bytes);
            zone.path.store(Arc::new(path.clone()));
            if !zone.is_started.swap(true, Relaxed) {
                upkeep::start(zone);
            }
        }
        for zone in previous.iter().flat_map(|previous| &previous.0) {
            if self.named(zone.name()).is_none() {
                zone.is_retired.store(true, Relaxed);
            }
        }
    }

    /// Makes `owner` the owner of the folders, before the process becomes that user.
    pub fn give_to(&self, owner: Uid) -> Vec<io::Error> {
        let folders = self.0.iter().filter_map(|zone| Some(zone.disk.as_ref()?.folder()));
        folders.filter_map(|folder| chown(folder, Some(owner), None).err()).map(io::Error::from).collect()
    }

    /// The zone of this name.
    pub fn named(&self, name: &str) -> Option<&'static Zone> {
        self.0.iter().copied().find(|zone| zone.name() == name)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &'static Zone> + '_ {
        self.0.iter().copied()
    }
}

fn again(zone: &'static Zone, path: &CachePath) -> Result<&'static Zone, ZoneError> {
    let shown = |folder: Option<&std::path::Path>| match folder {
        Some(folder) => folder.display().to_string(),
        None => "memory:".to_owned(),
    };
    let folder = zone.disk.as_ref().map(|disk| disk.folder());
    if folder != path.folder.as_deref() {
        return Err(ZoneError::OtherFolder {
            name: path.name.clone(),
            path: shown(path.folder.as_deref()),
            previous: shown(folder),
            position: path.position.clone(),
        });
    }
    if zone.disk.as_ref().is_some_and(|disk| disk.levels() != path.levels) {
        return Err(ZoneError::OtherLevels { name: path.name.clone(), position: path.position.clone() });
    }
    Ok(zone)
}
