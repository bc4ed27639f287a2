//! The rate as Server-Sent Events.
//!
//! One task computes a reading a second, serialises it once, and puts it where every listener finds it. There is one
//! such place, not a queue: a listener that reads too slowly misses readings, and costs no memory beyond its
//! connection's write buffer. The streams end when the [`Publisher`] is dropped, which is how a graceful stop ends them.

use std::{
    convert::Infallible,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use actix_web::{HttpRequest, HttpResponse, Responder, http::Method};
use actix_web_lab::sse::{Data, Event, Sse};
use futures_util::{Stream, StreamExt, stream};
use log::info;
use serde::Serialize;
use tokio::sync::watch;

use crate::{
    rate::{Meter, until_next_second},
    traffic::Traffic,
};

/// A comment line at this interval proves to whatever stands between that the stream lives, even if this program's
/// clock should stop ticking.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How soon a browser should come back after the stream ended; browsers' own default is several seconds.
const RETRY: Duration = Duration::from_secs(1);

/// What an event says.
#[derive(Serialize)]
struct Reading<'a> {
    server: &'a str,
    current_rps: u64,
    total_requests: u64,
}

/// Where the last reading is found.
#[derive(Debug, Clone)]
pub(crate) struct Readings(watch::Receiver<Event>);

/// Makes the readings.
#[derive(Debug)]
pub(crate) struct Publisher {
    server: String,
    traffic: Arc<Traffic>,
    readings: watch::Sender<Event>,
}

impl Publisher {
    /// A publisher of what `traffic` counts, under the server's name.
    pub(crate) fn new(server: String, traffic: Arc<Traffic>) -> Self {
        let readings = watch::Sender::new(event(&server, 0, 0));
        Self { server, traffic, readings }
    }

    /// For those who listen.
    pub(crate) fn readings(&self) -> Readings {
        Readings(self.readings.subscribe())
    }

    /// Publishes a reading and logs it, at each change of the wall clock's second.
    pub(crate) async fn run(self) -> Infallible {
        let mut meter = Meter::new(Instant::now());
        loop {
            let clock = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            tokio::time::sleep(until_next_second(clock)).await;

            let total = self.traffic.total();
            let rate = meter.tick(Instant::now(), total);
            self.traffic.set_current_rps(rate);
            let _ = self.readings.send_replace(event(&self.server, rate, total));
            info!("Current RPS: {rate}");
        }
    }
}

/// Answers with the stream of readings: the last one at once, then each new one.
pub(crate) fn respond(request: &HttpRequest, readings: Readings) -> HttpResponse {
    let events = if request.method() == Method::HEAD { 0 } else { usize::MAX };
    Sse::from_infallible_stream(readings.events().take(events))
        .with_keep_alive(KEEP_ALIVE)
        .with_retry_duration(RETRY)
        .customize()
        // Asks nginx and its like not to collect a stream before passing it on.
        .insert_header(("X-Accel-Buffering", "no"))
        .respond_to(request)
        .map_into_boxed_body()
}

impl Readings {
    fn events(mut self) -> impl Stream<Item = Event> {
        self.0.mark_changed();
        stream::unfold(self.0, |mut receiver| async {
            receiver.changed().await.ok()?;
            let event = receiver.borrow_and_update().clone();
            Some((event, receiver))
        })
    }
}

fn event(server: &str, current_rps: u64, total_requests: u64) -> Event {
    Data::new_json(Reading { server, current_rps, total_requests })
        .expect("a string and two numbers can be written as JSON")
        .into()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    fn text(event: &Event) -> String {
        format!("{event:?}")
    }

    #[test]
    fn a_listener_gets_the_last_reading_at_once_and_misses_what_it_was_too_slow_for() {
        let publisher = Publisher::new("a".to_owned(), Arc::new(Traffic::new(1)));
        let mut events = pin!(publisher.readings().events());
        let mut next = || events.next().now_or_never();

        assert_eq!(text(&next().unwrap().unwrap()), text(&event("a", 0, 0)));
        assert!(next().is_none(), "nothing new yet");

        for count in 1..=1000 {
            let _ = publisher.readings.send_replace(event("a", count, count));
        }
        assert_eq!(text(&next().unwrap().unwrap()), text(&event("a", 1000, 1000)));
        assert!(next().is_none(), "what was missed does not come late");
    }

    #[test]
    fn streams_end_with_the_publisher() {
        let publisher = Publisher::new("a".to_owned(), Arc::new(Traffic::new(1)));
        let mut events = pin!(publisher.readings().events());
        let _ = events.next().now_or_never();
        drop(publisher);
        assert!(matches!(events.next().now_or_never(), Some(None)));
    }

    #[test]
    fn a_name_is_written_as_json() {
        assert!(text(&event("a\"b", 1, 2)).contains(r#"\\\"b"#));
    }
}
