//! What a pick costs. Not a test of right or wrong: run it with optimisation and `--ignored --nocapture` and read
//! the numbers; `docs/decisions/002-picker-behind-backend-selection.md` holds a set of them.
#![allow(clippy::unwrap_used)]
#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]

#[path = "it/upstream_support.rs"]
mod upstream_support;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use lb::balance::{Ask, Now, Tried};
use lb::upstream::{Outcome, Runtime, Selection, Upstream};
use pingora::lb::discovery::Static;
use pingora::lb::selection::{BackendIter, BackendSelection, RoundRobin};
use pingora::lb::{Backend, Backends, LoadBalancer};
use upstream_support::{http, inet, upstream};

const OPERATIONS: u32 = 200_000;
const ROUNDS: usize = 5;

fn addresses(count: u16) -> Vec<SocketAddr> {
    (0..count).map(|n| SocketAddr::from(([127, 0, 0, 1], 7000 + n))).collect()
}

fn running(count: u16) -> Arc<Upstream> {
    let model = http(vec![upstream("app", addresses(count).into_iter().map(inet).collect())]);
    let upstreams = Runtime::new().prepare(&model, None).unwrap();
    Arc::clone(upstreams.iter().next().unwrap())
}

async fn balancer<S>(count: u16) -> LoadBalancer<S>
where
    S: BackendSelection + 'static,
    S::Iter: BackendIter,
{
    let backends: BTreeSet<Backend> =
        addresses(count).iter().map(|a| Backend::new(&a.to_string()).unwrap()).collect();
    let balancer = LoadBalancer::<S>::from_backends(Backends::new(Static::new(backends)));
    balancer.update().await.unwrap();
    balancer
}

/// The median of some rounds, in nanoseconds per operation and thread.
fn measure(what: &str, servers: u16, operation: impl Fn() + Sync) {
    for threads in [1, 2] {
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                std::thread::scope(|scope| {
                    for _ in 0..threads {
                        scope.spawn(|| (0..OPERATIONS / threads).for_each(|_| operation()));
                    }
                });
                began.elapsed().as_nanos() as f64 / f64::from(OPERATIONS / threads)
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        println!("{what:42} servers={servers:<3} threads={threads} {:7.1} ns", rounds[ROUNDS / 2]);
    }
}

#[tokio::test]
#[ignore = "measures"]
async fn cost_of_a_pick() {
    for servers in [4, 32, 1_000] {
        let upstream = running(servers);
        measure("Upstream::pick", servers, || {
            black_box(upstream.pick(&mut Tried::new(), &Ask::at(Now::from_millis(1))).unwrap());
        });
        measure("Upstream::pick, settle(Answered)", servers, || {
            let in_flight = upstream.pick(&mut Tried::new(), &Ask::at(Now::from_millis(1))).unwrap();
            black_box(upstream.settle(in_flight.peer(), Outcome::Answered, Now::from_millis(2)));
        });
        let ours = balancer::<Selection>(servers).await;
        measure("LoadBalancer<Selection>::select", servers, || {
            black_box(ours.select(b"", 256).unwrap());
        });
        let crates = balancer::<RoundRobin>(servers).await;
        measure("LoadBalancer<RoundRobin>::select", servers, || {
            black_box(crates.select(b"", 256).unwrap());
        });
    }
}
