//! The directives, one file for each module of nginx.
//!
//! A file declares its module's settings with `settings!`, and with `row` what is no setting: what opens a block,
//! what may stand many times, what needs the whole configuration to mean something. Nothing about a directive is
//! known anywhere else.
//!
//! # How to add a directive
//!
//! A setting that `http`, `server` and `location` inherit, such as `proxy_socket_keepalive`, touches these files:
//!
//! 1. `config/modules/MODULE.rs`: one entry in `settings!` with the directive's name, its contexts, the field's name,
//!    its type and argument, its default and a line of documentation. If another row refuses the directive or gives
//!    it no effect (here, in `proxy_refused.rs` or in `elsewhere.rs`), that row goes.
//! 2. The file that acts on it: it reads the field (`location.settings.MODULE.FIELD`, or `proxy.settings.FIELD`).
//! 3. `docs/directives.md`: written by the program (`LB_WRITE_REFERENCE=1 cargo test -p lb --test it config_reference`).
//! 4. A test of what it does: a case of `nginx-compat/judge/cases` or a test in `lb/tests`.
//!
//! The reading, the inheritance, the resolved field, the default in the reference and the test that the printed
//! default is the real one come from the entry. An argument of a new kind is an `impl Argument`, beside the entry or,
//! where several modules have it, in `config/table/arguments.rs`. A new module is a file, a line in `TABLE` and,
//! where levels inherit its settings, a line in `levels!`.
//!
//! What is no setting has a `row` whose reader keeps what is given in a type of the module, and `config/build`
//! takes that out of the block again; a block that keeps something which nobody takes is found in tests.

pub(super) mod access;
pub(super) mod access_log;
mod addition;
pub(super) mod auth_basic;
mod auth_jwt;
mod auth_request;
mod autoindex;
mod balancing;
mod certificate_cache;
pub(super) mod charset;
mod client;
mod compression;
mod condition;
pub(super) mod core;
mod early_hints;
mod elsewhere;
pub(super) mod error_page;
mod events;
mod expires;
mod geo;
mod grpc;
mod gzip;
pub(super) mod headers;
mod http;
mod http2;
mod index;
mod keepalive;
mod limit_conn;
pub(super) mod limit_except;
mod limit_rate;
mod limit_req;
mod limit_zone;
pub(super) mod listen;
pub(super) mod location;
pub(super) mod log;
pub(super) mod log_format;
mod map;
mod mirror;
mod open_log_files;
pub(super) mod proxy;
mod proxy_cache;
mod proxy_refused;
mod real_ip;
mod referer;
pub(super) mod resolver;
pub(super) mod rewrite;
pub(super) mod root;
mod satisfy;
mod secure_link;
pub(super) mod server_name;
mod split_clients;
mod ssi;
mod static_files;
pub(super) mod stub_status;
mod sub_filter;
mod syslog;
mod tls;
mod tls_sessions;
mod tls_values;
pub(super) mod try_files;
mod types;
pub(super) mod upstream;

use std::sync::Arc;

use super::table::{Block, Section, Table};

pub use self::access::AccessRules;
pub use self::access_log::Buffering;
pub use self::auth_basic::AuthBasic;
pub use self::auth_jwt::{AuthJwt, Requirement, TokenRealm};
pub use self::auth_request::AuthRequest;
pub use self::autoindex::{Autoindex, AutoindexFormat};
pub use self::balancing::BalancingMethod;
pub use self::certificate_cache::CertificateCache;
pub use self::charset::{Charset, MediaTypes};
pub use self::client::{Client, DroppedNames, HeaderLimits};
pub use self::compression::Compression;
pub use self::condition::{Condition, FileTest};
pub use self::core::{Core, User, WorkerCount};
pub use self::early_hints::EarlyHints;
pub(super) use self::elsewhere::pending_variable;
pub use self::error_page::{ErrorPage, ErrorPages, PageStatus};
pub use self::grpc::GrpcSettings;
pub use self::gzip::{Gzip, GzipDisable, GzipProxied};
pub use self::headers::{AddHeader, Expires, ExpiresTime, Headers, HeadersInherit};
pub use self::http::HttpCore;
pub use self::http2::Http2;
pub use self::index::Index;
pub use self::keepalive::{Keepalive, KeepaliveTimeout};
pub use self::limit_conn::{ConnectionLimit, LimitConn};
pub use self::limit_except::Methods;
pub use self::limit_rate::{LimitRate, SizeValue};
pub use self::limit_req::{LimitReq, RequestLimit};
pub use self::location::LocationMatch;
pub use self::log::{ErrorLog, LogDestination};
pub use self::log_format::LogFormat;
pub use self::mirror::Mirror;
pub use self::open_log_files::{LogFilesKept, OpenLogFiles};
pub use self::proxy::{
    BindAddress, CookieFlag, CookieFlags, FlagChange, HttpVersion, IgnoredHeaders, Matched, NextUpstream,
    ProxySettings, RedirectRule, SetHeader, Substitute, Substitution, TlsToServers,
};
pub use self::proxy_cache::{
    CacheMethods, CachePath, CacheSwitch, CacheValid, Pace, ProxyCache, StaleConditions,
};
pub use self::real_ip::{RealIp, RealIpHeader, Trusted, TrustedName};
pub use self::referer::{Referers, ValidReferers};
pub use self::resolver::{NameServers, Resolution};
pub use self::rewrite::{Assigned, Replacement, Return, ReturnContent, Rewrite, Rewriting};
pub use self::root::{DocumentRoot, Mapping};
pub use self::satisfy::{Satisfaction, Satisfy};
pub use self::secure_link::SecureLink;
pub use self::server_name::ServerName;
pub use self::static_files::{GzipStatic, IfModifiedSince, StaticFiles, Symlinks};
pub use self::sub_filter::{SubFilter, SubPair, SubPairs};
pub use self::syslog::{Syslog, SyslogServer, SyslogSeverity};
pub use self::tls::{CertificateSource, ConfCommand, Protocols, SessionCache, Tls, VerifyClient, Written};
pub use self::try_files::{Candidate, LastResort, TryFiles};
pub use self::types::Types;
pub use self::upstream::{UpstreamKeepalive, UpstreamServer};

/// All that is known, in the order of the reference.
pub(super) const TABLE: Table = Table {
    sections: &[
        Section { title: "Main context", rows: &[core::SETTINGS, core::ROWS] },
        Section { title: "`events`", rows: &[events::ROWS] },
        Section {
            title: "`http`, `server`, `location`",
            rows: &[
                http::SERVER_BLOCK,
                location::ROWS,
                listen::ROWS,
                server_name::ROWS,
                client::SETTINGS,
                keepalive::SETTINGS,
                http::SETTINGS,
                types::SETTINGS,
                limit_rate::SETTINGS,
                early_hints::SETTINGS,
                auth_request::SETTINGS,
                mirror::SETTINGS,
                limit_except::ROWS,
                http::ROWS,
            ],
        },
        Section {
            title: "Limits of requests",
            rows: &[limit_req::ROWS, limit_req::SETTINGS, limit_conn::ROWS, limit_conn::SETTINGS],
        },
        Section {
            title: "Access",
            rows: &[
                access::ROWS,
                satisfy::SETTINGS,
                auth_basic::SETTINGS,
                auth_jwt::SETTINGS,
                auth_jwt::ROWS,
                referer::SETTINGS,
                referer::ROWS,
                secure_link::SETTINGS,
            ],
        },
        Section { title: "HTTP/2", rows: &[http2::SETTINGS, http2::ROWS] },
        Section {
            title: "Files",
            rows: &[
                root::ROWS,
                index::SETTINGS,
                try_files::ROWS,
                static_files::SETTINGS,
                autoindex::SETTINGS,
                static_files::ROWS,
            ],
        },
        Section { title: "The client's address", rows: &[real_ip::SETTINGS] },
        Section {
            title: "Logging and status",
            rows: &[
                access_log::ROWS,
                log_format::ROWS,
                open_log_files::SETTINGS,
                log::ROWS,
                stub_status::ROWS,
            ],
        },
        Section {
            title: "Response headers",
            rows: &[headers::SETTINGS, headers::ROWS, charset::SETTINGS, charset::ROWS],
        },
        Section {
            title: "Compression",
            rows: &[gzip::SETTINGS, gzip::ROWS, compression::SETTINGS, compression::ROWS],
        },
        Section { title: "Substitution", rows: &[sub_filter::SETTINGS] },
        Section { title: "Answers made of several", rows: &[ssi::SETTINGS, ssi::ROWS, addition::SETTINGS] },
        Section { title: "`return` and rewriting", rows: &[rewrite::ROWS, rewrite::SETTINGS] },
        Section { title: "Variables", rows: &[map::ROWS, geo::ROWS, split_clients::ROWS] },
        Section { title: "Error pages", rows: &[error_page::SETTINGS, error_page::ROWS] },
        Section { title: "TLS", rows: &[tls::SETTINGS, tls::ROWS] },
        Section { title: "`upstream`", rows: &[upstream::BLOCK, upstream::SETTINGS, upstream::ROWS] },
        Section { title: "Balancing methods", rows: &[balancing::ROWS] },
        Section { title: "Name resolution", rows: &[resolver::ROWS] },
        Section {
            title: "Proxying",
            rows: &[proxy::PASS, proxy::SETTINGS, proxy::tls::SETTINGS, proxy_refused::ROWS],
        },
        Section { title: "The cache", rows: &[proxy_cache::ROWS, proxy_cache::SETTINGS] },
        Section { title: "gRPC", rows: &[grpc::PASS, grpc::SETTINGS, grpc::ROWS] },
        Section { title: "Other standard modules", rows: &[elsewhere::ROWS] },
    ],
    families: elsewhere::FAMILIES,
};

/// Declares the settings of a level (`http`, `server`, `location`): those of each module, shared with the level
/// above where this one says nothing.
macro_rules! levels {
    ($($(#[$about:meta])* $module:ident: $Module:ty,)+) => {
        /// What holds at a level, with all that it inherits.
        #[derive(Debug, Clone, Default)]
        pub struct Settings {
            $($(#[$about])* pub $module: Arc<$Module>,)+
        }

        impl Settings {
            /// What holds in `block`, where `self` holds around it.
            pub(super) fn inside(&self, block: &mut Block) -> Self {
                Self { $($module: <$Module>::inherit(&self.$module, block),)+ }
            }
        }
    };
}

levels! {
    /// What a client may send, and how slowly.
    client: Client,
    /// How long a client's connection stays open.
    keepalive: Keepalive,
    /// How HTTP/2 is spoken.
    http2: Http2,
    /// What an answer tells of this program.
    core: HttpCore,
    /// Which location says whether a request may come in.
    auth_request: AuthRequest,
    /// Where copies of requests go.
    mirror: Mirror,
    /// Whether commands in answers are carried out.
    ssi: ssi::Ssi,
    /// What stands around answers.
    addition: addition::Addition,
    /// Whom to believe when they say who the client is.
    real_ip: RealIp,
    /// Which files of access logs stay open.
    log_files: LogFilesKept,
    /// Media types.
    types: Types,
    /// What is added to answers.
    headers: Headers,
    /// The character set of answers.
    charset: Charset,
    /// How answers are compressed with gzip, and for whom.
    gzip: Gzip,
    /// How answers are compressed otherwise, and unpacked.
    compression: Compression,
    /// What is replaced in answers.
    sub_filter: SubFilter,
    /// The files that stand for a directory.
    index: Index,
    /// How files are opened and answered.
    static_files: StaticFiles,
    /// How directories are listed.
    autoindex: Autoindex,
    /// How fast answers are sent.
    limit_rate: LimitRate,
    /// How the guards of a location act together.
    satisfaction: Satisfaction,
    /// Who may come in by name and password.
    auth_basic: AuthBasic,
    /// Who may come in by a signed token.
    auth_jwt: AuthJwt,
    /// From which pages requests come.
    referers: Referers,
    /// Links that a secret has signed.
    secure_link: SecureLink,
    /// How many requests come in a time.
    limit_req: LimitReq,
    /// How many requests are served at a time.
    limit_conn: LimitConn,
    /// Which interim answers reach clients.
    early_hints: EarlyHints,
    /// What answers in place of a status.
    error_pages: ErrorPages,
    /// What is told of rewriting.
    rewriting: Rewriting,
    /// How requests go to servers.
    proxy: ProxySettings,
    /// Which answers of servers are kept.
    cache: ProxyCache,
    /// How TLS is spoken to clients.
    tls: Tls,
    /// How TLS is spoken to servers.
    tls_to_servers: TlsToServers,
    /// How gRPC requests go to servers.
    grpc: GrpcSettings,
    /// Whom to ask for the addresses of names that requests make.
    resolver: Resolution,
}

impl Settings {
    /// Whether bodies of answers may be changed on their way.
    pub fn change_bodies(&self) -> bool {
        let compression = &self.compression;
        self.gzip.enabled
            || compression.gunzip
            || compression.brotli
            || compression.zstd
            || !self.sub_filter.pairs.pairs.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::TABLE;
    use crate::config::table::{Contexts, Effect, Family, Row};

    #[test]
    fn every_name_means_one_thing_in_one_context() {
        let all: Vec<&Row> = TABLE.all().collect();
        for (index, row) in all.iter().enumerate() {
            for other in &all[index + 1..] {
                let clash = row.name == other.name && row.contexts.meets(other.contexts);
                assert!(!clash, "{} has two rows for one of {}", row.name, other.contexts.names());
            }
            let elsewhere =
                TABLE.member(row.name).is_none_or(|(_, member)| !member.contexts.meets(row.contexts));
            assert!(elsewhere, "{} has a row and a family", row.name);
            assert_ne!(row.contexts, Contexts::NONE, "{}", row.name);
        }
        let mut names: Vec<&str> = TABLE.families().flat_map(Family::members).map(|one| one.name).collect();
        names.sort_unstable();
        for pair in names.windows(2) {
            assert_ne!(pair[0], pair[1], "in two families");
        }
        for member in TABLE.families().flat_map(Family::members) {
            assert_ne!(member.contexts, Contexts::NONE, "{}", member.name);
        }
    }

    #[test]
    fn every_row_is_documented() {
        for row in TABLE.all() {
            let text = match row.effect {
                Effect::Ignored(reason) | Effect::Refused(reason) => reason,
                _ => row.summary,
            };
            assert!(text.len() > 10, "{} has no text", row.name);
            assert!(!text.ends_with('.') && !text.contains('\n'), "{}: one line, no full stop", row.name);
        }
    }
}
