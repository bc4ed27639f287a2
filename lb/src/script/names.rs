//! The names of variables while a configuration is read.
//!
//! nginx lets a variable be used above the line that defines it (`set`, `map`, `geo`). So a name that is not one of
//! nginx's own is kept as it is met, with the places that use it; a definition, wherever it stands, gives it a slot; and
//! only when everything has been read is a name without a definition an error. What a template holds is the same
//! [`Defined`] all the while: nothing is resolved a second time, and no request looks up a name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::defined::{Defined, Definition};
use super::slots::SlotId;
use super::variable::{self, Named, Variable};

/// The names met so far. `P` is a place in the configuration.
#[derive(Debug)]
pub struct Names<P> {
    defined: BTreeMap<Box<str>, Entry<P>>,
    /// By slot.
    definitions: Vec<Definition>,
    reads: Reads,
}

/// What a configuration asks of requests that is kept for nobody else.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Reads {
    /// Some template reads `$upstream_http_*`.
    pub upstream_fields: bool,
    /// Some template reads `$upstream_bytes_sent` or `$upstream_bytes_received`.
    pub upstream_bytes: bool,
    /// Some location makes subrequests.
    pub subrequests: bool,
}

#[derive(Debug)]
struct Entry<P> {
    variable: Arc<Defined>,
    uses: Vec<Use<P>>,
}

/// The variables that a configuration knows, by name: for what reads names while requests are served.
#[derive(Debug, Default)]
pub struct ByName(BTreeMap<Box<str>, Arc<Defined>>);

impl ByName {
    /// The variable of a name in lower case; `None` where there is none.
    pub fn get(&self, name: &str) -> Option<Variable> {
        match self.0.get(name) {
            Some(defined) => Some(Variable::Defined(Arc::clone(defined))),
            None => variable::built_in(name),
        }
    }
}

/// A use of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use<P> {
    /// The name as written, without the dollar.
    pub written: Box<str>,
    /// Where.
    pub at: P,
}

/// A name that the configuration cannot define.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the duplicate \"{0}\" variable")]
pub struct BuiltIn(pub String);

impl<P> Default for Names<P> {
    fn default() -> Self {
        Self { defined: BTreeMap::new(), definitions: Vec::new(), reads: Reads::default() }
    }
}

impl<P: Clone> Names<P> {
    /// The variable that a name stands for, used at `at`. nginx compares names in lower case. A name of one of nginx's
    /// families (`$http_x`) is the configuration's own once that defines it.
    pub fn resolve(&mut self, written: &str, at: &P) -> Variable {
        let name = written.to_ascii_lowercase();
        let own = self.defined.get(&*name).filter(|entry| entry.variable.slot().is_some());
        if let Some(entry) = own {
            return Variable::Defined(entry.variable.clone());
        }
        let Some(built_in) = variable::built_in(&name) else {
            let entry = self.entry(&name);
            entry.uses.push(Use { written: written.into(), at: at.clone() });
            return Variable::Defined(entry.variable.clone());
        };
        match built_in {
            Variable::UpstreamHeader(_) => self.reads.upstream_fields = true,
            Variable::Named(Named::UpstreamBytesSent | Named::UpstreamBytesReceived) => {
                self.reads.upstream_bytes = true;
            }
            _ => {}
        }
        built_in
    }

    /// Says that the configuration makes subrequests.
    pub fn ask_inside(&mut self) {
        self.reads.subrequests = true;
    }

    /// What the configuration defines, by name.
    pub fn by_name(&self) -> ByName {
        let known = self.defined.iter().filter(|(_, entry)| entry.variable.slot().is_some());
        ByName(known.map(|(name, entry)| (name.clone(), Arc::clone(&entry.variable))).collect())
    }

    /// What the names met so far ask of requests.
    pub fn reads(&self) -> Reads {
        self.reads
    }

    /// Says that the configuration defines a name. The slot is the same however often that is said.
    ///
    /// # Errors
    ///
    /// When nginx itself has a variable of that name.
    pub fn define(&mut self, written: &str, definition: Definition) -> Result<SlotId, BuiltIn> {
        let name = written.to_ascii_lowercase();
        if variable::is_fixed(&name) {
            return Err(BuiltIn(written.to_owned()));
        }
        let next = SlotId::new(self.definitions.len());
        let slot = self.entry(&name).variable.give_slot(next);
        match self.definitions.get_mut(slot.index()) {
            None => self.definitions.push(definition),
            Some(present) if present.gives_way_to(&definition) => *present = definition,
            Some(_) => {}
        }
        Ok(slot)
    }

    /// Every use of a name that nothing defines, with what would help.
    pub fn undefined(&self) -> impl Iterator<Item = (&Use<P>, Option<String>)> {
        let open = self.defined.values().filter(|entry| entry.variable.slot().is_none());
        open.flat_map(|entry| {
            let hint = variable::hint(entry.variable.name());
            entry.uses.iter().map(move |one| (one, hint.clone()))
        })
    }

    /// What has been defined, by slot.
    pub fn into_definitions(self) -> Vec<Definition> {
        self.definitions
    }

    fn entry(&mut self, name: &str) -> &mut Entry<P> {
        self.defined
            .entry(name.into())
            .or_insert_with(|| Entry { variable: Arc::new(Defined::new(name)), uses: Vec::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_one_slot_wherever_it_is_used_and_defined() {
        let mut names = Names::default();
        let above = names.resolve("Tenant", &1);
        let slot = names.define("tenant", Definition::Set).expect("no variable of nginx's");
        assert_eq!(names.define("TENANT", Definition::Group), Ok(slot));
        let other = names.define("other", Definition::Group).expect("no variable of nginx's");
        assert_ne!(slot, other);
        let below = names.resolve("tenant", &9);
        assert_eq!(above, below);
        let Variable::Defined(defined) = above else { panic!("{above:?}") };
        assert_eq!((defined.name(), defined.slot()), ("tenant", Some(slot)));
        assert!(matches!(&*names.into_definitions(), [Definition::Set, Definition::Group]));
    }

    #[test]
    fn nginxs_own_names_are_not_redefined_but_those_of_its_families_are() {
        let mut names = Names::<u32>::default();
        assert_eq!(names.define("Host", Definition::Set), Err(BuiltIn("Host".to_owned())));
        assert_eq!(names.define("1", Definition::Set), Err(BuiltIn("1".to_owned())));
        assert!(matches!(names.resolve("http_x", &1), Variable::RequestHeader(_)));
        assert!(names.define("http_x", Definition::Set).is_ok());
        assert!(matches!(names.resolve("http_x", &2), Variable::Defined(_)));
    }

    #[test]
    fn what_is_kept_for_a_variable_alone_is_known_by_its_use() {
        let mut names = Names::default();
        names.resolve("upstream_addr", &1);
        assert_eq!(names.reads(), Reads::default());
        names.resolve("Upstream_Http_X", &1);
        assert_eq!(names.reads(), Reads { upstream_fields: true, ..Reads::default() });
        names.resolve("upstream_bytes_sent", &1);
        assert_eq!(names.reads(), Reads { upstream_fields: true, upstream_bytes: true, ..Reads::default() });
    }

    #[test]
    fn every_use_of_an_undefined_name_is_told() {
        let mut names = Names::default();
        for (name, line) in [("remote_adr", 2), ("here", 3), ("Remote_adr", 5), ("host", 6)] {
            names.resolve(name, &line);
        }
        assert!(names.define("here", Definition::Set).is_ok());
        let told: Vec<_> = names.undefined().map(|(one, hint)| (&*one.written, one.at, hint)).collect();
        let hint = Some("did you mean \"$remote_addr\"?".to_owned());
        assert_eq!(told, [("remote_adr", 2, hint.clone()), ("Remote_adr", 5, hint)]);
    }
}
