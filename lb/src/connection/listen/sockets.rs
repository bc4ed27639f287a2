//! The listening sockets: bound before anything starts, exchanged while running.
//!
//! A change is two steps. [`Listeners::prepare`] binds what is new and touches nothing else: if one address
//! fails, the others are let go and everything is as it was. [`Listeners::commit`] starts what is new, ends what
//! is gone, and cannot fail. Between the two the caller swaps its snapshot, so that no connection meets an
//! address that the snapshot does not know.
//!
//! An address gets a number at its first appearance and keeps it, even if it goes and comes back: connections
//! outlive both, and a number is never given to another address.

use std::sync::{Arc, Weak};

use arc_swap::ArcSwap;
use pingora::apps::HttpServerApp;
use socket2::SockRef;
use tokio::sync::watch;

use super::accept::accept_loop;
use super::plan::{self, SocketPlan, Wanted};
use super::served::{Addresses, Served};
use super::socket::{BindError, Borrowed, ListeningSocket, backlog, listen};
use crate::config::model::ListenAddress;
use crate::connection::acceptor::Acceptor;
use crate::connection::facts::ListenerFacts;
use crate::connection::host::ConnectionHost;

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
    pub fn commit<F, A>(&mut self, change: Change, acceptor: &Acceptor<F, A>)
    where
        F: ConnectionHost,
        A: HttpServerApp + Send + Sync + 'static,
    {
        self.adopt(change);
        self.start(acceptor);
    }

    /// Starts the accept loops of all sockets that have none, on the runtime that this is called on.
    pub fn start<F, A>(&mut self, acceptor: &Acceptor<F, A>)
    where
        F: ConnectionHost,
        A: HttpServerApp + Send + Sync + 'static,
    {
        for open in &mut self.open {
            if let Some(socket) = open.waiting.take() {
                let stop = open.stop.subscribe();
                // Taken here and not in the task: a stop that begins before it runs has to wait for it.
                let hold = acceptor.drain().hold();
                let task = accept_loop(socket, open.addresses.clone(), stop, acceptor.clone(), hold);
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
