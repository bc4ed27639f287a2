//! How long an idle process takes to stop. Alone in its file, because time is measured.
#![allow(clippy::unwrap_used, reason = "a panic here is the report")]

#[path = "it/connection_support.rs"]
mod connection_support;

use std::time::{Duration, Instant};

use connection_support::*;
use lb::connection::Drained;
use tokio::net::TcpStream;

/// The promise is made for a machine that has time; on a busy one it is enough to be kept once.
const ATTEMPTS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_process_is_drained_within_100_ms() {
    let mut times = Vec::new();
    while times.len() < ATTEMPTS {
        let time = drain_200_idle_connections().await;
        times.push(time);
        if time < Duration::from_millis(100) {
            return;
        }
    }
    panic!("{times:?}");
}

async fn drain_200_idle_connections() -> Duration {
    let house = House::open().await;
    let address = house.address();
    let mut idle = Vec::new();
    for _ in 0..200 {
        let mut client = house.connect().await;
        client.get("/").await;
        idle.push(client);
    }
    let started = Instant::now();
    house.drain.begin();
    assert_eq!(house.drain.drained(Some(PATIENCE)).await, Drained::Completely);
    let time = started.elapsed();
    assert!(TcpStream::connect(address).await.is_err());
    for client in &mut idle {
        assert_eq!(client.rest().await.unwrap(), b"");
    }
    time
}
