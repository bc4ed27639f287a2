//! Where a request stands among nginx's phases, and what led it there.

use std::sync::Arc;

use http::{HeaderValue, StatusCode};

use super::guards::{Guarding, Limits, PasswordVerdict, TokenState};
use super::inside::{Outer, Permission};
use crate::config::model::{Program, Severity};
use crate::files::Links;
use crate::tokens::Token;

/// How often nginx lets the URI of a request change, and one more.
const CHANGES: u8 = 11;

/// nginx's phases up to the one that makes the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// `set_real_ip_from`.
    PostRead,
    /// The program of the server block.
    ServerRewrite,
    /// The location, and its `client_max_body_size`.
    FindConfig,
    /// The program of the location.
    Rewrite,
    /// `set_real_ip_from` of the location; `limit_req`, `limit_conn`.
    PreAccess,
    /// `allow`, `auth_basic`, `auth_request`.
    Access,
    /// `try_files`.
    PreContent,
    /// `proxy_pass`, or 404 where there is nothing.
    Content,
}

impl Phase {
    /// The one after it; the content phase is the last.
    pub(super) fn next(self) -> Self {
        match self {
            Self::PostRead => Self::ServerRewrite,
            Self::ServerRewrite => Self::FindConfig,
            Self::FindConfig => Self::Rewrite,
            Self::Rewrite => Self::PreAccess,
            Self::PreAccess => Self::Access,
            Self::Access => Self::PreContent,
            Self::PreContent | Self::Content => Self::Content,
        }
    }
}

/// The place among the phases.
#[derive(Debug)]
pub(super) struct Flow {
    /// The phase that runs, or runs next.
    pub(super) phase: Phase,
    /// The operation of its program that runs next.
    pub(super) at: usize,
    /// That program, once it has begun: an `if` changes the location and not the program.
    pub(super) program: Option<Program>,
    /// The answer to the last question about a file.
    pub(super) found: Option<FileKind>,
    /// How many more times the URI may change.
    pub(super) changes_left: u8,
    /// `rewrite` has changed the URI, and a location has to be looked for again.
    pub(super) uri_changed: bool,
    /// `rewrite … break` has changed the URI: it no longer begins with the path of the location.
    pub(super) leaves_location: bool,
    /// `try_files` has found a file below an `alias` that is a whole path otherwise.
    pub(super) follows_whole_alias: bool,
    /// Where the search for an index file stands.
    pub(super) looking: Looking,
    /// It is no longer what the client asked for: locations that are `internal` are open to it.
    pub(super) internal: bool,
    /// An `error_page` has answered.
    pub(super) error_page_given: bool,
    /// The answer's status, whatever the location that answers says: that which `error_page` stands for.
    pub(super) status: Option<StatusCode>,
    /// A page or a list was asked for since the last server answered: the media type that the server gave is forgotten.
    pub(super) has_own_type: bool,
    /// Its location has said that it goes to a server.
    pub(super) is_passed: bool,
    /// The method is `GET` from here on.
    pub(super) is_get: bool,
    /// Bytes a second, whatever the location says: `set $limit_rate`, `X-Accel-Limit-Rate`.
    pub(super) limit_rate: Option<u64>,
    /// Where it stands among the guards.
    pub(super) guarding: Guarding,
    /// What came of the check of a password, until the guard is asked again.
    pub(super) password: Option<PasswordVerdict>,
    /// What came of the check of a token, until the guard is asked again.
    pub(super) token_state: Option<TokenState>,
    /// The token that holds.
    pub(super) token: Option<Arc<Token>>,
    /// What `auth_request` has come to, until the guard is asked again.
    pub(super) permission: Option<Permission>,
    /// The `WWW-Authenticate` of what refused it.
    pub(super) challenges: Vec<HeaderValue>,
    /// What has become of it under `limit_req` and `limit_conn`.
    pub(super) limits: Limits,
    /// Of a subrequest: what it knows of the request that it belongs to.
    pub(super) outer: Option<Box<Outer>>,
    /// How many requests it is inside of.
    pub(super) depth: u8,
    /// What is to be logged.
    pub(super) notes: Vec<Note>,
}

impl Default for Flow {
    fn default() -> Self {
        Self {
            phase: Phase::PostRead,
            at: 0,
            program: None,
            found: None,
            changes_left: CHANGES,
            uri_changed: false,
            leaves_location: false,
            follows_whole_alias: false,
            looking: Looking::File,
            internal: false,
            error_page_given: false,
            status: None,
            has_own_type: false,
            is_passed: false,
            is_get: false,
            limit_rate: None,
            guarding: Guarding::default(),
            password: None,
            token_state: None,
            token: None,
            permission: None,
            challenges: Vec::new(),
            limits: Limits::default(),
            outer: None,
            depth: 0,
            notes: Vec::new(),
        }
    }
}

impl Flow {
    /// The place of another request for the same, which begins with the content.
    pub(super) fn at_content(&self) -> Self {
        Self {
            phase: Phase::Content,
            leaves_location: self.leaves_location,
            follows_whole_alias: self.follows_whole_alias,
            internal: self.internal,
            is_passed: self.is_passed,
            is_get: self.is_get,
            ..Self::default()
        }
    }
}

/// Where the search for an index file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Looking {
    /// At a file; whether its directory is there is not known.
    File,
    /// At the directory of a file that is missing.
    Directory,
    /// At a file of a directory that is there.
    InDirectory,
}

/// A question about the file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The path as the configuration makes it.
    pub path: Vec<u8>,
    /// Which symbolic links are followed.
    pub links: Links,
}

/// A file to open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The path.
    pub path: Vec<u8>,
    /// Which links are followed.
    pub links: Links,
    /// A compressed file may be sent in its place, where the location says so.
    pub may_be_compressed: bool,
    /// Only the answer's header is wanted.
    pub head_only: bool,
}

/// What came of opening a file, or of listing a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It can be answered with: it is a file, or the list is there.
    Ready,
    /// It is a directory.
    Directory,
    /// It is neither.
    Other,
    /// It is not there.
    Missing,
    /// It may not be opened.
    Forbidden,
    /// The system failed.
    Failed,
    /// It is a file, and the request's conditions or ranges do not let it be answered: 412, 416; 400 where a list is
    /// asked for in a way that makes no sense.
    Refused(StatusCode),
}

/// What the file system has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// Nothing.
    Missing,
    /// Something that may not be looked at.
    Forbidden,
    /// A file.
    File {
        /// Its owner may execute it.
        executable: bool,
    },
    /// A directory.
    Directory,
    /// A socket, a device or a pipe.
    Other,
}

/// What the error log should have of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// `rewrite_log`: a regular expression was tried.
    Tried {
        /// The pattern.
        pattern: Box<str>,
        /// The path.
        path: Vec<u8>,
        /// Whether it matched.
        matches: bool,
    },
    /// `rewrite_log`: the URI became another.
    Rewritten {
        /// The path.
        path: Vec<u8>,
        /// The arguments.
        arguments: Vec<u8>,
    },
    /// `uninitialized_variable_warn`: a variable was used before any `set` ran.
    Uninitialized(Box<str>),
    /// `rewrite` left nothing.
    EmptyUri,
    /// A regular expression took more steps than it may.
    MatchLimit,
    /// The URI changed too often, at the URI that is named.
    Cycle(Vec<u8>),
    /// `set $limit_rate` gave it what is no size.
    InvalidLimitRate(Vec<u8>),
    /// A named location is not there.
    NoNamedLocation(Vec<u8>),
    /// `limit_req` refuses a request.
    LimitingRequests {
        /// How it is logged.
        level: Severity,
        /// It is not refused.
        dry_run: bool,
        /// Thousandths of a request beyond the rate.
        excess: u64,
        /// The zone's name.
        zone: Box<str>,
    },
    /// `limit_req` delays a request.
    DelayingRequest {
        /// How it is logged.
        level: Severity,
        /// It is not delayed.
        dry_run: bool,
        /// Thousandths of a request beyond the rate.
        excess: u64,
        /// The zone's name.
        zone: Box<str>,
    },
    /// `limit_conn` refuses a request.
    LimitingConnections {
        /// How it is logged.
        level: Severity,
        /// It is not refused.
        dry_run: bool,
        /// The zone's name.
        zone: Box<str>,
    },
    /// A zone has no room for a key.
    NoRoomInZone {
        /// `limit_req`
        module: &'static str,
        /// The zone's name.
        zone: Box<str>,
    },
    /// The value of a zone's key is too long to be counted.
    LongLimitKey {
        /// The key, as written.
        key: Box<str>,
        /// How long it may be.
        longest: usize,
        /// The value.
        value: Vec<u8>,
    },
    /// `auth_request` was answered with a status that says neither yes nor no; 0 for none.
    AuthRequestStatus(u16),
    /// Subrequests make subrequests without end, at the path that is named.
    SubrequestCycle(Vec<u8>),
    /// `allow` and `deny` refuse the client.
    ForbiddenByRule,
    /// `auth_basic`: the client sends no name and password.
    NoPassword,
    /// `auth_delay` holds back a 401.
    DelayingUnauthorized,
    /// The directory of an index file is not there.
    IndexNotFound(Vec<u8>),
    /// An index file may not be looked at.
    IndexForbidden(Vec<u8>),
    /// What a URI with a slash at its end names is no directory.
    NoDirectory(Vec<u8>),
    /// A directory has no index file and is not listed.
    NoIndex(Vec<u8>),
    /// `alias` in a location whose path the URI has lost.
    AliasOfRewritten,
}
