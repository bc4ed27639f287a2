//! One listening socket: binding it, accepting from it, and the file of a Unix socket.
//!
//! Errors are worded as NGINX words them.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use thiserror::Error;

use super::plan::Wanted;
use crate::config::model::ListenAddress;
use crate::connection::transport::Accepted;
use crate::system_error::SystemError;

/// The error of an address that cannot be listened on.
#[derive(Debug, Error)]
#[error("{call}() to {address} failed {}", SystemError(source))]
pub struct BindError {
    /// The system call that failed.
    pub call: &'static str,
    /// The address.
    pub address: ListenAddress,
    /// The system's reason.
    #[source]
    pub source: io::Error,
}

/// A socket that listens.
#[derive(Debug)]
pub(super) enum ListeningSocket {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener, SocketFile),
}

impl AsRawFd for ListeningSocket {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket, _) => socket.as_raw_fd(),
        }
    }
}

/// The file of a Unix socket; removed with the socket, unless something else took its place.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), identity: identity(path) }
    }

    pub(super) fn remove(&self) {
        // Another process may have bound the path after someone removed ours.
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // The error cannot be reported, and the next bind finds a file left behind.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        self.remove();
    }
}

impl ListeningSocket {
    pub(super) fn accept(&self) -> io::Result<Accepted> {
        match self {
            Self::Tcp(socket) => socket.accept().map(|(socket, client)| Accepted::Tcp(socket, client)),
            Self::Unix(socket, _) => socket.accept().map(|(socket, _)| Accepted::Unix(socket)),
        }
    }
}

/// Lends a socket that sits behind an `Arc` to socket2.
pub(super) struct Borrowed<'a>(pub(super) &'a ListeningSocket);

impl std::os::fd::AsFd for Borrowed<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self.0 {
            ListeningSocket::Tcp(socket) => socket.as_fd(),
            ListeningSocket::Unix(socket, _) => socket.as_fd(),
        }
    }
}

pub(super) fn backlog(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

pub(super) fn listen(
    wanted: &Wanted,
    in_the_way: &[Arc<ListeningSocket>],
) -> Result<ListeningSocket, BindError> {
    let failed = |call| move |source| BindError { call, address: wanted.address.clone(), source };
    match &wanted.address {
        ListenAddress::Inet(address) => {
            let domain = Domain::for_address(*address);
            let socket = Socket::new(domain, Type::STREAM, None).map_err(failed("socket"))?;
            socket.set_reuse_address(true).map_err(failed("setsockopt"))?;
            if address.is_ipv6() {
                socket.set_only_v6(wanted.ipv6_only).map_err(failed("setsockopt"))?;
            }
            // Accepted sockets inherit it on Linux, which saves a call for each connection.
            socket.set_tcp_nodelay(true).map_err(failed("setsockopt"))?;
            socket.set_nonblocking(true).map_err(failed("ioctl"))?;
            let bind_and_listen = || {
                socket.bind(&SockAddr::from(*address)).map_err(failed("bind"))?;
                socket.listen(backlog(wanted.backlog)).map_err(failed("listen"))
            };
            match bind_and_listen() {
                Err(error) if error.source.kind() == io::ErrorKind::AddrInUse && !in_the_way.is_empty() => {
                    overlapping(&socket, in_the_way, bind_and_listen)
                        .unwrap_or_else(|source| Err(failed("setsockopt")(source)))
                }
                result => result,
            }?;
            Ok(ListeningSocket::Tcp(socket.into()))
        }
        ListenAddress::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed("socket"))?;
            socket.set_nonblocking(true).map_err(failed("ioctl"))?;
            let address = SockAddr::unix(path).map_err(failed("bind"))?;
            // A path that exists is an error, as for NGINX: it may be the socket of a live process.
            socket.bind(&address).map_err(failed("bind"))?;
            let file = SocketFile::new(path);
            let everyone = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(path, everyone).map_err(failed("chmod"))?;
            socket.listen(backlog(wanted.backlog)).map_err(failed("listen"))?;
            Ok(ListeningSocket::Unix(socket.into(), file))
        }
    }
}

/// Runs `bind_and_listen` with `socket` allowed to overlap sockets of ours that are about to close, so that going
/// from `127.0.0.1:80` to `0.0.0.0:80` refuses no connection. `SO_REUSEPORT` on both does it; it is taken back at
/// once, because with it a second instance could share the port unnoticed.
fn overlapping<T>(
    socket: &Socket,
    closing: &[Arc<ListeningSocket>],
    bind_and_listen: impl FnOnce() -> T,
) -> io::Result<T> {
    let share = |on| {
        let others = closing.iter().try_for_each(|other| SockRef::from(&Borrowed(other)).set_reuse_port(on));
        others.and(socket.set_reuse_port(on))
    };
    share(true)?;
    let result = bind_and_listen();
    share(false)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_accepted_socket_sends_without_delay() {
        let socket =
            listen(&Wanted::admin(ListenAddress::Inet("127.0.0.1:0".parse().unwrap())), &[]).unwrap();
        let ListeningSocket::Tcp(listener) = socket else { panic!("not TCP") };
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        assert!(listener.accept().unwrap().0.nodelay().unwrap());
    }

    #[test]
    fn the_file_of_a_socket_is_removed_unless_another_took_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lb.sock");
        let wanted = Wanted::admin(ListenAddress::Unix(path.clone()));
        drop(listen(&wanted, &[]).unwrap());
        assert!(!path.exists());

        let ours = listen(&wanted, &[]).unwrap();
        std::fs::rename(&path, folder.path().join("moved")).unwrap();
        let others = listen(&wanted, &[]).unwrap();
        drop(ours);
        assert!(path.exists());
        drop(others);
    }
}
