//! `server NAME resolve` against a name server that changes its mind, fails, and falls silent.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::upstream_support::{NameServer, Says, eventually, http, ip, ips, named, upstream};
use lb::balance::{Ask, Tried};
use lb::config::model::{self, Resolver};
use lb::observe::status::StatusClass;
use lb::routing::passed::Passed;
use lb::upstream::{NoPeer, Outcome, Peer, Runtime, Upstream, Upstreams, now};

const WITHIN: Duration = Duration::from_secs(5);

/// `upstream app { server app.test:80 resolve; }`, without probes: nothing listens on these addresses.
fn following(resolver: Resolver) -> model::Upstream {
    model::Upstream {
        resolver: Some(resolver),
        probe: false,
        ..upstream("app", vec![named("app.test", 80, true)])
    }
}

fn only(upstreams: &Upstreams) -> Arc<Upstream> {
    Arc::clone(upstreams.iter().next().unwrap())
}

fn names(upstream: &Upstream) -> Vec<String> {
    upstream.peers().iter().map(|peer| peer.name().to_owned()).collect()
}

fn peer(upstream: &Upstream, name: &str) -> Arc<Peer> {
    Arc::clone(upstream.peers().iter().find(|peer| peer.name() == name).unwrap())
}

#[tokio::test]
async fn scaling_is_taken_up_and_who_stays_keeps_its_counts() {
    let dns = NameServer::start(ips(&[1, 2]), 600).await;
    let runtime = Runtime::new();
    let upstreams = runtime.prepare(&http(vec![following(dns.resolver())]), None).unwrap();
    let upstream = only(&upstreams);
    assert_eq!(
        upstream.pick(&mut Tried::new(), &Ask::at(now())).unwrap_err(),
        NoPeer::Empty,
        "nothing is known yet"
    );
    upstreams.start(WITHIN).await;
    assert_eq!(names(&upstream), ["127.0.0.1:80", "127.0.0.2:80"], "start waits for the first answer");

    let stays = peer(&upstream, "127.0.0.2:80");
    stays.metrics.count_answer(StatusClass::Success);
    let busy = peer(&upstream, "127.0.0.1:80").enter();

    dns.says(ips(&[4, 3, 2]));
    let took = eventually("scaling up", || names(&upstream).len() == 3).await;
    assert!(took < Duration::from_secs(2), "valid=1s, but it took {took:?}");
    assert_eq!(names(&upstream), ["127.0.0.2:80", "127.0.0.3:80", "127.0.0.4:80"]);
    assert!(Arc::ptr_eq(&stays, &peer(&upstream, "127.0.0.2:80")));
    assert_eq!(upstream.tries(), 3);

    assert_eq!(busy.in_flight(), 1, "the one that went away is still busy");
    let went = Arc::clone(busy.peer());
    upstream.settle(&went, Outcome::Answered, now());
    drop(busy);
    assert_eq!(went.in_flight(), 0);

    dns.says(ips(&[1, 2]));
    eventually("scaling down", || names(&upstream).len() == 2).await;
    assert_eq!(peer(&upstream, "127.0.0.2:80").metrics.totals().answers_total(), 1);
    assert!(Arc::ptr_eq(&went, &peer(&upstream, "127.0.0.1:80")), "who comes back goes on counting");
}

#[tokio::test]
async fn a_failing_name_server_changes_nothing_and_a_denial_does() {
    let dns = NameServer::start(ips(&[1, 2]), 600).await;
    let runtime = Runtime::new();
    let upstreams = runtime.prepare(&http(vec![following(dns.resolver())]), None).unwrap();
    let upstream = only(&upstreams);
    upstreams.start(WITHIN).await;
    for says in [Says::ServerFailure, Says::Nothing] {
        dns.says(says);
        let asked = dns.asked();
        eventually("more questions", || dns.asked() >= asked + 3).await;
        assert_eq!(names(&upstream).len(), 2);
        assert!(upstream.pick(&mut Tried::new(), &Ask::at(now())).is_ok());
    }
    dns.says(ips(&[1, 3]));
    eventually("recovery", || names(&upstream) == ["127.0.0.1:80", "127.0.0.3:80"]).await;
    dns.says(Says::NoSuchName);
    eventually("the name is gone", || upstream.peers().is_empty()).await;
    assert_eq!(upstream.pick(&mut Tried::new(), &Ask::at(now())).unwrap_err(), NoPeer::Empty);
    dns.says(ips(&[1]));
    eventually("the name is back", || names(&upstream) == ["127.0.0.1:80"]).await;
}

#[tokio::test]
async fn a_silent_name_server_does_not_hold_up_the_start() {
    let dns = NameServer::start(Says::Nothing, 600).await;
    let healthy = NameServer::start(ips(&[9]), 600).await;
    let runtime = Runtime::new();
    let other = model::Upstream { name: "other".to_owned(), ..following(healthy.resolver()) };
    let slow = Resolver { timeout: Duration::from_secs(30), ..dns.resolver() };
    let upstreams = runtime.prepare(&http(vec![following(slow), other]), None).unwrap();
    let began = Instant::now();
    upstreams.start(Duration::from_millis(300)).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let all: Vec<_> = upstreams.iter().map(|upstream| names(upstream)).collect();
    assert_eq!(all, [vec![], vec!["127.0.0.9:80".to_owned()]]);
    dns.says(ips(&[5]));
    eventually("a late answer", || names(&only(&upstreams)) == ["127.0.0.5:80"]).await;
}

#[tokio::test]
async fn a_reload_begins_with_the_last_good_answer() {
    let dns = NameServer::start(ips(&[1, 2]), 600).await;
    let runtime = Runtime::new();
    let model = http(vec![following(dns.resolver())]);
    let first = runtime.prepare(&model, None).unwrap();
    first.start(WITHIN).await;
    let kept = peer(&only(&first), "127.0.0.1:80");
    dns.says(Says::Nothing);

    let second = runtime.prepare(&model, Some(&first)).unwrap();
    assert_eq!(names(&only(&second)).len(), 2, "before anything is started");
    second.start(Duration::from_millis(10)).await;
    first.stop();
    drop(first);
    assert!(Arc::ptr_eq(&kept, &peer(&only(&second), "127.0.0.1:80")));

    dns.says(ips(&[1]));
    eventually("the name is still followed", || names(&only(&second)) == ["127.0.0.1:80"]).await;
    second.stop();
    let asked = dns.asked();
    let more = async {
        loop {
            eventually("a question", || dns.asked() > asked + 1).await;
        }
    };
    assert!(
        tokio::time::timeout(Duration::from_millis(2500), more).await.is_err() && dns.asked() <= asked + 1,
        "nobody asks after the end"
    );
}

#[tokio::test]
async fn an_answer_that_does_not_fit_comes_over_tcp() {
    let all: Vec<_> = (1..=40).map(ip).collect();
    let dns = NameServer::start(Says::OverTcpOnly(all), 600).await;
    let upstreams = Runtime::new().prepare(&http(vec![following(dns.resolver())]), None).unwrap();
    upstreams.start(WITHIN).await;
    assert_eq!(names(&only(&upstreams)).len(), 40);
}

#[tokio::test]
async fn an_answer_larger_than_asked_for_is_read_all_the_same() {
    // 16 bytes each: below 1,232, below nginx's 4,096, and beyond, which a datagram carries but nginx does not read.
    for (count, over_tcp) in [(70, false), (100, false), (250, false), (600, true)] {
        let all = (0..count).map(|n: u16| Ipv4Addr::from(u32::from(n) + 0x7f00_0001)).collect();
        let dns = NameServer::start(Says::Addresses(all), 600).await;
        let upstreams = Runtime::new().prepare(&http(vec![following(dns.resolver())]), None).unwrap();
        upstreams.start(WITHIN).await;
        assert_eq!(names(&only(&upstreams)).len(), usize::from(count));
        assert_eq!(dns.asked_over_tcp() > 0, over_tcp, "{count}");
    }
}

#[tokio::test]
async fn the_time_to_live_counts_where_valid_is_not_given() {
    for (ttl_s, valid, again) in
        [(1, None, true), (600, None, false), (600, Some(Duration::from_secs(1)), true)]
    {
        let dns = NameServer::start(ips(&[1]), ttl_s).await;
        let resolver = Resolver { valid, ..dns.resolver() };
        let upstreams = Runtime::new().prepare(&http(vec![following(resolver)]), None).unwrap();
        upstreams.start(WITHIN).await;
        dns.says(ips(&[2]));
        let upstream = only(&upstreams);
        let change = async {
            while names(&upstream) != ["127.0.0.2:80"] {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let changed = tokio::time::timeout(Duration::from_millis(1800), change).await.is_ok();
        assert_eq!(changed, again, "ttl {ttl_s} valid {valid:?}");
    }
}

#[tokio::test]
async fn weights_and_limits_of_the_line_apply_to_each_address() {
    let dns = NameServer::start(ips(&[1]), 600).await;
    let mut model = following(dns.resolver());
    model.servers[0].weight = 3;
    model.servers.push(named("app.test", 81, true));
    let upstreams = Runtime::new().prepare(&http(vec![model]), None).unwrap();
    upstreams.start(WITHIN).await;
    let upstream = only(&upstreams);
    let picked: String = (0..8)
        .map(|_| {
            if upstream.pick(&mut Tried::new(), &Ask::at(now())).unwrap().name().ends_with(":80") {
                'a'
            } else {
                'b'
            }
        })
        .collect();
    assert_eq!(picked.matches('a').count(), 6, "{picked}");
}

#[tokio::test]
async fn ipv4_and_ipv6_are_asked_for_as_configured() {
    let dns = NameServer::start(ips(&[1]), 600).await;
    let resolver = Resolver { ipv4: false, ..dns.resolver() };
    let upstreams = Runtime::new().prepare(&http(vec![following(resolver)]), None).unwrap();
    upstreams.start(WITHIN).await;
    assert_eq!(dns.asked(), 0);
    assert!(only(&upstreams).peers().is_empty());
}

fn asked_for(url: &str) -> Passed {
    Passed::parse(url.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_name_that_a_request_makes_is_looked_up_and_kept_while_the_answer_is_valid() {
    let dns = NameServer::start(ips(&[1, 2]), 600).await;
    let resolver = dns.resolver();
    let valid = Resolver { valid: Some(Duration::from_secs(3600)), ..resolver.clone() };
    let upstreams = Runtime::new().prepare(&http(vec![]), None).unwrap();
    let passed = asked_for("http://made.example:81");
    let first = upstreams.upstream_for(&passed, Some(&valid)).await.unwrap();
    assert_eq!(names(&first), ["127.0.0.1:81", "127.0.0.2:81"]);
    let asked = dns.asked();
    let again = upstreams.upstream_for(&asked_for("http://MADE.example:81/x"), Some(&valid)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &again) && dns.asked() == asked);
    dns.says(Says::NoSuchName);
    let unknown = upstreams.upstream_for(&asked_for("http://other.example"), Some(&valid)).await.unwrap_err();
    assert_eq!(unknown.to_string(), "other.example could not be resolved (3: Host not found)");
    dns.says(ips(&[1]));
    assert!(upstreams.upstream_for(&asked_for("http://other.example"), Some(&valid)).await.is_ok());
    let nobody = upstreams.upstream_for(&asked_for("http://x.example"), None).await.unwrap_err();
    assert_eq!(nobody.to_string(), "no resolver defined to resolve x.example");
}

#[tokio::test]
async fn a_name_that_a_request_makes_may_be_an_upstream() {
    let upstreams = Runtime::new().prepare(&http(vec![upstream("group", vec![])]), None).unwrap();
    let found = upstreams.upstream_for(&asked_for("http://Group/x"), None).await.unwrap();
    assert!(Arc::ptr_eq(&found, &only(&upstreams)));
    assert!(
        upstreams.upstream_for(&asked_for("http://group:80"), None).await.is_err(),
        "its ports are its servers'"
    );
}
