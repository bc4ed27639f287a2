//! The values of variables: what the request itself knows of them, and who is asked for the rest.
//!
//! Runs only where a template is rendered. `proxy/` knows the header as received, the connection and the process: it
//! implements [`Outside`].

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::HeaderName;
use http::header::REFERER;

use super::guards::Limited;
use super::links::{self, Link};
use super::{Note, State};
use crate::config::model::IfModifiedSince;
use crate::content::file::conditional::Verdict;
use crate::content::file::mapping;
use crate::script::{
    self, Captures, Chosen, Computed, Definition, Geo, Map, Matched, Named, Pattern, SlotId, Slots, Template,
    Values, Variable,
};
use crate::tls::Session;
use crate::tokens;

/// What the request's surroundings know.
pub trait Outside {
    /// Path and query as the client sent them.
    fn target(&self) -> &[u8];

    /// The method, as the client sent it.
    fn method(&self) -> &str;

    /// The client's end of the connection; none over a Unix socket.
    fn connected_from(&self) -> Option<SocketAddr>;

    /// The client that the PROXY protocol header names.
    fn proxied_from(&self) -> Option<SocketAddr>;

    /// The values of all fields of a name, in order.
    fn fields(&self, name: &HeaderName) -> Vec<&[u8]>;

    /// What the connection's TLS handshake agreed on, if there was one.
    fn tls(&self) -> Option<&Session> {
        None
    }

    /// The client speaks HTTP where it has to speak TLS.
    fn is_plain_where_tls_is_spoken(&self) -> bool {
        false
    }

    /// Seconds of Unix time.
    fn unix_seconds(&self) -> u64 {
        0
    }

    /// The length of the request's body, where one was announced.
    fn announced(&self) -> Option<u64>;

    /// What the request's conditions (`If-Match` and the like) ask of an answer without validators.
    fn conditions(&self, compared: IfModifiedSince) -> Verdict;

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

    fn connected_from(&self) -> Option<SocketAddr> {
        (**self).connected_from()
    }

    fn proxied_from(&self) -> Option<SocketAddr> {
        (**self).proxied_from()
    }

    fn fields(&self, name: &HeaderName) -> Vec<&[u8]> {
        (**self).fields(name)
    }

    fn tls(&self) -> Option<&Session> {
        (**self).tls()
    }

    fn is_plain_where_tls_is_spoken(&self) -> bool {
        (**self).is_plain_where_tls_is_spoken()
    }

    fn unix_seconds(&self) -> u64 {
        (**self).unix_seconds()
    }

    fn announced(&self) -> Option<u64> {
        (**self).announced()
    }

    fn conditions(&self, compared: IfModifiedSince) -> Verdict {
        (**self).conditions(compared)
    }

    fn write(&self, state: &State, variable: &Variable, out: &mut Vec<u8>) -> bool {
        (**self).write(state, variable, out)
    }
}

/// The variables of one request that the configuration gives their values: slots, and the groups of the regular
/// expression that matched last.
#[derive(Debug, Default, Clone)]
pub struct Variables {
    slots: Slots,
    captures: Option<Captures>,
    /// Values that stay what they were when they were first asked for, whatever location the request has come to since.
    kept: Vec<(Named, Option<Box<[u8]>>)>,
    /// How many maps are being worked out, each for the one before.
    depth: u8,
}

/// How deep maps may need one another.
const DEEPEST: u8 = 100;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

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

    /// Forgets the numbered groups: a regular expression of a program has not matched.
    pub fn unmatched(&mut self) {
        self.captures = None;
    }

    /// The values alone, for a subrequest; none are left here until they come back.
    pub(super) fn lend(&mut self) -> Self {
        Self { slots: std::mem::take(&mut self.slots), ..Self::default() }
    }

    /// The values alone, for a subrequest that runs at the same time.
    pub(super) fn copied(&self) -> Self {
        Self { slots: self.slots.clone(), ..Self::default() }
    }

    /// Takes lent values back.
    pub(super) fn take_back(&mut self, lent: Self) {
        self.slots = lent.slots;
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
    /// The blocks that work values out.
    pub computed: &'a [Computed],
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
            Variable::Named(Named::DocumentRoot) => put(self.document_root().as_deref(), out),
            Variable::Named(Named::RequestFilename) => put(self.request_filename().as_deref(), out),
            Variable::Named(Named::LimitRate) => {
                // As in nginx, what the location says does not show.
                put(Some(self.state.limit_rate().unwrap_or(0).to_string().as_bytes()), out)
            }
            Variable::Named(Named::LimitReqStatus) => {
                put(self.state.flow.limits.requests.map(Limited::name), out)
            }
            Variable::Named(Named::LimitConnStatus) => {
                put(self.state.flow.limits.connections.map(Limited::name), out)
            }
            Variable::Named(
                named @ (Named::SecureLink | Named::SecureLinkExpires | Named::InvalidReferer),
            ) => self.kept(*named, out),
            Variable::TokenClaim(name) => put(self.claim(false, [&**name]).as_deref(), out),
            Variable::TokenHeader(name) => put(self.claim(true, [&**name]).as_deref(), out),
            Variable::Named(Named::TokenPayload) => {
                put(self.state.flow.token.as_ref().map(|token| &*token.payload), out)
            }
            // No trailer is sent.
            Variable::SentTrailer(_) => false,
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
    fn document_root(&mut self) -> Option<Vec<u8>> {
        let location = self.state.location().cloned()?;
        let mut rendered = Vec::new();
        location.root.path.render(self, &mut rendered);
        Some(mapping::directory(&location.root, rendered))
    }

    /// None for a URI that names no path below the root.
    fn request_filename(&mut self) -> Option<Vec<u8>> {
        let location = self.state.location().cloned()?;
        let directory = self.document_root()?;
        let uri = self.state.uri_to_map(self.outside.target());
        mapping::path_of(&location.root, directory, uri).ok().map(|found| found.path)
    }

    /// The value of a variable that is worked out once.
    fn kept(&mut self, named: Named, out: &mut Vec<u8>) -> bool {
        if let Some((_, value)) = self.state.variables.kept.iter().find(|(known, _)| *known == named) {
            return put(value.as_deref(), out);
        }
        let mut value = Vec::new();
        let is_known = match named {
            Named::SecureLink => self.secure_link(&mut value),
            Named::SecureLinkExpires => {
                let text = self.carried_link().unwrap_or_default();
                put(Link::expires(&text).map(|(written, _)| written), &mut value)
            }
            _ => self.invalid_referer(&mut value),
        };
        out.extend_from_slice(&value);
        self.state.variables.kept.push((named, is_known.then(|| value.into())));
        is_known
    }

    fn claim<'p>(&self, of_header: bool, path: impl IntoIterator<Item = &'p str>) -> Option<String> {
        let token = self.state.flow.token.as_ref()?;
        tokens::text_at(if of_header { &token.header } else { &token.claims }, path)
    }

    /// What the location's `secure_link` renders to.
    fn carried_link(&mut self) -> Option<Vec<u8>> {
        let settings = self.state.location().map(|location| Arc::clone(&location.settings.secure_link))?;
        settings.link.as_ref().map(|link| self.rendered(link))
    }

    fn secure_link(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(location) = self.state.location() else { return false };
        let settings = Arc::clone(&location.settings.secure_link);
        if let Some(secret) = &settings.secret {
            return put(links::signed_by_secret(self.outside.target(), secret.as_bytes()), out);
        }
        let (Some(text), Some(signed)) = (self.carried_link(), &settings.signed) else { return false };
        let Some(link) = Link::parse(&text) else { return false };
        let signed = self.rendered(signed);
        put(link.judge(&signed, self.outside.unix_seconds()), out)
    }

    fn invalid_referer(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(location) = self.state.location() else { return false };
        let fields = self.outside.fields(&REFERER);
        let valid = &location.settings.referers.valid;
        let is_valid = links::is_valid_referer(valid, fields.first().copied());
        put(Some(if is_valid { "" } else { "1" }), out)
    }

    fn defined(&mut self, slot: SlotId, name: &str, out: &mut Vec<u8>) -> bool {
        if put(self.state.variables.slots.get(slot), out) {
            return true;
        }
        match self.definitions.get(slot.index()) {
            Some(Definition::Set) => {
                self.state.note_uninitialized(name);
                true
            }
            Some(Definition::Computed(index)) => match self.computed.get(*index) {
                Some(computed) => self.compute(computed, slot, out),
                None => false,
            },
            Some(Definition::Group) | None => false,
        }
    }

    fn compute(&mut self, computed: &Computed, slot: SlotId, out: &mut Vec<u8>) -> bool {
        match computed {
            Computed::Map(map) => self.of_map(map, slot, out),
            Computed::Geo(geo) => {
                let address = self.address(geo);
                let value = geo.choose(address);
                self.state.variables.slots.set(slot, self.definitions.len(), value);
                put(Some(value), out)
            }
            Computed::Claim(claim) => {
                let path = claim.path.iter().map(|name| &**name);
                put(self.claim(claim.of_header, path).as_deref(), out)
            }
            Computed::SplitClients(split) => {
                let key = self.rendered(split.source());
                let value = split.choose(&key);
                self.state.variables.slots.set(slot, self.definitions.len(), value);
                put(Some(value), out)
            }
        }
    }

    /// The value that a map chooses. It stays, unless the map is volatile.
    fn of_map(&mut self, map: &Map, slot: SlotId, out: &mut Vec<u8>) -> bool {
        if self.state.variables.depth >= DEEPEST {
            // As in nginx, a map that needs itself has no value.
            return false;
        }
        self.state.variables.depth += 1;
        let key = self.rendered(map.source());
        let Chosen { value, matched, gave_up } = map.choose(&key);
        if let Some(Matched { pattern, captures }) = matched {
            self.state.variables.matched(&pattern, captures, self.definitions.len());
        }
        if gave_up.is_some() {
            self.state.note(Note::MatchLimit);
        }
        let value = self.rendered(value);
        self.state.variables.depth -= 1;
        out.extend_from_slice(&value);
        if !map.volatile() {
            self.state.variables.slots.set(slot, self.definitions.len(), value);
        }
        true
    }

    /// The address that a `geo` goes by.
    fn address(&mut self, geo: &Geo) -> Option<IpAddr> {
        let source = geo.source().unwrap_or(&Variable::Named(Named::RemoteAddr));
        let mut text = Vec::new();
        self.write(source, &mut text);
        let address = script::address(&text)?;
        if !geo.believes_proxies() {
            return Some(address);
        }
        let mut forwarded = Vec::new();
        self.outside.write(self.state, &Variable::RequestHeader(FORWARDED), &mut forwarded);
        Some(geo.behind_proxies(address, &forwarded))
    }

    fn rendered(&mut self, template: &Template) -> Vec<u8> {
        let mut out = Vec::new();
        template.render(self, &mut out);
        out
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
