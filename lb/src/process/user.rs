//! `user`: changing the process's user once the sockets are bound.
//!
//! nginx keeps a master that stays root, so its workers can lose their rights and logs can still be reopened and
//! ports below 1024 be bound on reload. Here one process does everything, and gives up root for good.
//! `docs/differences.md` has the consequences for an operator (log directories that the user may write to; privileged
//! ports added by a reload need `net.ipv4.ip_unprivileged_port_start` or a restart).
//!
//! The calls change the whole process, as the C library carries them to every thread.

use std::ffi::CString;
use std::io;

use nix::unistd::{Gid, Group, Uid, User};
use thiserror::Error;

use crate::config::model;
use crate::system_error::SystemError;

/// The error of a user that could not be found or assumed. The messages are nginx's, without the position.
#[derive(Debug, Error)]
pub enum UserError {
    /// No such user, or the user database cannot be read.
    #[error("getpwnam(\"{name}\") failed{}", reason(source.as_ref()))]
    User {
        /// The configured name.
        name: String,
        /// The system's error, if it was more than "not found".
        source: Option<io::Error>,
    },
    /// No such group, or the group database cannot be read.
    #[error("getgrnam(\"{name}\") failed{}", reason(source.as_ref()))]
    Group {
        /// The configured name.
        name: String,
        /// The system's error, if it was more than "not found".
        source: Option<io::Error>,
    },
    /// A call that changes the process failed.
    #[error("{call} failed {}", SystemError(source))]
    Become {
        /// The call with its arguments, as nginx shows it.
        call: String,
        /// The system's error.
        source: io::Error,
    },
}

fn reason(source: Option<&io::Error>) -> String {
    source.map(|source| format!(" {}", SystemError(source))).unwrap_or_default()
}

/// A user and group as numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Login name, by which the supplementary groups are looked up.
    pub name: CString,
    /// User id.
    pub uid: Uid,
    /// Group id.
    pub gid: Gid,
}

/// nginx's words for a `user` directive that cannot have an effect.
pub const IGNORED: &str = "the \"user\" directive makes sense only if the master process runs with super-user \
                           privileges, ignored";

/// True if `user` can have an effect.
pub fn is_super_user() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Looks both names up. Reads the user database, so it belongs to the configuration test and not to its parser.
pub fn look_up(user: &model::User) -> Result<Identity, UserError> {
    let account = match User::from_name(&user.name) {
        Ok(Some(account)) => account,
        Ok(None) => return Err(UserError::User { name: user.name.clone(), source: None }),
        Err(errno) => {
            return Err(UserError::User { name: user.name.clone(), source: Some(errno.into()) });
        }
    };
    let group = match Group::from_name(&user.group) {
        Ok(Some(group)) => group,
        Ok(None) => return Err(UserError::Group { name: user.group.clone(), source: None }),
        Err(errno) => {
            return Err(UserError::Group { name: user.group.clone(), source: Some(errno.into()) });
        }
    };
    let name =
        CString::new(account.name).map_err(|_| UserError::User { name: user.name.clone(), source: None })?;
    Ok(Identity { name, uid: account.uid, gid: group.gid })
}

/// Becomes `identity`, for good: group, supplementary groups, user, in the order in which each is still permitted.
pub fn assume(identity: &Identity) -> Result<(), UserError> {
    let Identity { name, uid, gid } = identity;
    nix::unistd::setgid(*gid).map_err(|errno| refused(format!("setgid({gid})"), errno))?;
    nix::unistd::initgroups(name, *gid)
        .map_err(|errno| refused(format!("initgroups({}, {gid})", name.to_string_lossy()), errno))?;
    nix::unistd::setuid(*uid).map_err(|errno| refused(format!("setuid({uid})"), errno))?;
    // A process that changed its user may not read much of its own /proc (the count of open files, for one) and
    // leaves no core dump. nginx asks for the same.
    nix::sys::prctl::set_dumpable(true).map_err(|errno| refused("prctl(PR_SET_DUMPABLE)".to_owned(), errno))
}

fn refused(call: String, errno: nix::Error) -> UserError {
    UserError::Become { call, source: errno.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn user(name: &str, group: &str) -> model::User {
        model::User {
            name: name.to_owned(),
            group: group.to_owned(),
            position: model::Position { file: Arc::from("nginx.conf"), line: 1 },
        }
    }

    #[test]
    fn names_are_looked_up_as_nginx_words_it() {
        let root = look_up(&user("root", "root")).unwrap();
        assert_eq!((root.uid.as_raw(), root.gid.as_raw()), (0, 0));
        let missing = look_up(&user("no-such-user", "root")).unwrap_err();
        assert_eq!(missing.to_string(), "getpwnam(\"no-such-user\") failed");
        let missing = look_up(&user("root", "no-such-group")).unwrap_err();
        assert_eq!(missing.to_string(), "getgrnam(\"no-such-group\") failed");
    }

    #[test]
    fn a_refused_call_is_named_with_its_arguments() {
        let error = refused("setgid(33)".to_owned(), nix::Error::EPERM);
        assert_eq!(error.to_string(), "setgid(33) failed (1: Operation not permitted)");
    }
}
