//! Asks authorities about the certificates of a configuration (`ssl_stapling`), for as long as it is in force.
//!
//! One task for each certificate, on the thread that reloads and probes: a slow responder holds up no handshake and no
//! other certificate. `tls/stapling` says what is asked and what an answer is worth.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use crate::config::model::Resolver;
use crate::tls::{AFTER_A_FAILURE, Next, Servers, Stapled};
use crate::upstream::look_up_once;

/// nginx's patience with a responder.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest answer: some certificates and signatures.
const MOST_BYTES: u64 = 64 << 10;

/// Starts asking; ends when what is returned is dropped.
pub(super) fn start(servers: &Servers) -> JoinSet<()> {
    servers.stapled().iter().cloned().map(follow).collect()
}

async fn follow(stapled: Arc<Stapled>) {
    let mut end = None;
    loop {
        let asked = timeout(PATIENCE, ask(&stapled)).await;
        let answer = asked.unwrap_or_else(|_| Err("OCSP responder timed out".to_owned()));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let taken = answer.and_then(|answer| stapled.take(&answer, i64::try_from(now).unwrap_or(i64::MAX)));
        let ask_in = match taken {
            Ok(Next { ask_in, end_in }) => {
                end = end_in.map(|end_in| Instant::now() + end_in);
                ask_in
            }
            Err(error) => {
                let (host, file) = (&stapled.responder.host, &stapled.file);
                log::error!(
                    "{error} while requesting certificate status, responder: {host}, certificate: \"{file}\""
                );
                AFTER_A_FAILURE
            }
        };
        let again = Instant::now() + ask_in;
        if let Some(ends) = end.filter(|ends| *ends < again) {
            sleep_until(ends).await;
            stapled.end();
            end = None;
        }
        sleep_until(again).await;
    }
}

/// The responder's answer, to its end.
async fn ask(stapled: &Stapled) -> Result<Vec<u8>, String> {
    let request = stapled.request().ok_or("i2d_OCSP_REQUEST() failed")?;
    let responder = &stapled.responder;
    let addresses = addresses(&responder.host, responder.port, stapled.resolver.as_ref()).await?;
    let mut last = "no address".to_owned();
    for address in addresses {
        match exchange(address, request.as_bytes()).await {
            Ok(answer) if answer.is_empty() => {
                last = "OCSP responder prematurely closed connection".to_owned()
            }
            Ok(answer) => return Ok(answer),
            Err(error) => last = format!("{error} ({address})"),
        }
    }
    Err(last)
}

async fn exchange(address: SocketAddr, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.take(MOST_BYTES).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The addresses of a responder: by `resolver`, or as the system finds them.
async fn addresses(host: &str, port: u16, resolver: Option<&Resolver>) -> Result<Vec<SocketAddr>, String> {
    if let Ok(address) = host.parse() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let failed = |error: &dyn std::fmt::Display| format!("{host} could not be resolved ({error})");
    match resolver {
        Some(resolver) => {
            let found = look_up_once(resolver, host).await;
            let (found, _) = found.map_err(|error| failed(&error))?;
            Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
        }
        None => {
            let found = tokio::net::lookup_host((host, port)).await;
            found.map(Iterator::collect).map_err(|error| failed(&error))
        }
    }
}
