//! Models built by hand, waiting with a deadline, and a name server of our own.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use lb::config::model::{self, Position, Resolver, ServerAddress, UpstreamKeepalive, UpstreamServer};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// A server as `server ADDRESS max_fails=1 fail_timeout=30s`.
pub fn server(address: ServerAddress, written: &str) -> UpstreamServer {
    UpstreamServer {
        address,
        written: written.to_owned(),
        weight: 1,
        max_fails: 1,
        fail_timeout: Duration::from_secs(30),
        backup: false,
        down: false,
        resolve: false,
        position: position(7),
    }
}

pub fn inet(address: SocketAddr) -> UpstreamServer {
    server(ServerAddress::Inet(address), &address.to_string())
}

pub fn named(host: &str, port: u16, resolve: bool) -> UpstreamServer {
    let address = ServerAddress::Name { host: host.to_owned(), port };
    UpstreamServer { resolve, ..server(address, &format!("{host}:{port}")) }
}

pub fn position(line: u32) -> Position {
    Position { file: "nginx.conf".into(), line }
}

pub fn upstream(name: &str, servers: Vec<UpstreamServer>) -> model::Upstream {
    model::Upstream {
        name: name.to_owned(),
        implicit: false,
        method: model::BalancingMethod::RoundRobin,
        servers,
        keepalive: UpstreamKeepalive { connections: 32, requests: 1000, timeout: Duration::from_secs(60) },
        zone: None,
        probe: true,
        handshake: None,
        resolver: None,
        position: position(1),
    }
}

pub fn http(upstreams: Vec<model::Upstream>) -> model::Http {
    model::Http { upstreams, ..model::Http::default() }
}

/// Waits until `condition` holds, and says how long that took; panics with `what` after ten seconds.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(10), "never came: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

/// What the name server says to a question for addresses; always "no record" for other types.
#[derive(Debug, Clone)]
pub enum Says {
    Addresses(Vec<Ipv4Addr>),
    NoSuchName,
    ServerFailure,
    /// No answer at all.
    Nothing,
    /// "Too long", so that TCP is used, where these are given.
    OverTcpOnly(Vec<Ipv4Addr>),
}

/// A name server on a port of its own that counts the questions for IPv4 addresses.
pub struct NameServer {
    pub address: SocketAddr,
    says: Arc<Mutex<Says>>,
    asked: Arc<AtomicUsize>,
    asked_over_tcp: Arc<AtomicUsize>,
    ttl_s: u32,
}

impl NameServer {
    pub async fn start(says: Says, ttl_s: u32) -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()).await {
                break (udp, tcp);
            }
        };
        let server = Self {
            address: udp.local_addr().unwrap(),
            says: Arc::new(Mutex::new(says)),
            asked: Arc::default(),
            asked_over_tcp: Arc::default(),
            ttl_s,
        };
        let (says, asked) = (Arc::clone(&server.says), Arc::clone(&server.asked));
        tokio::spawn(async move {
            let mut packet = [0; 1500];
            loop {
                let (length, from) = udp.recv_from(&mut packet).await.unwrap();
                let says = says.lock().clone();
                if let Some(answer) = answer(&packet[..length], &says, ttl_s, false, &asked) {
                    udp.send_to(&answer, from).await.unwrap();
                }
            }
        });
        let (says, asked) = (Arc::clone(&server.says), Arc::clone(&server.asked));
        let over_tcp = Arc::clone(&server.asked_over_tcp);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let (says, asked, over_tcp) = (Arc::clone(&says), Arc::clone(&asked), Arc::clone(&over_tcp));
                tokio::spawn(async move {
                    while let Ok(length) = stream.read_u16().await {
                        over_tcp.fetch_add(1, Relaxed);
                        let mut query = vec![0; length.into()];
                        stream.read_exact(&mut query).await.unwrap();
                        let says = says.lock().clone();
                        let answer = answer(&query, &says, ttl_s, true, &asked).unwrap();
                        stream.write_u16(answer.len().try_into().unwrap()).await.unwrap();
                        stream.write_all(&answer).await.unwrap();
                    }
                });
            }
        });
        server
    }

    pub fn says(&self, says: Says) {
        *self.says.lock() = says;
    }

    pub fn asked(&self) -> usize {
        self.asked.load(Relaxed)
    }

    pub fn asked_over_tcp(&self) -> usize {
        self.asked_over_tcp.load(Relaxed)
    }

    /// `resolver ADDRESS valid=1s`
    pub fn resolver(&self) -> Resolver {
        Resolver {
            servers: vec![self.address],
            valid: Some(Duration::from_secs(1)),
            ipv4: true,
            ipv6: true,
            timeout: Duration::from_secs(1),
        }
    }
}

/// A DNS message in answer to `query` (RFC 1035, section 4).
fn answer(query: &[u8], says: &Says, ttl_s: u32, tcp: bool, asked: &AtomicUsize) -> Option<Vec<u8>> {
    // The question: labels up to the root, then type and class.
    let mut end = 12;
    while query[end] != 0 {
        end += 1 + usize::from(query[end]);
    }
    let question = &query[12..end + 5];
    let is_a = question[question.len() - 4..question.len() - 2] == [0, 1];
    if is_a {
        asked.fetch_add(1, Relaxed);
    }
    let (code, truncated, addresses) = match says {
        Says::Nothing => return None,
        Says::ServerFailure => (2, false, vec![]),
        Says::NoSuchName => (3, false, vec![]),
        Says::Addresses(addresses) => (0, false, addresses.clone()),
        Says::OverTcpOnly(addresses) if tcp => (0, false, addresses.clone()),
        Says::OverTcpOnly(_) => (0, true, vec![]),
    };
    let addresses = if is_a { addresses } else { vec![] };
    let mut message = query[..2].to_vec();
    message.extend([0x81 | u8::from(truncated && is_a) << 1, 0x80 | code]);
    let count = u16::try_from(addresses.len()).unwrap().to_be_bytes();
    message.extend([0, 1, count[0], count[1], 0, 0, 0, 0]);
    message.extend(question);
    for address in addresses {
        message.extend([0xc0, 12, 0, 1, 0, 1]);
        message.extend(ttl_s.to_be_bytes());
        message.extend([0, 4]);
        message.extend(address.octets());
    }
    Some(message)
}

pub fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, last)
}

pub fn ips(last: &[u8]) -> Says {
    Says::Addresses(last.iter().copied().map(ip).collect())
}

pub fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(ip(last)), port)
}
