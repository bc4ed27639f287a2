//! What a comparison does when: which target's slice is first in each pair, how long slices are, and how much
//! of them counts. Pure but for a body's file, as [`crate::plan`] is.
//!
//! The head of every slice is dropped: in it connections wake up, caches fill with the other target's loss,
//! and the answers that are short come in before those that are long.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use structopt::StructOpt;
use thiserror::Error;

use super::statistics::MINIMUM_PAIRS;
use crate::cli::Arguments;
use crate::cli::ab::AbArguments;
use crate::plan::{self, Plan, PlanError};
use crate::target::{Target, TargetError};

/// One comparison, ready to start.
#[derive(Debug, Clone)]
pub struct AbPlan {
    /// How A is sent to.
    pub a: Arc<Plan>,
    /// How B is sent to; with `None` there is only A, against itself.
    pub b: Option<Arc<Plan>>,
    /// Whether A is compared with itself (first).
    pub noise_floor: bool,
    /// How many pairs of slices, at least [`MINIMUM_PAIRS`].
    pub pairs: usize,
    /// How long each target is sent to at a time.
    pub slice: Duration,
    /// How many per cent of each slice are dropped, at its beginning.
    pub head_percent: u8,
    /// What the order within pairs is drawn from.
    pub seed: u64,
    /// Whether the result is printed as JSON.
    pub json: bool,
}

/// What is wrong with a command line whose shape is right.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say all")]
pub enum AbError {
    #[error("invalid value '{url}' for '{name}': {reason}; expected http[s]://host[:port][/path]")]
    Url { name: &'static str, url: String, reason: TargetError },
    #[error("URL_B is missing: expected two URLs, or one and --aa to compare it with itself")]
    NoSecondUrl,
    #[error("invalid value '{0}' for '--pairs': expected a number from {MINIMUM_PAIRS} to {MAXIMUM_PAIRS}")]
    Pairs(usize),
    #[error("invalid value '{0}' for '--slice': expected a time from 10ms to 1h")]
    Slice(String),
    #[error("invalid value '{0}' for '--head': expected a share of the slice from 0 to 90%")]
    Head(String),
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// One target's slice first, or the other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say all")]
pub enum Order {
    AThenB,
    BThenA,
}

/// The order of every pair: drawn anew for each, and the same again from the same seed.
#[derive(Debug)]
pub struct Orders(Rng);

/// Two targets to compare.
#[derive(Debug, Clone)]
pub struct Phase {
    /// What it is for.
    pub purpose: Purpose,
    /// The targets, A first.
    pub plans: [Arc<Plan>; 2],
    /// What its orders are drawn from.
    pub seed: u64,
}

/// What two targets are compared for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To learn how much two equal targets seem to differ here.
    NoiseFloor,
    /// To learn which is better.
    Comparison,
}

/// The interval of so many is twenty times as narrow as that of the fewest, and they still fit into a
/// megabyte.
const MAXIMUM_PAIRS: usize = 10_000;

/// Below, switching over takes a good part of the slice.
const SHORTEST_SLICE: Duration = Duration::from_millis(10);

/// Above, the machine changes more within a pair than pairs can cancel.
const LONGEST_SLICE: Duration = Duration::from_secs(3600);

/// What is left must be worth measuring.
const LARGEST_HEAD_PERCENT: u8 = 90;

/// A comparison ends after its pairs, so that the engine's own limit is only there to be never reached.
const ENGINE_LIMIT: &str = "8760h";

/// Turns what was typed into what it means. `cores` is how many threads can run at once, `any_seed` the seed
/// when none was given; `read_file` answers a file's content by its path.
///
/// # Errors
/// The first thing that makes no sense, naming the option, the value and what would be accepted.
pub fn check(
    arguments: AbArguments,
    cores: usize,
    any_seed: u64,
    read_file: impl Fn(&str) -> io::Result<Vec<u8>>,
) -> Result<AbPlan, AbError> {
    let AbArguments { url_a, url_b, pairs, slice, head, aa, seed, concurrent, sending, json } = arguments;

    if url_b.is_none() && !aa {
        return Err(AbError::NoSecondUrl);
    }
    if !(MINIMUM_PAIRS..=MAXIMUM_PAIRS).contains(&pairs) {
        return Err(AbError::Pairs(pairs));
    }
    let slice = plan::time("--slice", &slice)
        .ok()
        .filter(|time| (SHORTEST_SLICE..=LONGEST_SLICE).contains(time))
        .ok_or(AbError::Slice(slice))?;
    let head_percent = head
        .strip_suffix('%')
        .unwrap_or(&head)
        .parse()
        .ok()
        .filter(|percent| *percent <= LARGEST_HEAD_PERCENT)
        .ok_or(AbError::Head(head))?;

    let side = |name, url: String| {
        if let Err(reason) = url.parse::<Target>() {
            return Err(AbError::Url { name, url, reason });
        }
        // They say nothing to a target without TLS, which would refuse them.
        let is_tls = url.get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:"));
        let mut sending = sending.clone();
        if !is_tls {
            sending.ca_file.clear();
            sending.insecure = false;
        }
        let arguments = Arguments {
            sending,
            concurrent: Some(concurrent),
            url: vec![url],
            duration: Some(ENGINE_LIMIT.to_owned()),
            // Nobody looks at slices over time, so that slots would only pile up.
            slot: "1h".to_owned(),
            ..Arguments::from_iter_safe(["loadgen"]).expect("every option has a default")
        };
        Ok(Arc::new(plan::check(arguments, cores, &read_file)?))
    };
    Ok(AbPlan {
        a: side("URL_A", url_a)?,
        b: url_b.map(|url| side("URL_B", url)).transpose()?,
        noise_floor: aa,
        pairs,
        slice,
        head_percent,
        seed: seed.unwrap_or(any_seed),
        json,
    })
}

impl AbPlan {
    /// What is compared with what, in this order.
    pub fn phases(&self) -> Vec<Phase> {
        let phase = |purpose, second: &Arc<Plan>, seed| Phase {
            purpose,
            plans: [Arc::clone(&self.a), Arc::clone(second)],
            seed,
        };
        let noise_floor =
            self.noise_floor.then(|| phase(Purpose::NoiseFloor, &self.a, self.seed.wrapping_add(1)));
        let comparison = self.b.as_ref().map(|b| phase(Purpose::Comparison, b, self.seed));
        noise_floor.into_iter().chain(comparison).collect()
    }

    /// The part of every slice that is dropped.
    pub fn head(&self) -> Duration {
        self.slice * u32::from(self.head_percent) / 100
    }

    /// How long it all takes when nobody has to wait for answers: every phase warms up with one slice of each
    /// target, which counts for nothing.
    pub fn duration(&self) -> Duration {
        let slices = self.phases().len() * 2 * (self.pairs + 1);
        self.slice * u32::try_from(slices).unwrap_or(u32::MAX)
    }
}

impl Orders {
    /// Those that follow from this seed.
    pub fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }
}

impl Iterator for Orders {
    type Item = Order;

    fn next(&mut self) -> Option<Order> {
        Some(if self.0.bool() { Order::AThenB } else { Order::BThenA })
    }
}

impl Order {
    /// The indexes of the targets, A's being zero.
    pub fn sides(self) -> [usize; 2] {
        match self {
            Self::AThenB => [0, 1],
            Self::BThenA => [1, 0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Command;
    use crate::plan::Goal;

    const SEED: u64 = 99;

    fn plan(line: &str) -> Result<AbPlan, AbError> {
        let words = ["loadgen", "ab"].into_iter().chain(line.split_whitespace());
        let Some(Command::Ab(arguments)) = Arguments::from_iter_safe(words).unwrap().command else {
            panic!("not ab: {line}");
        };
        check(*arguments, 4, SEED, |_| Err(io::ErrorKind::NotFound.into()))
    }

    #[test]
    fn defaults_are_those_that_help_states() {
        let plan = plan("http://a http://b/x").unwrap();
        assert_eq!((plan.pairs, plan.slice, plan.head_percent), (20, Duration::from_secs(1), 20));
        assert_eq!((plan.head(), plan.seed), (Duration::from_millis(200), SEED));
        assert_eq!((plan.noise_floor, plan.json), (false, false));
        assert_eq!((plan.a.concurrency, plan.a.threads), (1, 1));
        assert_eq!(plan.duration(), Duration::from_secs(42));
        assert!(matches!(plan.a.goal, Goal::Time(time) if time > Duration::from_secs(1_000_000)));
    }

    #[test]
    fn both_targets_are_sent_the_same() {
        let plan = plan("http://a/1 http://b:81/2 -c 6 --body 3 -H X:y --threads 3 --timeout 2s").unwrap();
        let (a, b) = (plan.a, plan.b.unwrap());
        assert_eq!((a.mix.urls().as_str(), b.mix.urls().as_str()), ("http://a/1", "http://b:81/2"));
        let bytes = |plan: &Plan| String::from_utf8(plan.mix.requests()[0].bytes.clone()).unwrap();
        assert!(bytes(&a).starts_with("POST /1 HTTP/1.1\r\nHost: a\r\n"), "{}", bytes(&a));
        assert_eq!(bytes(&b), bytes(&a).replace("/1 ", "/2 ").replace("Host: a", "Host: b:81"));
        for side in [a, b] {
            assert_eq!((side.connections(), side.threads, side.timeout.as_secs()), (6, 3, 2));
        }
    }

    #[test]
    fn phases_follow_from_the_urls_and_from_aa() {
        use Purpose::{Comparison, NoiseFloor};
        for (line, expected) in [
            ("http://a http://b", &[(Comparison, "http://b")][..]),
            ("--aa http://a", &[(NoiseFloor, "http://a")]),
            ("--aa http://a http://b", &[(NoiseFloor, "http://a"), (Comparison, "http://b")]),
        ] {
            let phases = plan(line).unwrap().phases();
            let actual: Vec<_> =
                phases.iter().map(|phase| (phase.purpose, phase.plans[1].mix.urls())).collect();
            let expected: Vec<_> =
                expected.iter().map(|(purpose, url)| (*purpose, (*url).to_owned())).collect();
            assert_eq!(actual, expected, "{line}");
            assert!(phases.iter().all(|phase| phase.plans[0].mix.urls() == "http://a"), "{line}");
        }
    }

    #[test]
    fn orders_are_random_and_repeatable() {
        let orders = |seed| Orders::new(seed).take(1000).collect::<Vec<_>>();
        assert_eq!(orders(5), orders(5));
        assert_ne!(orders(5), orders(6));
        let first = orders(5).iter().filter(|order| **order == Order::AThenB).count();
        assert!((430..=570).contains(&first), "{first}");
        // Neither alternating nor in long runs.
        let changes = orders(5).windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((430..=570).contains(&changes), "{changes}");
    }

    #[test]
    fn what_makes_no_sense_names_its_option() {
        for (line, expected) in [
            ("http://a", "URL_B is missing"),
            ("ftp://a http://b", "'ftp://a' for 'URL_A'"),
            ("http://a gopher:", "'gopher:' for 'URL_B'"),
            ("http://a http://b --pairs 19", "'19' for '--pairs': expected a number from 20 to 10000"),
            ("http://a http://b --pairs 10001", "--pairs"),
            ("http://a http://b --slice 9ms", "'9ms' for '--slice'"),
            ("http://a http://b --slice soon", "'soon' for '--slice'"),
            ("http://a http://b --head 91", "'91' for '--head'"),
            ("http://a http://b --head few", "'few' for '--head'"),
            ("http://a http://b -c 0", "--concurrent"),
            ("http://a http://b --body missing", "'missing' for '--body'"),
        ] {
            let error = plan(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
        for (text, percent) in [("0", 0), ("5%", 5), ("90", 90)] {
            assert_eq!(plan(&format!("http://a http://b --head {text}")).unwrap().head_percent, percent);
        }
    }
}
