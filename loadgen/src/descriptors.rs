//! File descriptors enough for the connections asked for, as far as the system lets a process help itself.
//!
//! The soft limit that a shell passes on is often 1024, for the sake of programs that use select(2); the hard one is
//! far higher. It is raised only as far as a run needs, and not at all when it suffices, since commands that loadgen
//! runs inherit it. What goes beyond the hard limit is not refused here: whether so many connections are ever open at
//! once is known only in the run, which says so itself (`no_resources`).

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::plan::Plan;

/// Of a thread: its poller, what wakes it, its alarm and its ear for signals, with room to spare.
const PER_THREAD: u64 = 8;

/// Of the process: standard streams, files, the terminal, the sources of `--truth` and the pipes of `--at`.
const OTHERS: u64 = 128;

/// For a connection and the one before, which the peer is about to close.
const PER_LINK: u64 = 2;

/// As many as these plans together may have open at once.
pub fn needed<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> u64 {
    let of_one = |plan: &Plan| {
        let links = (plan.connections() as u64).saturating_mul(plan.mix.origins().len() as u64);
        links.saturating_mul(PER_LINK).saturating_add(plan.threads as u64 * PER_THREAD)
    };
    plans.into_iter().map(of_one).fold(OTHERS, u64::saturating_add)
}

/// Raises the soft limit to what is needed, or to the hard one where that is lower. A system that refuses leaves it
/// as it is, for the run to tell.
pub fn provide(needed: u64) {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if let Some(raised) = raised(soft, hard, needed) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, raised, hard);
    }
}

/// The soft limit to set; none when it is to stay.
fn raised(soft: u64, hard: u64, needed: u64) -> Option<u64> {
    Some(needed.min(hard)).filter(|raised| *raised > soft)
}

#[cfg(test)]
mod tests {
    use structopt::StructOpt;

    use super::*;
    use crate::cli::Arguments;
    use crate::plan;

    #[test]
    fn the_limit_is_raised_as_far_as_needed_and_allowed() {
        for (soft, hard, needed, expected) in [
            (1024, 1_000_000, 500, None),
            (1024, 1_000_000, 1024, None),
            (1024, 1_000_000, 20_000, Some(20_000)),
            (1024, 4096, 20_000, Some(4096)),
            (1024, 1024, 20_000, None),
            (u64::MAX, u64::MAX, 20_000, None),
        ] {
            assert_eq!(raised(soft, hard, needed), expected, "{soft} of {hard} for {needed}");
        }
    }

    #[test]
    fn every_place_needs_connections_of_its_own() {
        for (words, expected) in [
            ("-c 100 -n 1000 --threads 2", 128 + 2 * 100 + 2 * 8),
            ("-c 100 -n 10 --threads 2", 128 + 2 * 10 + 2 * 8),
            ("-c 100 -d 1s --threads 2 -u http://a -u http://b", 128 + 2 * 200 + 2 * 8),
        ] {
            let words = ["loadgen"].into_iter().chain(words.split(' '));
            let plan = plan::check(Arguments::from_iter_safe(words).unwrap(), 4, |_| unreachable!()).unwrap();
            assert_eq!(needed([&plan]), expected, "{plan:?}");
        }
    }
}
