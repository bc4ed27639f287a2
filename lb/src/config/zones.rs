//! The zones in which requests are counted, and their names while a configuration is read: a zone may be used above the line
//! that declares it.

use super::position::Position;
use crate::script::Template;

/// Index into [`Http::limit_zones`](crate::config::model::Http::limit_zones).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ZoneId(pub usize);

/// `limit_req_zone`, `limit_conn_zone`
#[derive(Debug, Clone)]
pub struct LimitZone {
    /// Its name.
    pub name: Box<str>,
    /// How much memory its states take at most, as nginx counts it.
    pub bytes: u64,
    /// What requests are counted by.
    pub key: Template,
    /// The same as written.
    pub key_text: Box<str>,
    /// What is counted.
    pub kind: ZoneKind,
    /// Where it is declared.
    pub position: Position,
}

/// What a zone counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneKind {
    /// Requests in a time.
    Requests {
        /// Thousandths of a request a second.
        rate: u64,
    },
    /// Requests at a time.
    Connections,
}

/// The zones met so far, by id.
#[derive(Debug, Default)]
pub(super) struct ZoneNames {
    entries: Vec<Entry>,
}

/// A zone that is used and never declared.
#[derive(Debug)]
pub(super) struct Undeclared {
    /// nginx's words.
    pub(super) message: String,
    /// What is missing.
    pub(super) hint: String,
    /// Where it is used first.
    pub(super) first: Position,
}

#[derive(Debug)]
struct Entry {
    name: Box<str>,
    /// The module that it is of.
    module: &'static str,
    first: Position,
    declared: Option<LimitZone>,
}

impl ZoneNames {
    /// The zone of a name, used or declared by a module at `at`.
    ///
    /// # Errors
    ///
    /// In nginx's words, where the name is another module's.
    pub(super) fn of(&mut self, name: &str, module: &'static str, at: &Position) -> Result<ZoneId, String> {
        if let Some(index) = self.entries.iter().position(|entry| &*entry.name == name) {
            return match self.entries[index].module == module {
                true => Ok(ZoneId(index)),
                false => {
                    Err(format!("the shared memory zone \"{name}\" is already declared for a different use"))
                }
            };
        }
        self.entries.push(Entry { name: name.into(), module, first: at.clone(), declared: None });
        Ok(ZoneId(self.entries.len() - 1))
    }

    /// Declares a zone.
    ///
    /// # Errors
    ///
    /// In nginx's words, where the zone is declared already.
    pub(super) fn declare(
        &mut self,
        ZoneId(index): ZoneId,
        directive: &str,
        zone: LimitZone,
    ) -> Result<(), String> {
        let Some(entry) = self.entries.get_mut(index) else { return Ok(()) };
        match &entry.declared {
            Some(known) if known.bytes != zone.bytes => Err(format!(
                "the size {} of shared memory zone \"{}\" conflicts with already declared size {}",
                zone.bytes, zone.name, known.bytes
            )),
            Some(known) => {
                Err(format!("{directive} \"{}\" is already bound to key \"{}\"", zone.name, known.key_text))
            }
            None => {
                entry.declared = Some(zone);
                Ok(())
            }
        }
    }

    /// What has been declared, by id, and what has been used and never declared.
    pub(super) fn take(&mut self) -> (Vec<LimitZone>, Vec<Undeclared>) {
        let mut undeclared = Vec::new();
        let mut zones = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            match entry.declared {
                Some(zone) => zones.push(zone),
                None => {
                    let message = format!("zero size shared memory zone \"{}\"", entry.name);
                    let hint = format!("no \"{}_zone\" declares it", entry.module);
                    undeclared.push(Undeclared { message, hint, first: entry.first });
                }
            }
        }
        (zones, undeclared)
    }
}
