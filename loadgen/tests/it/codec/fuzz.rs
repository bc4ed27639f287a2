//! More than a hundred thousand answers, the same in every run: right ones, and what random changes made of them.
//!
//! Another seed or number comes from the environment: `CODEC_SEED=7 CODEC_CASES=10000000 cargo test -p
//! loadgen --test it codec::`.

use fastrand::Rng;

use super::generator::{answer, mutate, pieces};
use super::{Verdict, decode, reference};

/// A few seconds without optimisation.
const CASES: u64 = 120_000;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

#[test]
fn answers_made_and_broken_are_judged_alike() {
    let mut random = Rng::with_seed(number("CODEC_SEED", 1));
    let mut counts = [0_u64; 5];
    let mut undecided = 0;
    let cases = number("CODEC_CASES", CASES);
    for case in 0..cases {
        let made = answer(&mut random);
        let (mut bytes, head_request) = (made.bytes, made.head_request);
        let expected = if random.u8(..4) == 0 {
            let judged = reference::judge(&bytes, head_request);
            assert_eq!(judged.as_ref(), Some(&made.verdict), "the reference, {}", bytes.escape_ascii());
            judged
        } else {
            mutate(&mut random, &mut bytes);
            reference::judge(&bytes, head_request)
        };
        let context = || format!("case {case}, to HEAD: {head_request}, {}", bytes.escape_ascii());

        let whole = decode([&bytes[..]], head_request);
        // All at once, more than the answer is malformed; where it ends with a piece, nobody can know yet.
        let (complete, at_once) = match &expected {
            Some(Verdict::Complete { length, .. }) if *length < bytes.len() => {
                (expected.clone(), Some(Verdict::Malformed))
            }
            _ => (None, expected.clone()),
        };
        match &at_once {
            Some(verdict) => assert_eq!(whole, *verdict, "{}", context()),
            None => {
                assert!(matches!(whole, Verdict::CutOff | Verdict::Malformed), "{whole:?}, {}", context());
                undecided += 1;
            }
        }
        if let Some(Verdict::Complete { length, .. }) = &complete {
            let (answer, surplus) = bytes.split_at(*length);
            assert_eq!(Some(decode([answer, surplus], head_request)), complete, "{}", context());
        }
        let end = match &complete {
            Some(Verdict::Complete { length, .. }) => *length,
            _ => 0,
        };
        for _ in 0..3 {
            let pieces = pieces(&mut random, &bytes);
            let mut ends = pieces.iter().scan(0, |sum, piece| {
                *sum += piece.len();
                Some(*sum)
            });
            let expected =
                if end > 0 && ends.any(|sum| sum == end) { complete.clone() } else { Some(whole.clone()) };
            let actual = decode(pieces.iter().copied(), head_request);
            assert_eq!(Some(actual), expected, "in {} pieces, {}", pieces.len(), context());
        }
        if case % 64 == 0 {
            let expected = if end > 0 { complete } else { Some(whole.clone()) };
            assert_eq!(Some(decode(bytes.chunks(1), head_request)), expected, "in bytes, {}", context());
        }
        counts[match whole {
            Verdict::Complete { .. } => 0,
            Verdict::UntilClose { .. } => 1,
            Verdict::CutOff => 2,
            Verdict::Nothing => 3,
            Verdict::Malformed => 4,
        }] += 1;
    }
    // A generator that had lost its way would prove nothing.
    for (index, part) in [(0, 10), (1, 20), (2, 20), (4, 5)] {
        assert!(counts[index] >= cases / part, "{counts:?}");
    }
    assert!(undecided < cases / 20, "{undecided} heads that the reference does not judge, {counts:?}");
}
