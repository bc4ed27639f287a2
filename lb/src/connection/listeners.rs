//! The listening sockets: bound before anything starts, exchanged while running.
//!
//! A change is two steps. [`Listeners::prepare`] binds what is new and touches nothing else: if one address
//! fails, the others are let go and everything is as it was. [`Listeners::commit`] starts what is new, ends what
//! is gone, and cannot fail. Between the two the caller swaps its snapshot, so that no connection meets an
//! address that the snapshot does not know.
//!
//! An address gets a number at its first appearance and keeps it, even if it goes and comes back: connections
//! outlive both, and a number is never given to another address.
//!
//! Errors are worded as NGINX words them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use thiserror::Error;
use tokio::sync::watch;

use super::accept::{Entrance, accept_loop};
use super::facts::ListenerFacts;
use super::front::Front;
use super::plan::{self, SocketPlan, Wanted};
use crate::config::model::ListenAddress;

/// An address could not be listened on.
#[derive(Debug, Error)]
#[error("{call}() to {address} failed ({})", system_error(source))]
pub struct BindError {
    /// The system call that failed.
    pub call: &'static str,
    /// The address.
    pub address: ListenAddress,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// `98: Address already in use`, as NGINX writes what the system says.
pub(super) fn system_error(error: &io::Error) -> String {
    let text = error.to_string();
    match error.raw_os_error() {
        Some(code) => {
            let suffix = format!(" (os error {code})");
            format!("{code}: {}", text.strip_suffix(suffix.as_str()).unwrap_or(&text))
        }
        None => text,
    }
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

    fn remove(&self) {
        // Another process may have bound the path after someone removed ours.
        if self.identity.is_some() && identity(&self.path) == self.identity {
            // Nobody can be told, and a file left behind is found by the next bind.
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

/// An address while it is served, and the word to its connections that it is no longer.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) facts: Arc<ListenerFacts>,
    pub(super) closing: watch::Sender<bool>,
}

/// The addresses that one socket serves.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// The address that is bound.
    pub(super) bound: Option<Arc<Served>>,
    /// Specific addresses behind a wildcard.
    pub(super) members: Vec<Arc<Served>>,
}

impl Addresses {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.bound.iter().chain(&self.members)
    }

    /// The address that a connection to `local` meant.
    pub(super) fn meant_by(&self, local: Option<SocketAddr>) -> Option<&Arc<Served>> {
        let ip = local.map(|local| local.ip());
        let member = self.members.iter().find(|served| ip.is_some() && plan::ip(&served.facts.address) == ip);
        member.or(self.bound.as_ref())
    }
}

/// An open socket.
#[derive(Debug)]
struct Open {
    plan: SocketPlan,
    addresses: Arc<ArcSwap<Addresses>>,
    /// Until its accept loop has it: a socket must close with its loop, not with this list.
    waiting: Option<Arc<ListeningSocket>>,
    socket: Weak<ListeningSocket>,
    stop: watch::Sender<bool>,
}

/// The listening sockets of the process.
#[derive(Debug, Default)]
pub struct Listeners {
    open: Vec<Open>,
    /// Index is the slot.
    slots: Vec<ListenAddress>,
}

/// A change that was prepared: new sockets are bound, nothing is served by them yet. Dropping it closes them.
#[derive(Debug)]
pub struct Change {
    keep: Vec<(usize, SocketPlan)>,
    open: Vec<(SocketPlan, Arc<ListeningSocket>)>,
    close: Vec<usize>,
}

impl Change {
    /// Whether any address comes or goes.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.close.is_empty()
    }
}

impl Listeners {
    /// Binds every address or none. Needs no runtime and starts no thread.
    pub fn bind(wanted: &[Wanted]) -> Result<Self, BindError> {
        let mut listeners = Self::default();
        let change = listeners.prepare(wanted)?;
        listeners.adopt(change);
        Ok(listeners)
    }

    /// The number of an address; known from the moment that it is bound or prepared.
    pub fn slot(&self, address: &ListenAddress) -> Option<usize> {
        self.slots.iter().position(|known| known == address)
    }

    /// Each bound address as configured and as the system has it, which differ for port 0.
    pub fn local_addresses(&self) -> Vec<(ListenAddress, ListenAddress)> {
        let local = |open: &Open| match open.socket.upgrade().as_deref() {
            Some(ListeningSocket::Tcp(socket)) => {
                socket.local_addr().map_or(open.plan.bound.address.clone(), ListenAddress::Inet)
            }
            _ => open.plan.bound.address.clone(),
        };
        self.open.iter().map(|open| (open.plan.bound.address.clone(), local(open))).collect()
    }

    /// Binds what `wanted` needs beyond what is open. On an error everything is as it was.
    pub fn prepare(&mut self, wanted: &[Wanted]) -> Result<Change, BindError> {
        let bound: Vec<_> = self.open.iter().map(|open| &open.plan.bound.address).collect();
        let plan = plan::plan(&bound, wanted);
        let mut open = Vec::with_capacity(plan.open.len());
        for socket in plan.open {
            let in_the_way = self.in_the_way(&socket.bound.address, &plan.close);
            let listening = listen(&socket.bound, &in_the_way)?;
            open.push((socket, Arc::new(listening)));
        }
        for one in wanted {
            self.assign_slot(&one.address);
        }
        Ok(Change { keep: plan.keep, open, close: plan.close })
    }

    /// Carries out a change: accept loops of new addresses start on the runtime that this is called on, those
    /// of gone addresses take what the kernel has already completed and end, with the connections they made.
    pub fn commit<F, A>(&mut self, change: Change, entrance: &Entrance<F, A>)
    where
        F: Front,
        A: HttpServerApp + Send + Sync + 'static,
    {
        self.adopt(change);
        self.start(entrance);
    }

    /// Starts the accept loops of all sockets that have none, on the runtime that this is called on.
    pub fn start<F, A>(&mut self, entrance: &Entrance<F, A>)
    where
        F: Front,
        A: HttpServerApp + Send + Sync + 'static,
    {
        for open in &mut self.open {
            if let Some(socket) = open.waiting.take() {
                let stop = open.stop.subscribe();
                // Taken here and not in the task: a stop that begins before it runs has to wait for it.
                let hold = entrance.drain().hold();
                let task = accept_loop(socket, open.addresses.clone(), stop, entrance.clone(), hold);
                pingora_runtime::current_handle().spawn(task);
            }
        }
    }

    /// Removes the files of Unix sockets. For an exit that drops nothing; otherwise they go with their sockets.
    pub fn remove_socket_files(&self) {
        for socket in self.open.iter().filter_map(|open| open.socket.upgrade()) {
            if let ListeningSocket::Unix(_, file) = &*socket {
                file.remove();
            }
        }
    }

    fn adopt(&mut self, change: Change) {
        let Change { keep, open, close } = change;
        for (index, plan) in keep {
            let addresses = self.addresses(&plan, &self.open[index].addresses.load());
            let kept = &mut self.open[index];
            let previous = kept.addresses.swap(Arc::new(addresses));
            let now = kept.addresses.load();
            for gone in previous.iter().filter(|old| now.iter().all(|new| !Arc::ptr_eq(old, new))) {
                gone.closing.send_replace(true);
            }
            if let (true, Some(socket)) =
                (kept.plan.bound.backlog != plan.bound.backlog, kept.socket.upgrade())
            {
                // As NGINX: a second listen() changes the backlog. It cannot fail on a socket that listens.
                let _ = SockRef::from(&Borrowed(&socket)).listen(backlog(plan.bound.backlog));
            }
            kept.plan = plan;
        }
        for index in close.into_iter().rev() {
            self.open.remove(index).stop.send_replace(true);
        }
        for (plan, socket) in open {
            let addresses = self.addresses(&plan, &Addresses::default());
            self.open.push(Open {
                addresses: Arc::new(ArcSwap::from_pointee(addresses)),
                socket: Arc::downgrade(&socket),
                waiting: Some(socket),
                stop: watch::Sender::new(false),
                plan,
            });
        }
    }

    /// The addresses of a socket; those that `previous` has too remain the same value.
    fn addresses(&self, plan: &SocketPlan, previous: &Addresses) -> Addresses {
        let served = |wanted: &Wanted| {
            let slot = self.slot(&wanted.address).expect("prepare gave every wanted address a slot");
            let facts = ListenerFacts { slot, address: wanted.address.clone(), kind: wanted.kind };
            match previous.iter().find(|served| *served.facts == facts) {
                Some(served) => served.clone(),
                None => Arc::new(Served { facts: Arc::new(facts), closing: watch::Sender::new(false) }),
            }
        };
        Addresses { bound: Some(served(&plan.bound)), members: plan.members.iter().map(served).collect() }
    }

    fn assign_slot(&mut self, address: &ListenAddress) {
        if self.slot(address).is_none() {
            self.slots.push(address.clone());
        }
    }

    /// The sockets about to close that keep `address` from being bound: a wildcard and a specific address of
    /// one port exclude each other.
    fn in_the_way(&self, address: &ListenAddress, closing: &[usize]) -> Vec<Arc<ListeningSocket>> {
        let conflicts = |other| plan::covers(address, other) || plan::covers(other, address);
        closing
            .iter()
            .map(|index| &self.open[*index])
            .filter(|open| conflicts(&open.plan.bound.address))
            .filter_map(|open| open.socket.upgrade())
            .collect()
    }
}

/// Lends a socket that sits behind an `Arc` to socket2.
struct Borrowed<'a>(&'a ListeningSocket);

impl std::os::fd::AsFd for Borrowed<'_> {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        match self.0 {
            ListeningSocket::Tcp(socket) => socket.as_fd(),
            ListeningSocket::Unix(socket, _) => socket.as_fd(),
        }
    }
}

fn backlog(backlog: u32) -> i32 {
    i32::try_from(backlog).unwrap_or(i32::MAX)
}

fn listen(wanted: &Wanted, in_the_way: &[Arc<ListeningSocket>]) -> Result<ListeningSocket, BindError> {
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
            // A path that exists is an error, as for NGINX: it may be the socket of a process that lives.
            socket.bind(&address).map_err(failed("bind"))?;
            let file = SocketFile::new(path);
            let everyone = std::fs::Permissions::from_mode(0o666);
            std::fs::set_permissions(path, everyone).map_err(failed("chmod"))?;
            socket.listen(backlog(wanted.backlog)).map_err(failed("listen"))?;
            Ok(ListeningSocket::Unix(socket.into(), file))
        }
    }
}

/// Does `bind_and_listen` with `socket` allowed to overlap sockets of ours that are about to close, so that going
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
