//! The values of variables: what the request itself knows of them, and who is asked for the rest.
//!
//! Runs only where a template is rendered. `proxy/` knows the header as received, the connection and the process: it
//! implements [`Outside`].

use super::State;
use crate::script::{Captures, Definition, Named, Pattern, SlotId, Slots, Values, Variable};

/// What the request's surroundings know.
pub trait Outside {
    /// Path and query as the client sent them.
    fn target(&self) -> &[u8];

    /// The method, as the client sent it.
    fn method(&self) -> &str;

    /// The length of the request's body, where one was announced.
    fn announced(&self) -> Option<u64>;

    /// Appends the value of a variable that is nginx's own; false where it has none.
    fn write(&self, state: &State, variable: &Variable, out: &mut Vec<u8>) -> bool;
}

impl<T: Outside + ?Sized> Outside for &T {
    fn target(&self) -> &[u8] {
        (**self).target()
    }

    fn method(&self) -> &str {
        (**self).method()
    }

    fn announced(&self) -> Option<u64> {
        (**self).announced()
    }

    fn write(&self, state: &State, variable: &Variable, out: &mut Vec<u8>) -> bool {
        (**self).write(state, variable, out)
    }
}

/// The variables of one request that the configuration gives their values: slots, and the groups of the regular
/// expression that matched last.
#[derive(Debug, Default)]
pub struct Variables {
    slots: Slots,
    captures: Option<Captures>,
}

impl Variables {
    /// A group of the regular expression that matched last.
    pub fn capture(&self, group: u8) -> Option<&[u8]> {
        self.captures.as_ref()?.get(usize::from(group))
    }

    /// Keeps the groups of a regular expression that has matched; `slots` is how many there are.
    pub fn matched(&mut self, pattern: &Pattern, captures: Captures, slots: usize) {
        for (slot, group) in pattern.groups() {
            match captures.get(*group) {
                Some(value) => self.slots.set(*slot, slots, value),
                None => self.slots.clear(*slot),
            }
        }
        self.captures = Some(captures);
    }

    /// Keeps a value; `slots` is how many there are.
    pub fn assign(&mut self, slot: SlotId, slots: usize, value: Vec<u8>) {
        self.slots.set(slot, slots, value);
    }
}

/// Renders templates for one request.
pub struct Evaluation<'a, O> {
    /// The request.
    pub state: &'a mut State,
    /// Where the values of the configuration's own variables come from.
    pub definitions: &'a [Definition],
    /// Its surroundings.
    pub outside: O,
}

impl<O: Outside> Values for Evaluation<'_, O> {
    fn write(&mut self, variable: &Variable, out: &mut Vec<u8>) -> bool {
        let target = self.outside.target();
        match variable {
            Variable::Capture(group) => put(self.state.variables.capture(*group), out),
            Variable::Named(Named::Uri) => put(Some(self.state.uri.path(target)), out),
            Variable::Named(Named::Args) => put(self.state.uri.arguments(target), out),
            Variable::Named(Named::IsArgs) => {
                let has_any = self.state.uri.arguments(target).is_some_and(|arguments| !arguments.is_empty());
                put(has_any.then_some(b"?"), out);
                true
            }
            Variable::Argument(name) => {
                let arguments = self.state.uri.arguments(target);
                put(arguments.and_then(|arguments| argument(arguments, name.as_bytes())), out)
            }
            Variable::Defined(defined) => match defined.slot() {
                Some(slot) => self.defined(slot, defined.name(), out),
                None => false,
            },
            _ => self.outside.write(self.state, variable, out),
        }
    }
}

impl<O: Outside> Evaluation<'_, O> {
    fn defined(&mut self, slot: SlotId, name: &str, out: &mut Vec<u8>) -> bool {
        if put(self.state.variables.slots.get(slot), out) {
            return true;
        }
        match self.definitions.get(slot.index()) {
            Some(Definition::Set) => {
                self.state.note_uninitialized(name);
                true
            }
            Some(Definition::Group) | None => false,
        }
    }
}

fn put<T: AsRef<[u8]> + ?Sized>(value: Option<&T>, out: &mut Vec<u8>) -> bool {
    value.inspect(|value| out.extend_from_slice(value.as_ref())).is_some()
}

/// The first argument of that name, as sent; names compare without case, as in nginx.
fn argument<'a>(arguments: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    arguments.split(|byte| *byte == b'&').find_map(|pair| {
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        pair[..equals].eq_ignore_ascii_case(name).then_some(&pair[equals + 1..])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_found_by_name() {
        assert_eq!(argument(b"a=1&B=2&b=3", b"b"), Some(&b"2"[..]));
        assert_eq!(argument(b"ab=1&b", b"b"), None);
        assert_eq!(argument(b"b=", b"b"), Some(&b""[..]));
    }
}
