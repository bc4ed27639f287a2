//! The listening sockets: bound before anything starts, exchanged while running.
//!
//! A change has two steps. [`Listeners::prepare`] binds the new sockets and touches nothing else: if one address
//! fails, the others are closed and the state is as before. [`Listeners::commit`] starts the new sockets, ends the
//! removed ones, and cannot fail. Between the two the caller makes its next snapshot the current one, so that no
//! request uses a snapshot that does not know its address.
//!
//! A socket is closed only when none of its addresses is wanted any more: see [`plan::Plan::relabel`].
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
use crate::connection::host::ConnectionHost;
use crate::observe::panics::Vital;

/// An open socket.
#[derive(Debug)]
struct Open {
    /// The address that it is bound to.
    bound: ListenAddress,
    /// The addresses that it serves: the plan of that address, or of a wildcard that covers it.
    plan: SocketPlan,
    addresses: Arc<ArcSwap<Addresses>>,
    /// Set until its accept loop takes it: a socket must close with its loop, not with this list.
    waiting: Option<Arc<ListeningSocket>>,
    socket: Weak<ListeningSocket>,
    stop: watch::Sender<bool>,
}

/// The listening sockets of the process.
#[derive(Debug, Default)]
pub struct Listeners {
    open: Vec<Open>,
    /// Sockets whose accept loops were told to end and may not have ended yet.
    ending: Vec<(ListenAddress, Weak<ListeningSocket>)>,
    /// The addresses that are served.
    served: Vec<Arc<Served>>,
    /// Index is the slot.
    slots: Vec<ListenAddress>,
}

/// A prepared change: new sockets are bound and do not accept yet. Dropping it closes them.
#[derive(Debug)]
pub struct Change {
    /// Open sockets that stay, kept or relabelled, and their new plans.
    stay: Vec<(usize, SocketPlan)>,
    open: Vec<(SocketPlan, Arc<ListeningSocket>)>,
    close: Vec<usize>,
}

impl Change {
    /// True if no socket comes or goes.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.close.is_empty()
    }

    fn wanted(&self) -> impl Iterator<Item = &Wanted> {
        let plans = self.stay.iter().map(|(_, plan)| plan).chain(self.open.iter().map(|(plan, _)| plan));
        plans.flat_map(|plan| std::iter::once(&plan.bound).chain(&plan.members))
    }
}

impl Listeners {
    /// Binds every address or none. Needs no runtime and starts no thread.
    pub fn bind(wanted: &[Wanted]) -> Result<Self, BindError> {
        let mut listeners = Self::default();
        let change = listeners.prepare(wanted)?;
        listeners.served = listeners.to_be_served(&change);
        listeners.adopt(change);
        Ok(listeners)
    }

    /// The number of an address; known once it is bound or prepared.
    pub fn slot(&self, address: &ListenAddress) -> Option<usize> {
        self.slots.iter().position(|known| known == address)
    }

    /// Each bound address as configured and as the system has it, which differ for port 0.
    pub fn local_addresses(&self) -> Vec<(ListenAddress, ListenAddress)> {
        let local = |open: &Open| match open.socket.upgrade().as_deref() {
            Some(ListeningSocket::Tcp(socket)) => {
                socket.local_addr().map_or(open.bound.clone(), ListenAddress::Inet)
            }
            _ => open.bound.clone(),
        };
        self.open.iter().map(|open| (open.bound.clone(), local(open))).collect()
    }

    /// Binds the sockets that `wanted` needs beyond the open ones. On an error the state is as before.
    pub fn prepare(&mut self, wanted: &[Wanted]) -> Result<Change, BindError> {
        self.ending.retain(|(_, socket)| socket.strong_count() > 0);
        let bound: Vec<_> = self.open.iter().map(|open| &open.bound).collect();
        let plan = plan::plan(&bound, wanted);
        let mut open = Vec::with_capacity(plan.open.len());
        for socket in plan.open {
            let in_the_way = self.in_the_way(&socket.bound.address);
            let listening = listen(&socket.bound, &in_the_way)?;
            open.push((socket, Arc::new(listening)));
        }
        for one in wanted {
            self.assign_slot(&one.address);
        }
        let stay = plan.keep.into_iter().chain(plan.relabel).collect();
        Ok(Change { stay, open, close: plan.close })
    }

    /// Carries out a change. Between its steps it calls `put_in_force`, which makes the snapshot that the change was
    /// prepared for the host's [`current`](ConnectionHost::current) one; until then the previous snapshot serves the
    /// removed addresses, and afterwards it serves the requests that still arrive on their connections. Accept loops
    /// of new sockets start; those of removed sockets accept the connections that the kernel has already completed
    /// and end.
    pub fn commit<F, A>(&mut self, change: Change, acceptor: &Acceptor<F, A>, put_in_force: impl FnOnce())
    where
        F: ConnectionHost,
        A: HttpServerApp + Send + Sync + 'static,
    {
        let next = self.to_be_served(&change);
        let previous = std::mem::replace(&mut self.served, next);
        let stays = |served: &Arc<Served>| self.served.iter().any(|next| Arc::ptr_eq(served, next));
        let gone: Vec<_> = previous.into_iter().filter(|served| !stays(served)).collect();
        let last = acceptor.host().current();
        for served in &gone {
            served.facts.retire(last.clone());
        }
        put_in_force();
        self.adopt(change);
        for served in gone {
            served.closing.send_replace(true);
        }
        self.start(acceptor);
    }

    /// Starts the accept loops of all sockets that have none, spread over the workers.
    pub fn start<F, A>(&mut self, acceptor: &Acceptor<F, A>)
    where
        F: ConnectionHost,
        A: HttpServerApp + Send + Sync + 'static,
    {
        for (number, open) in self.open.iter_mut().enumerate() {
            if let Some(socket) = open.waiting.take() {
                let acceptor = acceptor.of_worker(number);
                let stop = open.stop.subscribe();
                // Taken here and not in the task: a stop that begins before the task runs has to wait for it.
                let hold = acceptor.drain().hold();
                let runtime = acceptor.runtime().clone();
                let task = accept_loop(socket, open.addresses.clone(), stop, acceptor, hold);
                runtime.spawn(Vital::new(task));
            }
        }
    }

    /// Removes the files of Unix sockets, for an exit without drops; otherwise they go with their sockets.
    pub fn remove_socket_files(&self) {
        for socket in self.open.iter().filter_map(|open| open.socket.upgrade()) {
            if let ListeningSocket::Unix(_, file) = &*socket {
                file.remove();
            }
        }
    }

    fn adopt(&mut self, change: Change) {
        let Change { stay, open, close } = change;
        for (index, plan) in stay {
            let addresses = self.addresses(&plan);
            let open = &mut self.open[index];
            open.addresses.store(Arc::new(addresses));
            if let (true, Some(socket)) =
                (open.plan.bound.backlog != plan.bound.backlog, open.socket.upgrade())
            {
                // As NGINX: a second listen() changes the backlog. It cannot fail on a socket that listens.
                let _ = SockRef::from(&Borrowed(&socket)).listen(backlog(plan.bound.backlog));
            }
            open.plan = plan;
        }
        for index in close.into_iter().rev() {
            let closed = self.open.remove(index);
            closed.stop.send_replace(true);
            self.ending.push((closed.bound, closed.socket));
        }
        for (plan, socket) in open {
            self.open.push(Open {
                bound: plan.bound.address.clone(),
                addresses: Arc::new(ArcSwap::from_pointee(self.addresses(&plan))),
                socket: Arc::downgrade(&socket),
                waiting: Some(socket),
                stop: watch::Sender::new(false),
                plan,
            });
        }
    }

    /// Every address of a change once; addresses that are served already keep their value.
    fn to_be_served(&self, change: &Change) -> Vec<Arc<Served>> {
        let mut next: Vec<Arc<Served>> = Vec::new();
        for wanted in change.wanted() {
            if next.iter().any(|served| served.is(wanted)) {
                continue;
            }
            next.push(match self.served.iter().find(|served| served.is(wanted)) {
                Some(served) => served.clone(),
                None => {
                    let slot = self.slot(&wanted.address).expect("prepare gave every wanted address a slot");
                    Served::new(slot, wanted)
                }
            });
        }
        next
    }

    /// The addresses of a socket with this plan.
    fn addresses(&self, plan: &SocketPlan) -> Addresses {
        let served = |wanted: &Wanted| {
            let served = self.served.iter().find(|served| served.is(wanted));
            served.expect("every address of a change is served").clone()
        };
        Addresses {
            bound: served(&plan.bound),
            members: plan.members.iter().map(served).collect(),
            backlog: plan.bound.backlog,
        }
    }

    fn assign_slot(&mut self, address: &ListenAddress) {
        if self.slot(address).is_none() {
            self.slots.push(address.clone());
        }
    }

    /// Our own sockets that keep `address` from being bound, although it may be: a wildcard and a specific address of
    /// one port exclude each other, and a socket that is about to close excludes the next of its address.
    fn in_the_way(&self, address: &ListenAddress) -> Vec<Arc<ListeningSocket>> {
        let conflicts =
            |other| plan::covers(address, other) || plan::covers(other, address) || address == other;
        let open = self.open.iter().map(|open| (&open.bound, &open.socket));
        let ending = self.ending.iter().map(|(bound, socket)| (bound, socket));
        open.chain(ending)
            .filter(|(bound, _)| conflicts(bound))
            .filter_map(|(_, socket)| socket.upgrade())
            .collect()
    }
}
