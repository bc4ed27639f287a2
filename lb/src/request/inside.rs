//! What passes between a request and its subrequests.

use http::{HeaderValue, StatusCode};

/// What a subrequest is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subrequest {
    /// The path, taken as it is: neither variables nor escapes.
    pub path: Vec<u8>,
    /// The arguments.
    pub arguments: Vec<u8>,
    /// It has the method of the request that it belongs to; otherwise it is a `GET`.
    pub keeps_method: bool,
}

/// What came of a subrequest.
#[derive(Debug, Clone, Copy)]
pub struct Answered<'a> {
    /// The status of its answer; `None` where there was none.
    pub status: Option<StatusCode>,
    /// Its location closes the connection (`return 444`).
    pub silent: bool,
    /// The `WWW-Authenticate` of its answer.
    pub challenges: &'a [HeaderValue],
    /// What `auth_request_set` has for each of its variables, in their order.
    pub values: &'a [Vec<u8>],
}

/// What a subrequest knows of the request that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outer {
    /// Its method (`$request_method`).
    pub method: Box<str>,
}

/// Who has the variables while a subrequest runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// The subrequest: the request waits, and takes them back.
    Lent,
    /// Each has its own: both run at once.
    Copied,
}

/// What another location has said of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    /// The status of its answer.
    Status(Option<StatusCode>),
    /// The connection closes.
    Silent,
}
