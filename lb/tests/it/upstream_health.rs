//! Probes, failures and reloads with real listeners.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::Duration;

use super::upstream_support::{self, eventually, http, inet, named, server, upstream};
use lb::balance::{Ask, Availability, Tried};
use lb::config::model::{self, ServerAddress};
use lb::observe::status::StatusClass;
use lb::upstream::{FailureKind, Outcome, Peer, Runtime, Settled, Upstream, Upstreams, now};
use tokio::net::{TcpListener, TcpSocket};

const WITHIN: Duration = Duration::from_secs(1);

/// A listener that accepts and counts; it is closed when the task is aborted.
struct Listener {
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
    accepted: Arc<std::sync::atomic::AtomicUsize>,
}

impl Listener {
    async fn on(address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(address).unwrap();
        let listener: TcpListener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let accepted = Arc::<std::sync::atomic::AtomicUsize>::default();
        let count = Arc::clone(&accepted);
        let task = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        });
        Self { address, task, accepted }
    }

    async fn anywhere() -> Self {
        Self::on("127.0.0.1:0".parse().unwrap()).await
    }

    async fn close(self) -> SocketAddr {
        self.task.abort();
        let _ = self.task.await;
        self.address
    }

    fn accepted(&self) -> usize {
        self.accepted.load(std::sync::atomic::Ordering::Relaxed)
    }
}

fn only(upstreams: &Upstreams) -> Arc<Upstream> {
    Arc::clone(upstreams.iter().next().unwrap())
}

fn states(upstream: &Upstream) -> Vec<Availability> {
    upstream.states(now()).iter().map(|peer| peer.state).collect()
}

fn peer(upstream: &Upstream, index: usize) -> Arc<Peer> {
    Arc::clone(upstream.peers().iter().nth(index).unwrap())
}

/// Which of the servers eight requests go to, as letters.
fn eight_picks(upstream: &Upstream) -> String {
    let all = upstream.peers();
    (0..8)
        .map(|_| {
            let picked = upstream.pick(&mut Tried::new(), &Ask::at(now())).unwrap();
            let index = all.iter().position(|peer| Arc::ptr_eq(peer, picked.peer())).unwrap();
            char::from(b'a' + u8::try_from(index).unwrap())
        })
        .collect()
}

async fn two_probes_more(peer: &Peer) {
    let before = peer.health().totals().checks;
    eventually("two more probes", || peer.health().totals().checks >= before + 2).await;
}

#[tokio::test]
async fn a_closed_listener_is_noticed_and_its_return_too() {
    let (a, b) = (Listener::anywhere().await, Listener::anywhere().await);
    let upstreams = Runtime::new()
        .prepare(&http(vec![upstream("app", vec![inet(a.address), inet(b.address)])]), None)
        .unwrap();
    upstreams.start(WITHIN).await;
    let upstream = only(&upstreams);
    two_probes_more(&peer(&upstream, 0)).await;
    assert_eq!(states(&upstream), [Availability::Up, Availability::Up]);

    let address = b.close().await;
    let took = eventually("b is unreachable", || states(&upstream)[1] == Availability::Unreachable).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(eight_picks(&upstream), "aaaaaaaa");

    let b = Listener::on(address).await;
    let took = eventually("b is back", || states(&upstream)[1] == Availability::Up).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(eight_picks(&upstream).matches('b').count(), 4);

    let totals = peer(&upstream, 1).health().totals();
    assert!(totals.unhealthy == 1 && totals.fails >= 1 && totals.checks > totals.fails, "{totals:?}");
    assert!(totals.last.unwrap().passed);
    assert!(b.accepted() > 0);
}

#[tokio::test]
async fn failures_that_a_probe_disproves_are_over_long_before_fail_timeout() {
    let (a, mut b) = (Listener::anywhere().await, Listener::anywhere().await);
    let upstreams = Runtime::new()
        .prepare(&http(vec![upstream("app", vec![inet(a.address), inet(b.address)])]), None)
        .unwrap();
    upstreams.start(WITHIN).await;
    let upstream = only(&upstreams);
    let failed = |index, kind| upstream.settle(&peer(&upstream, index), Outcome::Failed(kind), now());

    assert_eq!(failed(0, FailureKind::Connect), Settled::Ejected);
    assert_eq!(states(&upstream)[0], Availability::Ejected);
    let took = eventually("a probe passes", || states(&upstream)[0] == Availability::Up).await;
    assert!(took < Duration::from_millis(900), "a failure asks for a probe at once: {took:?}");

    for kind in [FailureKind::ReadTimeout, FailureKind::Closed] {
        assert_eq!(failed(1, kind), Settled::Ejected);
        two_probes_more(&peer(&upstream, 1)).await;
        assert_eq!(states(&upstream)[1], Availability::Ejected, "{kind:?}: the listener proves nothing");
        assert_eq!(eight_picks(&upstream), "aaaaaaaa");
        let address = b.close().await;
        eventually("b is unreachable", || states(&upstream)[1] == Availability::Unreachable).await;
        b = Listener::on(address).await;
        eventually("a restarted server starts clean", || states(&upstream)[1] == Availability::Up).await;
    }
    let totals = peer(&upstream, 1).metrics.totals();
    assert_eq!((totals.timeouts, totals.other_failures, totals.ejections), (1, 1, 2));
}

#[tokio::test]
async fn a_server_that_does_not_answer_probes_delays_nobody_else_s() {
    // The kernel drops a handshake when the queue of the listener is full: the probe runs until its timeout.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = socket.listen(1).unwrap();
    let full = silent.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        tokio::time::timeout(Duration::from_millis(300), tokio::net::TcpStream::connect(full)).await
    {
        queued.push(stream);
    }
    let live = Listener::anywhere().await;
    let upstreams = Runtime::new()
        .prepare(&http(vec![upstream("app", vec![inet(full), inet(live.address)])]), None)
        .unwrap();
    upstreams.start(WITHIN).await;
    let upstream = only(&upstreams);
    eventually("the silent one is unreachable", || states(&upstream)[0] == Availability::Unreachable).await;
    for _ in 0..2 {
        let before = peer(&upstream, 1).health().totals().checks;
        eventually("a probe of the live one", || peer(&upstream, 1).health().totals().checks > before).await;
        upstream.settle(&peer(&upstream, 1), Outcome::Failed(FailureKind::Connect), now());
        let took = eventually("a probe passes", || states(&upstream)[1] == Availability::Up).await;
        assert!(took < Duration::from_millis(500), "{took:?}: it waited for the other one");
    }
}

#[tokio::test]
async fn a_picked_server_is_busy_before_the_next_pick_sees_it() {
    let model =
        model::Upstream { probe: false, ..upstream("app", vec![inet("127.0.0.1:9".parse().unwrap())]) };
    let upstreams = Runtime::new().prepare(&http(vec![model]), None).unwrap();
    let upstream = only(&upstreams);
    let first = upstream.pick(&mut Tried::new(), &Ask::at(now())).unwrap();
    assert_eq!(first.in_flight(), 1);
    let second = upstream.pick(&mut Tried::new(), &Ask::at(now())).unwrap();
    assert_eq!(second.in_flight(), 2);
    drop(first);
    assert_eq!(second.in_flight(), 1);
}

#[tokio::test]
async fn without_probes_nobody_connects_and_only_failures_count() {
    let (a, b) = (Listener::anywhere().await, Listener::anywhere().await);
    let closed = b.close().await;
    let model = model::Upstream { probe: false, ..upstream("app", vec![inet(a.address), inet(closed)]) };
    let probed = upstream("probed", vec![inet(closed), inet(closed)]);
    let upstreams = Runtime::new().prepare(&http(vec![model, probed]), None).unwrap();
    upstreams.start(WITHIN).await;
    let upstream = only(&upstreams);
    two_probes_more(&peer(&upstream, 1)).await;
    assert_eq!(states(upstreams.iter().nth(1).unwrap()), [Availability::Unreachable; 2]);
    assert_eq!(states(&upstream), [Availability::Up, Availability::Up]);
    assert_eq!(a.accepted(), 0);
    upstream.settle(&peer(&upstream, 1), Outcome::Failed(FailureKind::Connect), now());
    assert_eq!(eight_picks(&upstream), "aaaaaaaa");
}

#[tokio::test]
async fn an_address_is_probed_once_however_often_it_is_named() {
    let a = Listener::anywhere().await;
    let many = |name| upstream(name, vec![inet(a.address), inet(a.address), inet(a.address)]);
    let runtime = Runtime::new();
    let model = http(vec![many("one"), many("two")]);
    let first = runtime.prepare(&model, None).unwrap();
    first.start(WITHIN).await;
    let second = runtime.prepare(&model, Some(&first)).unwrap();
    second.start(WITHIN).await;
    let peer = peer(&only(&second), 2);
    two_probes_more(&peer).await;
    eventually("every probe was accepted", || a.accepted() as u64 >= peer.health().totals().checks).await;
    assert!(
        a.accepted() as u64 <= peer.health().totals().checks + 1,
        "{} {:?}",
        a.accepted(),
        peer.health().totals()
    );
    assert_eq!(only(&first).peers().len(), 3);
}

#[tokio::test]
async fn unix_sockets_are_probed_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let written = format!("unix:{}", path.display());
    let unix = || server(ServerAddress::Unix(path.clone()), &written);
    let upstreams = Runtime::new().prepare(&http(vec![upstream("app", vec![unix(), unix()])]), None).unwrap();
    upstreams.start(WITHIN).await;
    let upstream = only(&upstreams);
    assert_eq!(peer(&upstream, 0).name(), written);
    two_probes_more(&peer(&upstream, 0)).await;
    assert_eq!(states(&upstream), [Availability::Up; 2]);
    drop(listener);
    eventually("unreachable", || states(&upstream) == [Availability::Unreachable; 2]).await;
    std::fs::remove_file(&path).unwrap();
    let _listener = UnixListener::bind(&path).unwrap();
    eventually("back", || states(&upstream) == [Availability::Up; 2]).await;
}

#[tokio::test]
async fn a_reload_keeps_what_is_known_and_applies_what_changed() {
    let (a, b, c) = (Listener::anywhere().await, Listener::anywhere().await, Listener::anywhere().await);
    let runtime = Runtime::new();
    let model = |servers| http(vec![upstream("app", servers)]);
    let first = runtime.prepare(&model(vec![inet(a.address), inet(b.address)]), None).unwrap();
    first.start(WITHIN).await;
    let old = only(&first);
    let (peer_a, peer_b) = (peer(&old, 0), peer(&old, 1));
    peer_a.metrics.count_answer(StatusClass::Success);
    peer_a.metrics.count_bytes(10, 20);
    let in_flight = peer_a.enter();

    let weighted = model::UpstreamServer { weight: 3, ..inet(a.address) };
    let second =
        runtime.prepare(&model(vec![inet(c.address), inet(b.address), weighted]), Some(&first)).unwrap();
    // Between preparing and starting, the old one still serves.
    old.settle(&peer_b, Outcome::Failed(FailureKind::ReadTimeout), now());
    second.start(WITHIN).await;
    first.stop();
    let new = only(&second);

    assert!(Arc::ptr_eq(&peer(&new, 2), &peer_a) && Arc::ptr_eq(&peer(&new, 1), &peer_b));
    assert_eq!((peer_a.in_flight(), peer_a.metrics.totals().answers[1]), (1, 1));
    assert_eq!((peer_a.metrics.totals().bytes_sent, peer_a.metrics.totals().bytes_received), (10, 20));
    assert_eq!(states(&new), [Availability::Up, Availability::Ejected, Availability::Up], "failures stay");
    assert_eq!(eight_picks(&new).matches('c').count(), 6, "the new weight counts at once");
    assert_eq!(peer_a.id(), 0);
    assert_eq!(peer(&new, 0).id(), 2);

    // The last request of the old configuration fails: the new one hears of it.
    assert_eq!(old.settle(&peer_a, Outcome::Failed(FailureKind::ReadTimeout), now()), Settled::Ejected);
    assert_eq!(states(&new)[2], Availability::Ejected);
    drop(in_flight);
    assert_eq!(peer_a.in_flight(), 0);

    drop((first, old));
    two_probes_more(&peer_a).await;
    second.stop();
    let accepted = c.accepted();
    let more = eventually("a probe", || c.accepted() > accepted + 1);
    assert!(
        tokio::time::timeout(Duration::from_millis(2500), more).await.is_err(),
        "nobody probes after the end"
    );
}

#[tokio::test]
async fn an_unchanged_reload_does_not_disturb_the_sequence() {
    let (a, b) = (Listener::anywhere().await, Listener::anywhere().await);
    let runtime = Runtime::new();
    let model = http(vec![upstream("app", vec![inet(a.address), inet(b.address)])]);
    let mut running = runtime.prepare(&model, None).unwrap();
    running.start(WITHIN).await;
    let mut all = String::new();
    for _ in 0..5 {
        all.push_str(&eight_picks(&only(&running))[..7]);
        let one = only(&running).pick(&mut Tried::new(), &Ask::at(now())).unwrap();
        all.push(if one.id() == 0 { 'a' } else { 'b' });
        let next = runtime.prepare(&model, Some(&running)).unwrap();
        next.start(WITHIN).await;
        running.stop();
        running = next;
    }
    let a_count = peer(&only(&running), 0).metrics.totals().picks;
    let b_count = peer(&only(&running), 1).metrics.totals().picks;
    assert!(a_count.abs_diff(b_count) <= 1, "{a_count} {b_count}");
}

#[test]
fn names_that_do_not_exist_are_all_reported_where_they_stand() {
    let mut second = named("also-missing.invalid", 81, false);
    second.position = upstream_support::position(9);
    let model = http(vec![
        upstream("app", vec![named("missing.invalid", 80, false), second]),
        upstream("other", vec![named("localhost", 80, false)]),
    ]);
    let errors = Runtime::new().prepare(&model, None).err().unwrap();
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "[emerg] host not found in upstream \"missing.invalid:80\" in nginx.conf:7",
            "[emerg] host not found in upstream \"also-missing.invalid:81\" in nginx.conf:9",
        ]
    );
}

#[test]
fn a_name_without_resolve_stands_for_all_its_addresses() {
    let upstreams = Runtime::new()
        .prepare(&http(vec![upstream("app", vec![named("localhost", 5001, false)])]), None)
        .unwrap();
    let names: Vec<String> = only(&upstreams).peers().iter().map(|peer| peer.name().to_owned()).collect();
    assert!(names.contains(&"127.0.0.1:5001".to_owned()), "{names:?}");
    assert!(only(&upstreams).peers().iter().all(|peer| peer.written() == "localhost:5001"));
}
