//! The names of zones while a configuration is read: a zone may be used above the line that declares it.

use super::diagnostics::{Diagnostic, Position};
use super::model::{LimitZone, ZoneId};

/// The zones met so far, by id.
#[derive(Debug, Default)]
pub(super) struct ZoneNames {
    entries: Vec<Entry>,
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
    pub(super) fn take(&mut self) -> (Vec<LimitZone>, Vec<Diagnostic>) {
        let mut undeclared = Vec::new();
        let mut zones = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            match entry.declared {
                Some(zone) => zones.push(zone),
                None => {
                    let message = format!("zero size shared memory zone \"{}\"", entry.name);
                    let hint = format!("no \"{}_zone\" declares it", entry.module);
                    undeclared.push(Diagnostic::emerg(message, entry.first).with_hint(hint));
                }
            }
        }
        (zones, undeclared)
    }
}
