//! Which request comes next where there are several URLs. Pure: the requests are made here once, and the
//! order in which a connection sends them is a table that repeats.
//!
//! The order is smooth: with weights 2, 1 and 1 it is `A B A C`, not `A A B C`. At every point of it, each
//! URL has had its exact part so far to less than one request, more or less. Drawing lots would get there
//! only on average, and differently in each run; sending all of one URL's turns in a row would make bursts
//! that the weights do not speak of. The order usual in load balancers (add each weight, take the largest,
//! subtract the sum) does well too, but that no URL ever falls a whole request behind in it we only
//! observe; here it is a theorem. Turns are planned as in P-fair scheduling (Baruah, Cohen, Plaxton and
//! Varvel, "Proportionate progress", Algorithmica 15, 1996): turn j of a URL with part p may be taken from
//! place floor((j - 1) / p) on and must be taken before place ceil(j / p). A schedule that keeps all these
//! windows exists because the parts add up to one; as a turn takes one place and windows begin and end at
//! whole places, taking the open turn that ends first finds it. The period, the sum of the weights without
//! their common factor, is short enough to be kept as a table: one look-up per request.
//!
//! Each connection begins at another place of the table, so that many connections that begin together do
//! not all begin with the same URL.

use std::cmp::Reverse;

use schemars::JsonSchema;
use serde::Serialize;
use thiserror::Error;
use tokio_rustls::rustls::pki_types::ServerName;

/// Everything that a run sends, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    /// Where connections go; no two are the same place.
    origins: Vec<Origin>,
    /// One per URL, as they were typed.
    requests: Vec<Prepared>,
    /// One period of the order, as places in `requests`.
    order: Vec<u16>,
}

/// A place that connections go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name or address, without the brackets of an IPv6 address.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// Host and port as typed, for people.
    pub authority: String,
    /// With TLS: the name that the server has to prove, and that it is asked for by SNI.
    pub server_name: Option<ServerName<'static>>,
}

/// The request for one URL, made once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The URL as typed.
    pub url: String,
    /// How often it is sent in relation to the others.
    pub weight: u32,
    /// Where it goes, for [`Mix::origins`].
    pub origin: usize,
    /// The bytes of the request.
    pub bytes: Vec<u8>,
    /// The same, announcing that the connection ends with it; `None` where connections have no last
    /// request.
    pub last_bytes: Option<Vec<u8>>,
}

/// What was sent to one URL and came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TargetCounts {
    /// The URL as typed.
    pub url: String,
    /// Its weight as typed; 1 where none was.
    pub weight: u32,
    /// Requests that ended.
    pub requests: u64,
    /// Those with a complete 2xx answer.
    pub successful: u64,
    /// All others.
    pub failed: u64,
}

/// Why weights cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WeightError {
    /// There are more or fewer weights than URLs.
    #[error("there are {weights} weights for {urls} URLs")]
    Count {
        /// Weights that were given.
        weights: usize,
        /// URLs that were given.
        urls: usize,
    },
    /// A weight is zero.
    #[error("a weight of 0 would never send its URL")]
    Zero,
    /// The order would repeat too late to be kept.
    #[error("without their common factor they add up to {0}, more than {PERIOD_LIMIT}")]
    Period(u64),
}

/// Far more than anyone's mix needs; keeps the table within the processor's cache.
pub const PERIOD_LIMIT: u64 = 10_000;

impl Mix {
    /// Puts together what [`order`] and the requests say.
    pub fn new(origins: Vec<Origin>, requests: Vec<Prepared>, order: Vec<u16>) -> Self {
        debug_assert!(requests.iter().all(|request| request.origin < origins.len()));
        debug_assert!(order.iter().all(|index| usize::from(*index) < requests.len()));
        Self { origins, requests, order }
    }

    /// Where connections go.
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// One request per URL, in the order in which they were typed.
    pub fn requests(&self) -> &[Prepared] {
        &self.requests
    }

    /// Whether there is more than one URL.
    pub fn is_several(&self) -> bool {
        self.requests.len() > 1
    }

    /// The number of the request at this place of the order; `place` moves on. Any number will do to begin
    /// with, such as the connection's own. Runs once per request.
    pub fn next(&self, place: &mut usize) -> usize {
        let here = if *place < self.order.len() { *place } else { *place % self.order.len() };
        *place = here + 1;
        usize::from(self.order[here])
    }

    /// The URLs as one text, for people.
    pub fn urls(&self) -> String {
        let urls: Vec<_> = self.requests.iter().map(|request| request.url.as_str()).collect();
        urls.join(", ")
    }
}

/// One period of the smooth order for these weights, as places in them; see the module.
///
/// # Errors
/// When there are no weights or too many, one is zero, or the period is longer than [`PERIOD_LIMIT`].
pub fn order(weights: &[u32]) -> Result<Vec<u16>, WeightError> {
    if weights.is_empty() {
        return Err(WeightError::Count { weights: 0, urls: 0 });
    }
    if weights.contains(&0) {
        return Err(WeightError::Zero);
    }
    let factor = weights.iter().copied().fold(0, greatest_common_divisor);
    let weights: Vec<u64> = weights.iter().map(|weight| u64::from(weight / factor)).collect();
    let period: u64 = weights.iter().sum();
    // This bounds the number of weights as well, as none is zero.
    if period > PERIOD_LIMIT {
        return Err(WeightError::Period(period));
    }

    let mut turns = vec![0_u64; weights.len()];
    let order = (0..period)
        .map(|place| {
            let open = |index: &usize| turns[*index] * period < (place + 1) * weights[*index];
            // Of turns that end together the heavier URL's is taken, as its next one is not far.
            let urgency = |index: &usize| {
                let end = ((turns[*index] + 1) * period).div_ceil(weights[*index]);
                (end, Reverse(weights[*index]))
            };
            let next = (0..weights.len())
                .filter(open)
                .min_by_key(urgency)
                .expect("the parts of all turns taken add up to `place`, so one is behind its part");
            turns[next] += 1;
            next as u16
        })
        .collect();
    Ok(order)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(weights: &[u32]) -> Mix {
        let origin = Origin { host: "a".into(), port: 80, authority: "a".into(), server_name: None };
        let request = |weight: &u32| Prepared {
            url: format!("http://a/{weight}"),
            weight: *weight,
            origin: 0,
            bytes: Vec::new(),
            last_bytes: None,
        };
        Mix::new(vec![origin], weights.iter().map(request).collect(), order(weights).unwrap())
    }

    #[test]
    fn turns_are_spread() {
        let table: &[(&[u32], &[u16])] = &[
            (&[1], &[0]),
            (&[7], &[0]),
            (&[1, 1], &[0, 1]),
            (&[3, 1], &[0, 0, 0, 1]),
            (&[300, 100], &[0, 0, 0, 1]),
            (&[1, 3], &[1, 1, 1, 0]),
            (&[2, 1, 1], &[0, 1, 0, 2]),
            (&[1, 1, 2], &[2, 0, 2, 1]),
            (&[3, 2], &[0, 1, 0, 0, 1]),
            (&[5, 1, 1], &[0, 0, 0, 1, 0, 0, 2]),
        ];
        for (weights, expected) in table {
            assert_eq!(order(weights).as_deref(), Ok(*expected), "{weights:?}");
        }
    }

    /// Every URL has its exact part at every place, to less than one request.
    fn assert_smooth(weights: &[u32]) {
        let order = order(weights).unwrap();
        let sum: i64 = weights.iter().map(|weight| i64::from(*weight)).sum();
        let mut counts = vec![0_i64; weights.len()];
        for (place, index) in order.iter().enumerate() {
            counts[usize::from(*index)] += 1;
            for (count, weight) in counts.iter().zip(weights) {
                let apart = (place as i64 + 1) * i64::from(*weight) - count * sum;
                assert!(apart.abs() < sum, "{weights:?}: {counts:?} after {} requests", place + 1);
            }
        }
        let factor = sum / order.len() as i64;
        let whole: Vec<_> = counts.iter().map(|count| count * factor).collect();
        let expected: Vec<_> = weights.iter().map(|weight| i64::from(*weight)).collect();
        assert_eq!(whole, expected, "the whole period");
    }

    #[test]
    fn no_url_is_ever_a_whole_request_ahead_or_behind() {
        for a in 1..=9 {
            for b in 1..=9 {
                for c in 1..=9 {
                    for d in [1, 2, 5, 17] {
                        assert_smooth(&[a, b, c, d]);
                    }
                }
            }
        }
        assert_smooth(&[1; 100]);
        assert_smooth(&[9_000, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_smooth(&[97, 89, 61, 53, 31, 29, 13, 7, 5, 3, 2, 1]);
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let weights: Vec<u32> = (0..random.usize(2..20)).map(|_| random.u32(1..100)).collect();
            assert_smooth(&weights);
        }
    }

    #[test]
    fn weights_that_cannot_be_kept_are_refused() {
        assert_eq!(order(&[]), Err(WeightError::Count { weights: 0, urls: 0 }));
        assert_eq!(order(&[1, 0]), Err(WeightError::Zero));
        assert_eq!(order(&[10_000, 1]), Err(WeightError::Period(10_001)));
        assert_eq!(order(&[u32::MAX, u32::MAX - 1]), Err(WeightError::Period(8_589_934_589)));
        assert_eq!(order(&[20_000, 20_000]).map(|order| order.len()), Ok(2));
    }

    #[test]
    fn a_connection_goes_round_the_order_from_where_it_began() {
        let mix = mix(&[3, 1]);
        let table = [
            (0, [0, 0, 0, 1, 0, 0]),
            (2, [0, 1, 0, 0, 0, 1]),
            (4, [0, 0, 0, 1, 0, 0]),
            (403, [1, 0, 0, 0, 1, 0]),
        ];
        for (start, expected) in table {
            let mut place = start;
            assert_eq!([(); 6].map(|()| mix.next(&mut place)), expected, "from {start}");
        }
        let mut place = usize::MAX;
        assert_eq!(mix.next(&mut place), 1);
        assert_eq!(mix.urls(), "http://a/3, http://a/1");
    }
}
