//! From settings to a server that has stopped: bind, serve until a signal, drain.

use std::{io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer,
    http::header::{HeaderName, HeaderValue},
    middleware::DefaultHeaders,
    web::Data,
};
use log::{info, warn};
use thiserror::Error;

use crate::{
    cli::Settings,
    connections::Connections,
    faults::FaultSwitch,
    filler,
    routes::{self, Worker},
    signals::{self, StopSignals},
    sse::Publisher,
    traffic::Traffic,
};

/// Names the server in every answer.
const X_BACKEND: HeaderName = HeaderName::from_static("x-backend");

/// Longer than the 60 s for which nginx and its like keep an idle connection: the side that chooses the connection
/// for its next request must be the one that closes it, or a request meets a closing connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a client may take for its request's header; nginx's `client_header_timeout`.
const HEADER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long begun requests may take after a stop was asked for, before they are cut off.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Connections that wait to be accepted: what Linux grants by default at most.
const BACKLOG: u32 = 4096;

/// Why there is no server.
#[derive(Debug, Error)]
pub(crate) enum ServerError {
    #[error("failed to start: {0}")]
    Start(io::Error),
    #[error("failed to listen on {address}: {error}")]
    Bind { address: SocketAddr, error: io::Error },
    #[error("the server failed: {0}")]
    Serve(io::Error),
}

/// Serves until a signal asks to stop and the last begun request is answered.
///
/// # Errors
/// If it cannot start, or ends unasked.
pub(crate) fn run(settings: Settings) -> Result<(), ServerError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(ServerError::Start)?
        .block_on(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), ServerError> {
    let mut signals = StopSignals::catch().map_err(ServerError::Start)?;
    let Settings { address, name, workers, faults } = settings;
    let (running, stopping) = signals::running();
    let traffic = Arc::new(Traffic::new(workers));
    let publisher = Publisher::new(name.clone(), Arc::clone(&traffic));
    let connections = Connections::new();

    let factory = {
        let server: Arc<str> = name.as_str().into();
        let header =
            HeaderValue::from_str(&name).expect("the command line admits only names that fit a header");
        let readings = publisher.readings();
        let faults = faults.then(|| Arc::new(FaultSwitch::default()));
        move || {
            let worker = Worker {
                server: Arc::clone(&server),
                traffic: Arc::clone(&traffic),
                index: traffic.enrol(),
                readings: readings.clone(),
                faults: faults.clone(),
                stopping: stopping.clone(),
            };
            let app = App::new()
                .wrap(DefaultHeaders::new().add((X_BACKEND, header.clone())))
                .app_data(Data::new(worker))
                .configure(|services| routes::configure(services, faults.is_some()));
            match &faults {
                Some(switch) => app.app_data(Data::from(Arc::clone(switch))),
                None => app,
            }
        }
    };
    let counted = connections.clone();
    let server = HttpServer::new(factory)
        .workers(workers)
        .backlog(BACKLOG)
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(HEADER_TIMEOUT)
        // A client that has gone is noticed while its request hangs or its stream is silent.
        .h1_allow_half_closed(false)
        .h1_write_buffer_size(filler::CHUNK)
        .tcp_nodelay(true)
        .on_connect(move |_, extensions| {
            extensions.insert(counted.open());
        })
        .shutdown_timeout(DRAIN_TIMEOUT.as_secs())
        .disable_signals()
        .bind(address)
        .map_err(|error| ServerError::Bind { address, error })?;
    for address in server.addrs() {
        info!("listening on http://{address} as {name}");
    }

    let server = server.run();
    let handle = server.handle();
    let mut server = pin!(server);
    let signal = tokio::select! {
        ended = &mut server => return ended.map_err(ServerError::Serve),
        never = publisher.run() => match never {},
        signal = signals.next() => signal,
    };

    // The publisher is gone with its branch, and the event streams with it.
    info!("{signal}: finishing {} open connections", connections.count());
    let stop = handle.stop(true);
    drop(running);
    tokio::select! {
        ended = &mut server => ended.map_err(ServerError::Serve)?,
        () = stop => {}
        () = connections.all_closed() => {}
        signal = signals.next() => warn!("{signal}: cutting off {} connections", connections.count()),
    }
    info!("stopped");
    Ok(())
}
