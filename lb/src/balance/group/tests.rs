use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::balance::{Availability, Load, ServerConfig};

const FAIL_TIMEOUT_MS: u64 = 10_000;

fn group_of(primaries: Vec<Server>, backups: Vec<Server>) -> Group {
    Group::new(MethodKind::RoundRobin, primaries, backups)
}

fn server(slot: u32, config: ServerConfig) -> Server {
    Server::new(slot, config, Arc::new(Load::default()))
}

fn set_down(group: &mut Group, index: usize, down: bool) {
    let config = ServerConfig { down, ..*group.servers[index].config() };
    group.servers[index] = group.servers[index].clone().with_config(config);
}

fn config(weight: u32, max_fails: u32) -> ServerConfig {
    ServerConfig {
        weight,
        max_fails,
        fail_timeout: Duration::from_millis(FAIL_TIMEOUT_MS),
        max_conns: 0,
        slow_start: Duration::ZERO,
        down: false,
    }
}

/// Servers `a`, `b`, … with these weights, `max_fails=1`.
fn servers(first_slot: u32, weights: &[u32]) -> Vec<Server> {
    (first_slot..).zip(weights).map(|(slot, weight)| server(slot, config(*weight, 1))).collect()
}

fn group(weights: &[u32]) -> Group {
    group_of(servers(0, weights), Vec::new())
}

fn with_backups(primaries: &[u32], backups: &[u32]) -> Group {
    group_of(servers(0, primaries), servers(u32::try_from(primaries.len()).unwrap_or(0), backups))
}

fn at(ms: u64) -> Now {
    Now::from_millis(ms)
}

/// One request's first pick, as a letter; `-` for none.
fn pick(group: &mut Group, ms: u64) -> char {
    letter(group.pick(&mut Tried::new(), &Ask::at(at(ms))))
}

fn letter(pick: Pick) -> char {
    match pick {
        Pick::Server(index) => char::from(b'a' + u8::try_from(index).unwrap_or(0)),
        Pick::NoLive(_) => '-',
    }
}

fn picks(group: &mut Group, count: usize, ms: u64) -> String {
    (0..count).map(|_| pick(group, ms)).collect()
}

/// All servers that one request is sent to, if every try fails without being recorded.
fn tries(group: &mut Group, ms: u64) -> (String, NoLive) {
    let mut tried = Tried::new();
    let mut order = String::new();
    loop {
        match group.pick(&mut tried, &Ask::at(at(ms))) {
            Pick::NoLive(why) => return (order, why),
            picked => order.push(letter(picked)),
        }
    }
}

#[test]
fn turns_are_smooth_and_in_proportion_to_the_weights() {
    for (weights, expected) in [
        (vec![5, 1, 1], "aabacaaaabacaa"),
        (vec![1, 1, 1, 1], "abcdabcd"),
        (vec![3, 2, 1], "abacbaabacba"),
        (vec![2, 1], "abaaba"),
        (vec![1, 5], "bbabbb"),
        (vec![1], "aaa"),
    ] {
        assert_eq!(picks(&mut group(&weights), expected.len(), 0), expected, "{weights:?}");
    }
}

#[test]
fn ten_thousand_requests_over_four_are_shared_exactly() {
    let all = picks(&mut group(&[1, 1, 1, 1]), 10_000, 0);
    for server in ['a', 'b', 'c', 'd'] {
        assert_eq!(all.matches(server).count(), 2_500);
    }
}

#[test]
fn one_request_tries_each_server_once_and_backups_last() {
    for (mut group, order) in [
        (group(&[1, 1, 1]), "abc"),
        (group(&[1, 5, 2]), "bca"),
        (with_backups(&[1, 1], &[1, 3]), "abdc"),
        (with_backups(&[], &[1, 1]), "ab"),
    ] {
        assert_eq!(tries(&mut group, 0), (order.to_owned(), NoLive::Tried));
    }
}

#[test]
fn more_than_64_servers_are_tried_once_each() {
    let mut group = group(&[1; 100]);
    let mut tried = Tried::new();
    let mut seen = std::collections::HashSet::new();
    while let Pick::Server(index) = group.pick(&mut tried, &Ask::at(at(0))) {
        assert!(seen.insert(index), "{index} twice");
    }
    assert_eq!(seen.len(), 100);
}

#[test]
fn as_many_tries_as_servers_that_are_not_down() {
    let mut down = group(&[1, 1, 1]);
    set_down(&mut down, 1, true);
    for (group, single, expected) in [
        (group(&[1]), true, 1),
        (group(&[1, 1]), false, 2),
        (with_backups(&[1], &[1]), false, 2),
        (with_backups(&[], &[1]), false, 1),
        (down, false, 2),
        (Group::default(), false, 0),
    ] {
        assert_eq!((group.single(), group.tries()), (single, expected), "{group:?}");
    }
}

#[test]
fn says_why_nobody_can_be_asked() {
    let mut down = group(&[1, 1]);
    (0..2).for_each(|index| set_down(&mut down, index, true));
    let mut unreachable = with_backups(&[1, 1], &[1]);
    (0..3).for_each(|index| unreachable.set_reachable(index, false, at(0)));
    let mut failed = group(&[1, 1]);
    (0..2).for_each(|index| {
        assert_eq!(failed.record_failure(index, Stage::Connect, at(0)), AfterFailure::Ejected)
    });
    let mut lone_down = group(&[1]);
    set_down(&mut lone_down, 0, true);
    for (mut group, why) in [
        (Group::default(), NoLive::Empty),
        (down, NoLive::Down),
        (lone_down, NoLive::Down),
        (unreachable, NoLive::OutOfUse),
        (failed, NoLive::OutOfUse),
    ] {
        assert_eq!(tries(&mut group, 1), (String::new(), why));
    }
}

#[test]
fn a_server_that_cannot_be_asked_gets_nothing_and_keeps_no_claim() {
    type Change = fn(&mut Group, usize, bool);
    let ways: [Change; 2] = [|group, index, out| group.set_reachable(index, !out, at(0)), set_down];
    for change in ways {
        let mut group = group(&[1, 1, 1]);
        change(&mut group, 1, true);
        assert_eq!(picks(&mut group, 6, 0), "acacac");
        change(&mut group, 1, false);
        assert_eq!(picks(&mut group, 6, 0), "abcabc", "its share, not the lost turns");
    }
}

#[test]
fn backups_serve_while_no_primary_can() {
    let mut group = with_backups(&[1, 1], &[1]);
    group.record_failure(0, Stage::Connect, at(0));
    assert_eq!(picks(&mut group, 3, 1), "bbb");
    group.set_reachable(1, false, at(0));
    assert_eq!(picks(&mut group, 2, 2), "cc");
    group.set_reachable(1, true, at(0));
    assert_eq!(picks(&mut group, 2, 3), "bb");
}

#[test]
fn a_failed_server_gets_one_request_per_fail_timeout() {
    let mut group = group(&[1, 1]);
    assert_eq!(group.record_failure(0, Stage::Exchange, at(0)), AfterFailure::Ejected);
    assert_eq!(picks(&mut group, 3, 1), "bbb");
    assert_eq!(picks(&mut group, 3, FAIL_TIMEOUT_MS), "bbb", "the window's end belongs to it");
    let probing = picks(&mut group, 6, FAIL_TIMEOUT_MS + 1);
    assert_eq!(probing.matches('a').count(), 1, "{probing}");
    assert_eq!(group.record_failure(0, Stage::Exchange, at(FAIL_TIMEOUT_MS + 2)), AfterFailure::StillEjected);
    assert_eq!(picks(&mut group, 3, 2 * FAIL_TIMEOUT_MS + 2), "bbb");
    let probing = picks(&mut group, 6, 2 * FAIL_TIMEOUT_MS + 3);
    assert_eq!(probing.matches('a').count(), 1, "{probing}");
    assert!(group.record_answer(0, at(0)), "the probing request's success restores it");
    let after = picks(&mut group, 6, 2 * FAIL_TIMEOUT_MS + 4);
    assert_eq!(after.matches('a').count(), 3, "{after}");
}

#[test]
fn a_late_success_does_not_excuse_a_failure() {
    let mut group = group_of((0..2).map(|slot| server(slot, config(1, 2))).collect(), Vec::new());
    pick(&mut group, 0);
    assert_eq!(group.record_failure(0, Stage::Exchange, at(5)), AfterFailure::Noted);
    assert!(!group.record_answer(0, at(0)), "of a request sent before the failure");
    assert_eq!(group.servers[0].fails(), 1);
    assert_eq!(
        group.record_failure(0, Stage::Exchange, at(6)),
        AfterFailure::Ejected,
        "interleaved failures add up"
    );
}

#[test]
fn a_success_after_a_quiet_window_clears_the_record() {
    let mut group = group_of((0..2).map(|slot| server(slot, config(1, 3))).collect(), Vec::new());
    group.record_failure(0, Stage::Connect, at(0));
    group.record_failure(0, Stage::Exchange, at(1));
    picks(&mut group, 2, FAIL_TIMEOUT_MS + 2);
    assert!(!group.record_answer(0, at(0)), "it was never out of use");
    assert_eq!(group.servers[0].fails(), 0);
}

#[test]
fn max_fails_zero_never_takes_a_server_out() {
    let mut group = group_of((0..2).map(|slot| server(slot, config(1, 0))).collect(), Vec::new());
    for ms in 0..100 {
        assert_eq!(group.record_failure(0, Stage::Connect, at(ms)), AfterFailure::Noted);
    }
    assert_eq!(picks(&mut group, 4, 100), "abab");
}

#[test]
fn a_lone_server_is_never_out_of_use() {
    let mut group = group(&[1]);
    for ms in 0..10 {
        assert_eq!(group.record_failure(0, Stage::Connect, at(ms)), AfterFailure::Noted);
    }
    group.set_reachable(0, false, at(0));
    assert_eq!(picks(&mut group, 2, 10), "aa");
}

#[test]
fn a_failure_costs_weight_that_comes_back_one_by_one() {
    // weight 4, max_fails 2: each failure takes 2.
    let fresh = || group_of(vec![server(0, config(4, 2)), server(1, config(4, 2))], Vec::new());
    let mut group = fresh();
    group.record_failure(0, Stage::Connect, at(0));
    assert_eq!(group.servers[0].effective_weight(), 2);
    for expected in [3, 4, 4] {
        pick(&mut group, 1);
        assert_eq!(group.servers[0].effective_weight(), expected);
    }
    let mut group = fresh();
    (0..5).for_each(|ms| {
        group.record_failure(0, Stage::Connect, at(ms));
    });
    assert_eq!(group.servers[0].effective_weight(), 0, "never negative");
}

#[test]
fn failures_to_connect_are_cleared_by_what_began_later_and_others_are_not() {
    use Stage::{Connect, Exchange};
    for (failures, began, restored, left) in [
        (vec![(Connect, 10)], 11, true, 0),
        (vec![(Connect, 10)], 10, false, 1),
        (vec![(Connect, 10)], 9, false, 1),
        (vec![(Exchange, 10)], 99, false, 1),
        (vec![(Connect, 10), (Exchange, 20)], 30, false, 1),
        (vec![(Exchange, 10), (Connect, 20)], 15, false, 2),
    ] {
        let mut group = group(&[1, 1]);
        for (stage, ms) in &failures {
            group.record_failure(0, *stage, at(*ms));
        }
        assert_eq!(group.reset_connect_failures(0, at(began), at(began)), restored, "{failures:?} {began}");
        assert_eq!(group.servers[0].fails(), left, "{failures:?} {began}");
    }
}

#[test]
fn clearing_failures_brings_back_at_once() {
    let mut group = group(&[1, 1]);
    group.record_failure(0, Stage::Exchange, at(0));
    assert!(group.has_failures());
    assert!(group.reset_failures(0, at(0)));
    assert!(!group.has_failures());
    assert!(picks(&mut group, 2, 1).contains('a'));
    assert!(!group.reset_failures(0, at(0)), "nothing left to clear");
}

#[test]
fn a_new_configuration_applies_at_once_and_the_record_stays() {
    let mut group = group_of(vec![server(0, config(1, 3)), server(1, config(1, 3))], Vec::new());
    group.record_failure(0, Stage::Connect, at(0));
    let servers: Vec<Server> =
        group.servers.iter().cloned().map(|server| server.with_config(config(5, 1))).collect();
    assert_eq!(servers[0].state(at(1)), Availability::Ejected, "one failure is enough now");
    assert_eq!(servers[1].effective_weight(), 5);
    assert_eq!(servers[1].state(at(1)), Availability::Up);
}

#[test]
fn a_changed_set_begins_its_sequence_anew() {
    let mut one = group(&[1, 1, 1, 1]);
    picks(&mut one, 2, 0);
    let mut kept = group_of(one.servers[..2].to_vec(), Vec::new());
    assert_eq!(picks(&mut kept, 4, 0), "abab");
}

#[test]
fn indices_that_do_not_exist_are_harmless() {
    let mut group = group(&[1, 1]);
    assert_eq!(group.record_failure(9, Stage::Connect, at(0)), AfterFailure::Noted);
    assert!(
        !group.record_answer(9, at(0))
            && !group.reset_failures(9, at(0))
            && !group.reset_connect_failures(9, at(0), at(0))
    );
    group.set_reachable(9, false, at(0));
    assert_eq!(picks(&mut group, 2, 0), "ab");
}

#[test]
fn a_full_server_and_a_draining_one_are_passed_over() {
    let load = Arc::new(Load::default());
    let limited = ServerConfig { max_conns: 1, ..config(1, 1) };
    let primaries = vec![Server::new(0, limited, Arc::clone(&load)), server(1, config(1, 1))];
    let mut group = group_of(primaries, vec![server(2, config(1, 1))]);
    assert_eq!(picks(&mut group, 4, 0), "abab");
    load.add();
    assert_eq!(picks(&mut group, 2, 0), "bb");
    group.set_draining(1, true, at(0));
    assert_eq!(picks(&mut group, 2, 0), "cc");
    load.subtract();
    assert_eq!(picks(&mut group, 2, 0), "aa");
    let mut lone = group_of(vec![Server::new(0, limited, Arc::clone(&load))], Vec::new());
    load.add();
    assert_eq!(tries(&mut lone, 0), (String::new(), NoLive::OutOfUse), "a lone server has its limit too");
}

#[test]
fn slow_start_grows_the_share_of_a_server_that_came_back() {
    let slow = ServerConfig { slow_start: Duration::from_secs(10), ..config(1, 1) };
    let mut group = group_of(vec![server(0, slow), server(1, config(1, 1))], Vec::new());
    group.set_reachable(0, false, at(0));
    group.set_reachable(0, true, at(1_000));
    for (ms, of_a_hundred) in [(1_100, 1), (3_500, 20), (6_000, 33), (11_000, 50)] {
        let mut group = group.clone();
        let picked = picks(&mut group, 100, ms).matches('a').count();
        assert!(picked.abs_diff(of_a_hundred) <= 1, "{picked} of 100 at {ms} ms");
    }
}
