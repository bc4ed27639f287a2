#![allow(clippy::unwrap_used)]

use std::time::Duration;

use super::*;
use crate::config::model::{ConnectionLimit, Position, RequestLimit};
use crate::script::Template;

fn zone(name: &str, bytes: u64, key: &str, kind: ZoneKind) -> LimitZone {
    let position = Position { file: "c".into(), line: 1 };
    LimitZone { name: name.into(), bytes, key: Template::literal(key), key_text: key.into(), kind, position }
}

fn of_requests(rates: &[u64], bytes: u64) -> Zones {
    let zones: Vec<LimitZone> =
        rates.iter().map(|rate| zone("z", bytes, "$k", ZoneKind::Requests { rate: *rate })).collect();
    Zones::new(&zones, None).unwrap()
}

fn limited(zone: usize, burst: i64, free: i64, key: &[u8]) -> LimitedRequest {
    LimitedRequest { limit: RequestLimit { zone: ZoneId(zone), burst, free }, key: key.to_vec() }
}

fn states(zones: &Zones) -> usize {
    match &zones.zones[0].states {
        States::Requests(zone) => zone.len(),
        States::Connections(zone) => zone.len(),
    }
}

const START: i64 = A_DAY_MILLISECONDS;

#[test]
fn a_burst_is_delayed_and_what_is_beyond_it_rejected() {
    let zones = of_requests(&[1000], 1 << 20);
    let count = |at: i64| zones.count_request_at(&[limited(0, 2000, 0, b"a")], START + at);
    let delayed = |milliseconds, excess| RequestVerdict::Delayed { milliseconds, excess, zone: ZoneId(0) };
    assert_eq!(count(0), RequestVerdict::Passed);
    assert_eq!(count(0), delayed(1000, 1000));
    assert_eq!(count(10), delayed(1990, 1990));
    assert_eq!(count(10), RequestVerdict::Rejected { excess: 2990, zone: ZoneId(0) });
    assert_eq!(count(1000), delayed(2000, 2000));
    assert_eq!(count(5000), RequestVerdict::Passed);
    let other = zones.count_request_at(&[limited(0, 0, 0, b"b")], START);
    assert_eq!(other, RequestVerdict::Passed);
}

#[test]
fn nothing_waits_within_the_part_that_is_free() {
    let zones = of_requests(&[1000], 1 << 20);
    let free = i64::MAX / 1000 * 1000;
    let count = |free| zones.count_request_at(&[limited(0, 3000, free, b"a")], START);
    assert_eq!([count(free), count(free), count(free)], [RequestVerdict::Passed; 3]);
    assert_eq!(count(2000), RequestVerdict::Delayed { milliseconds: 1000, excess: 3000, zone: ZoneId(0) });
    assert_eq!(count(free), RequestVerdict::Rejected { excess: 4000, zone: ZoneId(0) });
}

#[test]
fn a_request_is_counted_in_all_zones_or_in_none() {
    let zones = of_requests(&[1000, 10_000], 1 << 20);
    let both = |burst| [limited(1, 9000, 0, b"a"), limited(0, burst, 0, b"a")];
    assert_eq!(zones.count_request_at(&both(0), START), RequestVerdict::Passed);
    let rejected = RequestVerdict::Rejected { excess: 1000, zone: ZoneId(0) };
    assert_eq!(zones.count_request_at(&both(0), START), rejected);
    assert_eq!(zones.count_request_at(&both(0), START), rejected);
    // The first zone has counted the one that passed, and none that the second has rejected.
    let first = zones.count_request_at(&[limited(1, 9000, 0, b"a")], START);
    assert_eq!(first, RequestVerdict::Delayed { milliseconds: 100, excess: 1000, zone: ZoneId(1) });
    // The longest delay counts.
    let delayed = zones.count_request_at(&both(9000), START);
    assert_eq!(delayed, RequestVerdict::Delayed { milliseconds: 1000, excess: 1000, zone: ZoneId(0) });
    // A key without a value does not limit; the last one that has one is counted nevertheless.
    let empty = [limited(0, 0, 0, b"new"), limited(1, 0, 0, b"")];
    assert_eq!(zones.count_request_at(&empty, START), RequestVerdict::Passed);
    assert!(matches!(zones.count_request_at(&empty, START), RequestVerdict::Rejected { .. }));
    assert_eq!(zones.count_request_at(&[limited(1, 0, 0, b"")], START), RequestVerdict::Unlimited);
}

#[test]
fn the_oldest_make_room_and_ten_million_keys_take_no_more() {
    let zones = of_requests(&[1000], 32 << 10);
    let count =
        |key: u32, at: i64| zones.count_request_at(&[limited(0, 0, 0, &key.to_be_bytes())], START + at);
    for key in 0..160 {
        assert_eq!(count(key, 0), RequestVerdict::Passed);
    }
    assert_eq!(states(&zones), 160);
    assert!(matches!(count(0, 0), RequestVerdict::Rejected { .. }), "it is still known, and now the newest");
    assert_eq!(count(1000, 0), RequestVerdict::Passed);
    assert_eq!(count(1, 0), RequestVerdict::Passed, "it has made room");
    assert!(matches!(count(0, 0), RequestVerdict::Rejected { .. }));
    // After a minute two that are over go with each that comes.
    assert_eq!(count(2000, 60_000), RequestVerdict::Passed);
    assert_eq!(states(&zones), 159);
    let large = of_requests(&[1000], 1 << 20);
    for key in 0..10_000_000_u32 {
        large.count_request_at(&[limited(0, 0, 0, &key.to_be_bytes())], START);
    }
    assert_eq!(states(&large), 8064);
}

#[test]
fn what_no_room_can_be_made_for_is_refused() {
    let zones = of_requests(&[1000], 32 << 10);
    let key = vec![b'x'; 30_000];
    let verdict = zones.count_request_at(&[limited(0, 0, 0, &key)], START);
    assert_eq!(verdict, RequestVerdict::NoRoom { zone: ZoneId(0) });
    // What waits for another zone's verdict is let go.
    let both = [limited(0, 0, 0, b"a"), limited(0, 0, 0, &key)];
    assert_eq!(zones.count_request_at(&both, START), RequestVerdict::NoRoom { zone: ZoneId(0) });
    assert_eq!(zones.count_request_at(&[limited(0, 0, 0, b"a")], START), RequestVerdict::Passed);
}

#[test]
fn places_are_held_until_requests_end() {
    let zones = Zones::new(&[zone("z", 1 << 20, "$k", ZoneKind::Connections)], None).unwrap();
    let enter = |most, key: &[u8]| {
        let limit = ConnectionLimit { zone: ZoneId(0), most };
        zones.count_connection(&[LimitedConnection { limit, key: key.to_vec() }])
    };
    let (verdict, first) = enter(2, b"a");
    assert_eq!((verdict, first.len()), (ConnectionVerdict::Passed, 1));
    let (_, second) = enter(2, b"a");
    assert_eq!(enter(2, b"a").0, ConnectionVerdict::Rejected { zone: ZoneId(0) });
    assert_eq!(enter(1, b"b").0, ConnectionVerdict::Passed);
    drop(first);
    let (verdict, third) = enter(2, b"a");
    assert_eq!(verdict, ConnectionVerdict::Passed);
    drop((second, third));
    assert_eq!(states(&zones), 0, "what nobody holds is forgotten");
    assert_eq!(enter(1, b"").0, ConnectionVerdict::Unlimited);
}

#[test]
fn zones_live_on_by_name_size_and_key() {
    let requests = ZoneKind::Requests { rate: 1000 };
    let before = Zones::new(&[zone("z", 1 << 20, "$k", requests)], None).unwrap();
    let ask = |zones: &Zones| zones.count_request_at(&[limited(0, 0, 0, b"a")], START);
    assert_eq!(ask(&before), RequestVerdict::Passed);
    let kept = |zone: LimitZone| ask(&Zones::new(&[zone], Some(&before)).unwrap()) != RequestVerdict::Passed;
    assert!(kept(zone("z", 1 << 20, "$k", requests)));
    assert!(kept(zone("z", 1 << 20, "$k", ZoneKind::Requests { rate: 60_000 })), "at another rate");
    assert!(!kept(zone("z", 2 << 20, "$other", requests)), "another size is another zone");
    assert!(!kept(zone("y", 1 << 20, "$k", requests)));
    let refused = Zones::new(&[zone("z", 1 << 20, "$other", requests)], Some(&before)).unwrap_err();
    assert_eq!(
        refused[0].message,
        "limit_req \"z\" uses the \"$other\" key while previously it used the \"$k\" key"
    );
}

/// Run it alone, optimised: `cargo test --release -p lb --lib -- --ignored --nocapture a_lookup`.
#[test]
#[ignore = "a measurement"]
fn a_lookup_among_a_million_keys() {
    const KEYS: u32 = 1_000_000;
    let zones = of_requests(&[1_000_000], 256 << 20);
    let mut keyed = [limited(0, 1 << 40, i64::MAX, &[0; 4])];
    for key in 0..KEYS {
        keyed[0].key.copy_from_slice(&key.to_be_bytes());
        zones.count_request_at(&keyed, START);
    }
    assert_eq!(states(&zones), KEYS as usize);
    let mut random = fastrand::Rng::with_seed(1);
    let began = Instant::now();
    for at in 0..5_000_000_i64 {
        keyed[0].key.copy_from_slice(&random.u32(..KEYS).to_be_bytes());
        std::hint::black_box(zones.count_request_at(&keyed, START + at / 1000));
    }
    let each = began.elapsed() / 5_000_000;
    #[allow(clippy::print_stdout, reason = "it is what the measurement is for")]
    {
        println!("limit_req, a million keys: {} ns a request", each.as_nanos());
    }
    assert!(each < Duration::from_millis(1));
}
