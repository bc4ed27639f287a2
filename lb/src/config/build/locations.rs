//! `location` blocks to the tree of locations, with nothing left to inherit.

use std::collections::HashSet;
use std::sync::Arc;

use http::StatusCode;

use super::logs::{AccessLogs, ErrorLogs};
use super::proxies::{Place, Proxies, default_of_level, resolve_redirects};
use crate::config::diagnostics::{Position, Report};
use crate::config::model::{
    AccessLog, AccessRules, Action, DocumentRoot, ErrorLog, ErrorLogsId, LimitExcept, Location,
    LocationMatch, Methods, Operation, Return, ReturnContent, ServerName, Settings, Substitution, TryFiles,
};
use crate::config::modules::access;
use crate::config::modules::access_log::GivenAccessLogs;
use crate::config::modules::error_page::Internal;
use crate::config::modules::proxy::ProxyPass;
use crate::config::modules::root::{DEFAULT_ROOT, GivenRoot};
use crate::config::modules::stub_status::StubStatus;
use crate::config::modules::upstream::HealthCheck;
use crate::config::table::{Block, LIMIT_EXCEPT, LOCATION};
use crate::script::{Named, Template, Variable};

/// What holds at a level: in `http`, a `server` or a `location`.
#[derive(Debug, Default)]
pub(super) struct Level {
    pub(super) settings: Settings,
    /// `internal`, here or around.
    internal: bool,
    /// `None` where no level has said so.
    access_logs: Option<Arc<[AccessLog]>>,
    /// `None` where no level has said so.
    pub(super) error_logs: Option<ErrorLogsId>,
    /// `None` where no level has said so.
    root: Option<Arc<DocumentRoot>>,
    /// `allow` and `deny`
    access: AccessRules,
    /// The rule in the place of a `proxy_redirect`, where a `proxy_pass` here or around makes one.
    pub(super) default_redirect: Option<Substitution>,
}

/// Makes locations, and with them the upstreams and log files that they name.
pub(super) struct Builder<'a> {
    pub(super) proxies: Proxies,
    pub(super) logs: AccessLogs<'a>,
    pub(super) error_logs: ErrorLogs,
    /// Where relative paths of files begin.
    pub(super) prefix: &'a str,
    /// The names of the server whose locations are made.
    pub(super) server_names: Vec<ServerName>,
    pub(super) report: &'a mut Report,
}

impl Builder<'_> {
    /// What holds in `block`, where `above` holds around it.
    pub(super) fn level(&mut self, block: &mut Block, above: &Level) -> Level {
        let access_logs = match block.take::<GivenAccessLogs>() {
            Some(given) => Some(self.logs.of(given, self.report)),
            None => above.access_logs.clone(),
        };
        let given: Vec<ErrorLog> = block.take().unwrap_or_default();
        let error_logs = self.error_logs(given).or(above.error_logs);
        let root = match block.take::<Option<GivenRoot>>().flatten() {
            Some(given) => Some(Arc::new(given.under(self.prefix))),
            None => above.root.clone(),
        };
        let Internal(internal) = block.take().unwrap_or_default();
        let access = access::take(block).unwrap_or_else(|| above.access.clone());
        let mut settings = above.settings.inside(block);
        resolve_redirects(&mut settings, block, self.report);
        let default_redirect = default_of_level(above.default_redirect.as_ref(), block);
        if let Some(complaint) = settings.charset.complaint() {
            self.report.emerg(complaint, &block.position);
        }
        let complaints = [settings.secure_link.complaint(), settings.referers.complaint()];
        for complaint in complaints.into_iter().flatten() {
            self.report.emerg(complaint, &block.position);
        }
        Level {
            settings,
            internal: internal || above.internal,
            access_logs,
            error_logs,
            root,
            access,
            default_redirect,
        }
    }

    /// The list of a level; `None` where it says nothing.
    pub(super) fn error_logs(&mut self, given: Vec<ErrorLog>) -> Option<ErrorLogsId> {
        (!given.is_empty()).then(|| self.error_logs.of(given, self.logs.around))
    }

    /// What a server does where no location matches.
    pub(super) fn fallback(&mut self, server: &mut Block, level: &Level) -> Location {
        let position = server.position.clone();
        let StubStatus(status) = server.take().unwrap_or_default();
        let action = if status { Action::Connections } else { Action::Files };
        let mut location = self.location(LocationMatch::Prefix(String::new()), action, level, position);
        location.try_files = taken_try_files(server);
        location
    }

    /// The locations of one level. `rivals` are prefixes of the levels around it that are longer than the location
    /// around this level: nginx chooses the longest of a level before it looks into it, so nothing here can win
    /// against them.
    pub(super) fn locations(
        &mut self,
        blocks: Vec<Block>,
        above: &Level,
        rivals: &[String],
    ) -> Vec<Arc<Location>> {
        self.report_duplicates(&blocks);
        let siblings: Vec<String> = blocks.iter().filter_map(prefix).map(str::to_owned).collect();
        let mut locations = Vec::with_capacity(blocks.len());
        for block in blocks {
            locations.push(Arc::new(self.one(block, above, rivals, &siblings)));
        }
        locations.extend(slash_redirects(&locations));
        locations
    }

    fn one(&mut self, mut block: Block, above: &Level, rivals: &[String], siblings: &[String]) -> Location {
        let level = self.level(&mut block, above);
        let pattern = block.take().unwrap_or(LocationMatch::Prefix(String::new()));
        let nested = block.take_children(LOCATION);
        let action = self.action(&mut block, &level, &pattern);
        let program = self.program_of_location(&mut block, &level, &pattern, &action);
        let limit_except = self.limit_except(&mut block, &level, &pattern, &action);
        let try_files = taken_try_files(&mut block);
        debug_assert!(block.is_spent(), "{block:?}");
        self.warn_of_what_never_matches(&pattern, rivals, &block.position);
        let position = block.position.clone();
        let location = self.location(pattern, action, &level, position);
        let mut location = Location { program, try_files, limit_except, ..location };
        if !nested.is_empty() {
            let outer = location.pattern.name();
            let longer = |other: &&String| other.len() > outer.len() && other.starts_with(outer);
            let rivals: Vec<String> = rivals.iter().chain(siblings.iter().filter(longer)).cloned().collect();
            location.nested = self.locations(nested, &level, &rivals);
        }
        location
    }

    fn limit_except(
        &mut self,
        block: &mut Block,
        level: &Level,
        pattern: &LocationMatch,
        action: &Action,
    ) -> Option<LimitExcept> {
        let mut inside = block.take_children(LIMIT_EXCEPT).pop()?;
        let methods = inside.take::<Methods>()?;
        let location = Arc::new(self.inside(&mut inside, level, pattern, action));
        debug_assert!(inside.is_spent(), "{inside:?}");
        Some(LimitExcept { methods, location })
    }

    fn warn_of_what_never_matches(
        &mut self,
        pattern: &LocationMatch,
        rivals: &[String],
        position: &Position,
    ) {
        let Some(path) = pattern.path() else { return };
        // The empty prefix begins every path; it also stands for an expression that could not be read.
        if !path.is_empty() && !path.starts_with('/') {
            let message = format!("location \"{path}\" never matches: paths begin with \"/\"");
            self.report.warn(message, position);
        }
        if rivals.iter().any(|rival| path.starts_with(rival.as_str())) {
            let message =
                format!("location \"{path}\" is never reached: a longer one outside is chosen first");
            self.report.warn(message, position);
        }
    }

    fn report_duplicates(&mut self, blocks: &[Block]) {
        let mut seen = HashSet::new();
        for block in blocks {
            let Some(pattern) = block.given::<LocationMatch>() else { continue };
            let kind = match pattern {
                LocationMatch::Exact(_) => 0,
                LocationMatch::Prefix(_) | LocationMatch::FinalPrefix(_) => 1,
                LocationMatch::Named(_) => 2,
                LocationMatch::Regex(_) => continue,
            };
            let name = pattern.name();
            if seen.insert((kind, name)) {
                continue;
            }
            if matches!(pattern, LocationMatch::Named(_)) {
                let message = format!("location \"{name}\" is never reached: another one above has its name");
                self.report.warn(message, &block.position);
            } else {
                self.report.emerg(format!("duplicate location \"{name}\""), &block.position);
            }
        }
    }

    /// A location without a program.
    pub(super) fn location(
        &mut self,
        pattern: LocationMatch,
        action: Action,
        level: &Level,
        position: Position,
    ) -> Location {
        let access_logs = level.access_logs.clone().unwrap_or_else(|| self.logs.default());
        let mut settings = level.settings.clone();
        settings.referers = settings.referers.of_server(&self.server_names);
        let prefix = self.prefix;
        let root = level.root.clone().unwrap_or_else(|| Arc::new(DocumentRoot::fixed(prefix, DEFAULT_ROOT)));
        Location {
            pattern,
            program: Arc::default(),
            internal: level.internal,
            action,
            changes_bodies: settings.change_bodies(),
            settings,
            access_logs,
            error_logs: level.error_logs,
            root,
            is_limited: !level.settings.limit_req.limits.is_empty()
                || !level.settings.limit_conn.limits.is_empty(),
            is_guarded: !level.access.is_empty()
                || level.settings.auth_basic.realm.is_some()
                || level.settings.auth_jwt.realm.is_some()
                || level.settings.auth_request.uri.is_some(),
            access: level.access.clone(),
            try_files: None,
            limit_except: None,
            nested: Vec::new(),
            position,
        }
    }

    fn action(&mut self, block: &mut Block, level: &Level, pattern: &LocationMatch) -> Action {
        let HealthCheck(probe) = block.take().unwrap_or_default();
        let pass = block.take::<Option<ProxyPass>>().flatten();
        let default_redirect = level.default_redirect.as_ref();
        let place = Place { pattern, inside_block: false, default_redirect };
        let proxy = pass.map(|pass| self.proxies.proxy(&pass, place, &level.settings, probe, self.report));
        if probe.is_some() && proxy.is_none() {
            self.report.emerg("\"health_check\" needs a \"proxy_pass\" in its location", &block.position);
        }
        let StubStatus(status) = block.take().unwrap_or_default();
        match proxy {
            Some(_) if status => {
                let message =
                    "\"stub_status\" and \"proxy_pass\" in one location: only one of them can answer";
                self.report.emerg(message, &block.position);
                Action::Connections
            }
            Some(proxy) => Action::Proxy(Arc::new(proxy)),
            None if status => Action::Connections,
            None => Action::Files,
        }
    }
}

fn taken_try_files(block: &mut Block) -> Option<Arc<TryFiles>> {
    block.take::<Option<TryFiles>>().flatten().map(Arc::new)
}

fn prefix(block: &Block) -> Option<&str> {
    match block.given::<LocationMatch>()? {
        LocationMatch::Prefix(path) | LocationMatch::FinalPrefix(path) => Some(path),
        LocationMatch::Exact(_) | LocationMatch::Regex(_) | LocationMatch::Named(_) => None,
    }
}

/// nginx sends whoever asks for `/path` to `/path/` when that is a proxied location and nothing else of its level takes
/// `/path` itself: a location for each, with the settings of the one that it leads to.
fn slash_redirects(locations: &[Arc<Location>]) -> Vec<Arc<Location>> {
    let mut taken: HashSet<&str> = locations.iter().filter_map(|location| location.pattern.path()).collect();
    let mut redirects = Vec::new();
    for location in locations {
        let Some(prefix) = location.pattern.path() else { continue };
        let path = prefix.strip_suffix('/').filter(|path| !path.is_empty() && !taken.contains(path));
        let (Some(path), Action::Proxy(_)) = (path, &location.action) else { continue };
        taken.insert(path);
        let query = Template::variable(Variable::Named(Named::IsArgs))
            .followed_by(Template::variable(Variable::Named(Named::Args)));
        let target = ReturnContent::Location(Template::literal(prefix).followed_by(query));
        let answer = Return { status: StatusCode::MOVED_PERMANENTLY, content: target };
        redirects.push(Arc::new(Location {
            pattern: LocationMatch::Exact(path.to_owned()),
            program: Arc::new([Operation::Return(answer)]),
            action: Action::Files,
            try_files: None,
            limit_except: None,
            nested: Vec::new(),
            ..Location::clone(location)
        }));
    }
    redirects
}
