//! What thousands of servers cost. Not a test of right or wrong: run it with optimisation and `--ignored --nocapture`
//! and read the numbers.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::upstream_support::{http, inet, upstream};
use lb::config::model;
use lb::upstream::Runtime;
use tokio::net::TcpListener;

const WITHIN: Duration = Duration::from_secs(1);

/// Distinct loopback addresses with one port.
fn addresses(count: usize, port: u16) -> Vec<SocketAddr> {
    let octets = |n: usize| [127, 1, u8::try_from(n / 250).unwrap(), u8::try_from(n % 250 + 1).unwrap()];
    (0..count).map(|n| SocketAddr::from((octets(n), port))).collect()
}

fn model(count: usize, port: u16, probe: bool) -> model::Http {
    let servers = addresses(count, port).into_iter().map(inet).collect();
    http(vec![model::Upstream { probe, ..upstream("app", servers) }])
}

/// The processor time of this process so far, in clock ticks of 10 ms.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

#[tokio::test]
#[ignore = "measures"]
async fn cost_of_a_set_change() {
    for count in [100, 1_000, 5_000] {
        let runtime = Runtime::new();
        let first = runtime.prepare(&model(count, 9, false), None).unwrap();
        first.start(WITHIN).await;
        let mut changed = model(count, 9, false);
        changed.upstreams[0].servers.rotate_left(1);
        let began = Instant::now();
        let second = runtime.prepare(&changed, Some(&first)).unwrap();
        let prepared = began.elapsed();
        let began = Instant::now();
        second.start(WITHIN).await;
        println!("reload servers={count:<5} prepare {prepared:10.1?} start {:10.1?}", began.elapsed());
    }
}

#[tokio::test]
#[ignore = "measures"]
async fn cost_of_probing() {
    for count in [4, 1_000, 2_000, 4_000] {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accept = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let upstreams = Runtime::new().prepare(&model(count, port, true), None).unwrap();
        upstreams.start(WITHIN).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let peers = upstreams.iter().next().unwrap().peers();
        let probes = || peers.iter().map(|peer| peer.health().totals().checks).sum::<u64>();
        let (before, probes_before) = (processor_time(), probes());
        tokio::time::sleep(Duration::from_secs(5)).await;
        let used = (processor_time() - before).as_secs_f64() / 5.0;
        let rate = (probes() - probes_before) / 5;
        println!("probing servers={count:<5} {rate:5} probes/s, {:5.2} % of a core", used * 100.0);
        upstreams.stop();
        accept.abort();
    }
}
